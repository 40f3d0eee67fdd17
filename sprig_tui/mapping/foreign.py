"""Foreign JSON that goes into the call: leaving out and hashing single keys, and making text fit for JSON."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from sprig_tui.segment.lints import Lint
from sprig_tui.sprig.records import StudyResponse

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_ROOM = 50
"""Levels of nesting kept free around foreign JSON, for the call itself and for who reads it again."""

NOT_UNICODE = "not_unicode"
NOT_JSON = "not_json"

NUMBER_TOO_LARGE = "number_too_large"
_TOO_LARGE = " is more than JSON readers hold (a double, up to 1.8e308)"
_SMALL_EXPONENT = re.compile(rb"e[+0-9][0-9]{2}").search
_CAPITAL_EXPONENT = re.compile(rb"E[+0-9][0-9]{2}").search
"""Two searches for one letter each take a third of the time of one for both: the letter is looked for by memchr."""
_DIGITS = re.compile(rb"[0-9]{309}").search
MANY_BYTES = 309
"""From which a number beyond a double may have no exponent."""
_SHOWN_DIGITS, _SHOWN_KEY = 24, 80

_DOUBLE_BITS = 1_024
_MAX_BITS = 13_000
_TEXTS = {
    "user_id": "userId",
    "survey_name": "properties.surveyName",
    "survey_id": "properties.surveyId",
    "survey_created_at": "properties.createdAt",
    "question": "properties.question",
    "question_type": "properties.questionType",
    "visitor_id": "properties.visitorId",
    "old_visitor_id": "properties.oldVisitorId",
    "response_group_id": "properties.responseGroupId",
    "email": "properties.email",
    "triggering_event": "properties.triggeringEvent",
    "answered_at": "timestamp",
}
_ESCAPE = re.compile(
    r"(?P<kept>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)",
    re.DOTALL,
)
"""A whole pair of surrogates, half of one, or any other escape, in this order."""

Value = str | int | Raw | UnsetType | None
"""A field's value: Raw for foreign JSON, UNSET when it is left out, None for null."""


def is_object(raw: Raw) -> bool:
    """Whether the JSON is an object."""
    return bytes(raw).lstrip()[:1] == b"{"


def hashed(value: Value) -> Value:
    """Hex sha256 of the value's trimmed lower-case text; null and what is left out stay as they are.

    The text of what is neither text nor null is its compact JSON.
    """
    if value is None or value is UNSET:
        return value
    text = _text(value) if isinstance(value, Raw) else str(value)
    if text is None:
        return None
    return sha256(text.strip().lower().encode("utf-8", "replace")).hexdigest()


def edited(raw: Raw, omit: Iterable[str], hash_: Iterable[str]) -> Raw:
    """The object without the keys to omit and with the keys to hash hashed.

    Dots lead into nested objects, and into each object of a list; a key that itself holds dots is found too, and where
    both readings of a path fit, both are done: what a rule hides stays hidden. What has none of the keys is returned
    as it came.
    """
    first = bytes(raw).lstrip()[:1]
    if first == b"{":
        members = _OBJECT.decode(raw)
        before = dict(members)
        for path in omit:
            members.pop(path, None)
            _inside(members, path, omit=True)
        for path in hash_:
            if path in members:
                members[path] = Raw(msgspec.json.encode(hashed(members[path])))
            _inside(members, path, omit=False)
        return raw if members == before else Raw(msgspec.json.encode(members))
    if first == b"[":
        items = _LIST.decode(raw)
        others = [edited(item, omit, hash_) for item in items]
        return raw if others == items else Raw(msgspec.json.encode(others))
    return raw


skim: Final = msgspec.json.Decoder(Raw).decode
"""Raises ValueError or RecursionError unless this is one JSON value; its strings may yet be no UTF-8."""


def has_exponent(json: Raw | bytes) -> bool:
    """Whether there may be a number in it that is beyond a double for its exponent; it may as well stand in a text."""
    return _SMALL_EXPONENT(json) is not None or _CAPITAL_EXPONENT(json) is not None


