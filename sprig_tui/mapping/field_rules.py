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
_RESERVED_LEVELS = 50
"""Levels of nesting kept free around foreign JSON, for the call itself and for who reads it again."""

NOT_UNICODE = "not_unicode"
NOT_JSON = "not_json"

NUMBER_TOO_LARGE = "number_too_large"
_TOO_LARGE_TEXT = " is more than JSON readers hold (a double, up to 1.8e308)"
_find_small_e_exponent = re.compile(rb"e[+0-9][0-9]{2}").search
_find_capital_e_exponent = re.compile(rb"E[+0-9][0-9]{2}").search
"""Two searches for one letter each take a third of the time of one for both: the letter is looked for by memchr."""
_find_long_digits = re.compile(rb"[0-9]{309}").search
MIN_HUGE_NUMBER_BYTES = 309
"""From which a number beyond a double may have no exponent."""
_MAX_SHOWN_DIGITS, _MAX_SHOWN_KEY_CHARS = 24, 80

_DOUBLE_BITS = 1_024
_MAX_INT_BITS = 13_000
_TEXT_FIELDS = {
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


def hash_value(value: Value) -> Value:
    """Hex sha256 of the value's trimmed lower-case text; null and what is left out stay as they are.

    The text of what is neither text nor null is its compact JSON.
    """
    if value is None or value is UNSET:
        return value
    text = _decode_text(value) if isinstance(value, Raw) else str(value)
    if text is None:
        return None
    return sha256(text.strip().lower().encode("utf-8", "replace")).hexdigest()


def apply_rules(raw: Raw, omit: Iterable[str], hash_: Iterable[str]) -> Raw:
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
            _apply_rule_inside(members, path, omit=True)
        for path in hash_:
            if path in members:
                members[path] = Raw(msgspec.json.encode(hash_value(members[path])))
            _apply_rule_inside(members, path, omit=False)
        return raw if members == before else Raw(msgspec.json.encode(members))
    if first == b"[":
        items = _LIST.decode(raw)
        others = [apply_rules(item, omit, hash_) for item in items]
        return raw if others == items else Raw(msgspec.json.encode(others))
    return raw


validate_json: Final = msgspec.json.Decoder(Raw).decode
"""Raises ValueError or RecursionError unless this is one JSON value; its strings may yet be no UTF-8."""


def has_exponent(json: Raw | bytes) -> bool:
    """Whether there may be a number in it that is beyond a double for its exponent; it may as well stand in a text."""
    return _find_small_e_exponent(json) is not None or _find_capital_e_exponent(json) is not None


def find_huge_numbers(response: StudyResponse) -> tuple[Lint, ...]:
    """Numbers of the record that no double holds, each with its path: readers downstream refuse them, or lose them."""
    faults = [
        Lint(NUMBER_TOO_LARGE, path, f"a number of {len(str(value))} digits{_TOO_LARGE_TEXT}")
        for path, value in (
            ("properties.surveyId", response.survey_id),
            ("properties.oldVisitorId", response.old_visitor_id),
        )
        if isinstance(value, int) and _DOUBLE_BITS < value.bit_length() <= _MAX_INT_BITS
    ]
    for path, raw in (("properties.response", response.response), ("properties.attributes", response.attributes)):
        if isinstance(raw, Raw) and (has_exponent(raw) or _find_long_digits(raw) is not None):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(bytes(raw), parse_float=_parse_number, parse_int=_parse_number)
                faults += [
                    Lint(NUMBER_TOO_LARGE, path + place, said + _TOO_LARGE_TEXT)
                    for place, said in _find_huge(value, "")
                ]
    return tuple(faults)


class _HugeNumber(str):
    """A number beyond a double, as it is written."""

    __slots__ = ()


def _parse_number(text: str) -> _HugeNumber | int:
    return _HugeNumber(text) if math.isinf(float(text)) else 0


def _find_huge(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, _HugeNumber):
        yield place, value if len(value) <= _MAX_SHOWN_DIGITS else f"a number of {len(value)} digits"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _find_huge(inner, f"{place}.{key[:_MAX_SHOWN_KEY_CHARS]}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _find_huge(inner, f"{place}[{index}]")


def sanitize(response: StudyResponse) -> tuple[StudyResponse, tuple[Lint, ...]]:
    """The response with everything replaced that cannot be sent as JSON, and what that was.

    Halves of surrogate pairs become U+FFFD; a number too long to convert, and JSON that is none, are left out.
    """
    changes: dict[str, Any] = {}
    faults: list[Lint] = []
    for attribute, path in _TEXT_FIELDS.items():
        text = getattr(response, attribute)
        if isinstance(text, str) and (whole := _join_surrogates(text)) != text:
            changes[attribute] = whole
            faults.append(Lint(NOT_UNICODE, path, "held half a character; U+FFFD stands for it", "warning"))
        elif isinstance(text, int) and text.bit_length() > _MAX_INT_BITS:
            changes[attribute] = None
            faults.append(Lint(NOT_JSON, path, "a number of more than 4,000 digits"))
    for attribute, path in (("response", "properties.response"), ("attributes", "properties.attributes")):
        raw = getattr(response, attribute)
        if not isinstance(raw, Raw) or _is_valid(raw):
            continue
        mended = Raw(_ESCAPE.sub(_replace_escape, bytes(raw).decode("utf-8", "replace")))
        if _is_valid(mended):
            changes[attribute] = mended
            faults.append(Lint(NOT_UNICODE, path, "held half a character; U+FFFD stands for it", "warning"))
        else:
            changes[attribute] = Raw(b"null")
            faults.append(Lint(NOT_JSON, path, "not valid JSON, or nested too deeply"))
    return replace(response, **changes), tuple(faults)


def _replace_escape(escape: re.Match[str]) -> str:
    return escape[0] if escape["kept"] or escape["other"] else "\\ufffd"


def _join_surrogates(text: str) -> str:
    """Surrogate pairs joined, halves of them replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_valid(raw: Raw) -> bool:
    try:
        validate_json(raw)
        validate_json(b"[" * _RESERVED_LEVELS + bytes(raw) + b"]" * _RESERVED_LEVELS)
        bytes(raw).decode()
    except (ValueError, RecursionError):
        return False
    return True


def _decode_text(raw: Raw) -> str | None:
    text = bytes(raw).strip()
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()


def _split_path(path: str) -> Iterator[tuple[str, str]]:
    """The ways to read a dotted path as a key and the rest, longest key first."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count]), ".".join(parts[count:])


def _apply_rule_inside(members: dict[str, Raw], path: str, *, omit: bool) -> None:
    for key, rest in _split_path(path):
        if key in members:
            members[key] = apply_rules(members[key], (rest,), ()) if omit else apply_rules(members[key], (), (rest,))
