"""Sanitizing of responses: numbers, text and JSON that a track call cannot hold are found and replaced."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from sprig_tui.segment.lints import Lint
from sprig_tui.sprig.records import StudyResponse

_RESERVED_LEVELS = 50
"""Levels of nesting that stay free around foreign JSON, for the call itself and for programs that read it."""

NOT_UNICODE = "not_unicode"
NOT_JSON = "not_json"

NUMBER_TOO_LARGE = "number_too_large"
_TOO_LARGE_TEXT = " is more than JSON readers hold (a double, up to 1.8e308)"
_find_small_e_exponent = re.compile(rb"e[+0-9][0-9]{2}").search
_find_capital_e_exponent = re.compile(rb"E[+0-9][0-9]{2}").search
"""Two searches for one letter each take a third of the time of one search for both, since `re` uses memchr then."""
_find_long_digits = re.compile(rb"[0-9]{309}").search
_MIN_HUGE_NUMBER_BYTES = 309
"""Shortest JSON that can hold a number beyond a double without an exponent."""
MAX_SAFE_NUMBER_BYTES = 4
"""Longest JSON that cannot hold a number beyond a double."""
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
"""A whole surrogate pair, half of one, or any other escape, in this order."""

validate_json: Final = msgspec.json.Decoder(Raw).decode
"""Raises ValueError or RecursionError unless the bytes are one JSON value. Strings are not checked for UTF-8."""


def has_exponent(json: Raw | bytes) -> bool:
    """Whether the JSON may hold a number whose exponent is beyond a double; a match inside a text counts too."""
    return _find_small_e_exponent(json) is not None or _find_capital_e_exponent(json) is not None


def may_hold_huge_number(json: Raw | bytes) -> bool:
    """Whether the JSON may hold a number beyond a double; `find_huge_numbers` makes sure."""
    return (
        len(json) >= _MIN_HUGE_NUMBER_BYTES
        or _find_small_e_exponent(json) is not None
        or _find_capital_e_exponent(json) is not None
    )


def find_huge_numbers(response: StudyResponse) -> tuple[Lint, ...]:
    """Numbers of the record beyond a double, each with its path; programs downstream reject or lose them."""
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
                    Lint(NUMBER_TOO_LARGE, path + place, shown + _TOO_LARGE_TEXT)
                    for place, shown in _find_huge(value, "")
                ]
    return tuple(faults)


class _HugeNumber(str):
    """A number beyond a double, as text."""

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
    """The response with everything replaced that cannot be sent as JSON, and a lint for each replacement.

    Halves of surrogate pairs become U+FFFD; numbers too long to convert and invalid JSON become null.
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
        repaired = Raw(_ESCAPE.sub(_replace_escape, bytes(raw).decode("utf-8", "replace")))
        if _is_valid(repaired):
            changes[attribute] = repaired
            faults.append(Lint(NOT_UNICODE, path, "held half a character; U+FFFD stands for it", "warning"))
        else:
            changes[attribute] = Raw(b"null")
            faults.append(Lint(NOT_JSON, path, "not valid JSON, or nested too deeply"))
    return replace(response, **changes), tuple(faults)


def _replace_escape(escape: re.Match[str]) -> str:
    return escape[0] if escape["kept"] or escape["other"] else "\\ufffd"


def _join_surrogates(text: str) -> str:
    """The text with surrogate pairs joined and lone halves replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_valid(raw: Raw) -> bool:
    try:
        validate_json(raw)
        validate_json(b"[" * _RESERVED_LEVELS + bytes(raw) + b"]" * _RESERVED_LEVELS)
        bytes(raw).decode()
    except (ValueError, RecursionError):
        return False
    return True