def huge_numbers(response: StudyResponse) -> tuple[Lint, ...]:
    """Numbers of the record that no double holds, each with its path: readers downstream refuse them, or lose them."""
    faults = [
        Lint(NUMBER_TOO_LARGE, path, f"a number of {len(str(value))} digits{_TOO_LARGE}")
        for path, value in (
            ("properties.surveyId", response.survey_id),
            ("properties.oldVisitorId", response.old_visitor_id),
        )
        if isinstance(value, int) and _DOUBLE_BITS < value.bit_length() <= _MAX_BITS
    ]
    for path, raw in (("properties.response", response.response), ("properties.attributes", response.attributes)):
        if isinstance(raw, Raw) and (has_exponent(raw) or _DIGITS(raw) is not None):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(bytes(raw), parse_float=_number, parse_int=_number)
                faults += [Lint(NUMBER_TOO_LARGE, path + place, said + _TOO_LARGE) for place, said in _huge(value, "")]
    return tuple(faults)


class _Huge(str):
    """A number beyond a double, as it is written."""

    __slots__ = ()


def _number(text: str) -> _Huge | int:
    return _Huge(text) if math.isinf(float(text)) else 0


def _huge(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, _Huge):
        yield place, value if len(value) <= _SHOWN_DIGITS else f"a number of {len(value)} digits"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _huge(inner, f"{place}.{key[:_SHOWN_KEY]}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _huge(inner, f"{place}[{index}]")


def fit_for_json(response: StudyResponse) -> tuple[StudyResponse, tuple[Lint, ...]]:
    """The response with everything replaced that cannot be sent as JSON, and what that was.

    Halves of surrogate pairs become U+FFFD; a number too long to convert, and JSON that is none, are left out.
    """
    changes: dict[str, Any] = {}
    faults: list[Lint] = []
    for attribute, path in _TEXTS.items():
        text = getattr(response, attribute)
        if isinstance(text, str) and (whole := _whole(text)) != text:
            changes[attribute] = whole
            faults.append(Lint(NOT_UNICODE, path, "held half a character; U+FFFD stands for it", "warning"))
        elif isinstance(text, int) and text.bit_length() > _MAX_BITS:
            changes[attribute] = None
            faults.append(Lint(NOT_JSON, path, "a number of more than 4,000 digits"))
    for attribute, path in (("response", "properties.response"), ("attributes", "properties.attributes")):
        raw = getattr(response, attribute)
        if not isinstance(raw, Raw) or _is_sound(raw):
            continue
        mended = Raw(_ESCAPE.sub(_mended, bytes(raw).decode("utf-8", "replace")))
        if _is_sound(mended):
            changes[attribute] = mended
            faults.append(Lint(NOT_UNICODE, path, "held half a character; U+FFFD stands for it", "warning"))
        else:
            changes[attribute] = Raw(b"null")
            faults.append(Lint(NOT_JSON, path, "not valid JSON, or nested too deeply"))
    return replace(response, **changes), tuple(faults)


def _mended(escape: re.Match[str]) -> str:
    return escape[0] if escape["kept"] or escape["other"] else "\\ufffd"


def _whole(text: str) -> str:
    """Surrogate pairs joined, halves of them replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_sound(raw: Raw) -> bool:
    try:
        skim(raw)
        skim(b"[" * _ROOM + bytes(raw) + b"]" * _ROOM)
        bytes(raw).decode()
    except (ValueError, RecursionError):
        return False
    return True


def _text(raw: Raw) -> str | None:
    text = bytes(raw).strip()
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """The ways to read a dotted path as a key and the rest, longest key first."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count]), ".".join(parts[count:])


def _inside(members: dict[str, Raw], path: str, *, omit: bool) -> None:
    for key, rest in _splits(path):
        if key in members:
            members[key] = edited(members[key], (rest,), ()) if omit else edited(members[key], (), (rest,))
