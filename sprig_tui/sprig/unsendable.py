"""Unsendable records, and the wording of their faults with the place of each."""

from __future__ import annotations

import json
import re

from msgspec import DecodeError, Raw, ValidationError

from sprig_tui.reasons import Reason
from sprig_tui.sprig.raw_json import TOO_DEEP_TEXT, decode_text, has_lone_surrogate, is_too_deep
from sprig_tui.sprig.records import Origin, Unsendable

MAX_EXCERPT_BYTES = 65_536
"""Bytes of an unsendable record that are stored."""

_match_wrong_type = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.?(.*)`)?").fullmatch
_match_missing = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.*)`)?").fullmatch
_match_located = re.compile(r"(.*) - at `\$\.?(.*)`").fullmatch
_match_malformed = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)").fullmatch
_TYPE_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a decimal number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_MAX_WORD_CHARS = 9
_PYTHON_TEXT = " instead of {}, as Python prints it (json.dumps writes JSON)"
_KNOWN_WORDS = {
    b"NaN": ", which is no number in JSON (Python and pandas write it): it should be null",
    b"Infinity": ", which is no number in JSON (Python and pandas write it): it should be null",
    b"undefined": ", which is JavaScript's, and not in JSON: it should be null",
    b"None": _PYTHON_TEXT.format("null"),
    b"True": _PYTHON_TEXT.format("true"),
    b"False": _PYTHON_TEXT.format("false"),
}
_KNOWN_CHARACTERS = {
    b"\xef\xbb\xbf": "a byte-order mark (U+FEFF), as files that were joined have in their middle,",
    b"\xfe\xff": "a byte-order mark of UTF-16, as files that were joined have in their middle,",
    b"\xff\xfe": "a byte-order mark of UTF-16, as files that were joined have in their middle,",
    b"\x1e": "a record separator (U+001E), as JSON text sequences (RFC 7464) have before each record,",
    b"\0": "a NUL character (U+0000), as padding and a writer that was cut off leave,",
    b"\x1a": "a control-Z (U+001A), as old Windows programs put at the end,",
    b"\xc2\xa0": "a no-break space (U+00A0), as copying from a page or a document makes,",
    b"\xe2\x80\x8b": "a zero-width space (U+200B), as copying from a page makes,",
    b"\xe2\x80\x9c": "a curly quote (U+201C), as word processors make of a straight one,",
    b"\xe2\x80\x9d": "a curly quote (U+201D), as word processors make of a straight one,",
    b"'": "a single quote, as Python and JavaScript print where JSON has double ones,",
}
"""Characters that break JSON, and the programs or habits that write them."""


def invalid_record(
    raw: bytes, origin: Origin, detail: str, path: str = "", fields: dict[str, Raw] | None = None
) -> Unsendable:
    """A record that cannot be read; `path` is the field's place inside the record."""
    return unsendable_record(raw, origin, Reason.INVALID, detail, path, fields)


def unsendable_record(
    raw: bytes,
    origin: Origin,
    reason: Reason,
    detail: str,
    path: str = "",
    fields: dict[str, Raw] | None = None,
) -> Unsendable:
    """A withheld record; survey, user and environment come from `fields`, so that a search finds it."""
    known = fields or {}
    return Unsendable(
        origin=origin,
        raw=raw[:MAX_EXCERPT_BYTES],
        reason=reason,
        path=join_path(origin.path, path),
        detail=detail,
        survey_id=_searchable_text(known.get("surveyId")),
        survey_name=_searchable_text(known.get("surveyName")),
        user_id=(_searchable_text(known.get("userId")) or _searchable_text(known.get("externalUserId"))).strip(),
        environment_id=decode_text(known.get("environmentId")),
        environment=decode_text(known.get("environment")),
    )


def join_path(place: str, path: str) -> str:
    """A field's path below the place of its record: `data[3]` and `question` make `data[3].question`."""
    return f"{place}.{path}" if place and path and not path.startswith("[") else place + path


def unreadable_reason(raw: bytes) -> str:
    """Why `raw` must not be decoded as JSON at all; empty if it may be."""
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return f"not valid UTF-8 at byte {wrong.start + 1}"
    return TOO_DEEP_TEXT if is_too_deep(raw) else ""


def malformed_reason(raw: bytes, error: DecodeError) -> str:
    """The decoder's error in words; a character that is known to cause it is named with its usual source."""
    place, fault = json_fault(raw, error)
    return f"not valid JSON{place}: {fault}"


def json_fault(raw: bytes, error: DecodeError) -> tuple[str, str]:
    """The place of a known bad character (` at byte 7`, or empty), and the fault."""
    if has_lone_surrogate(raw):
        return "", "half of a surrogate pair stands alone in an escape"
    match = _match_malformed(str(error))
    if match is None:
        return "", "it ends too early"
    at = int(match[2])
    if culprit := _describe_culprit(raw, at):
        return f" at byte {at + 1}", culprit.rstrip(",")
    return "", f"{match[1]} at byte {at + 1}"


def _describe_culprit(raw: bytes, at: int) -> str:
    """Description of a known bad word or character where the decoder stopped; empty for anything else."""
    start = at
    while start and raw[start - 1 : start].isalpha() and at - start < _MAX_WORD_CHARS:
        start -= 1  # a decoder may stop within a word
    here = raw[start : start + 2 * _MAX_WORD_CHARS].removeprefix(b"-")
    for word, explanation in _KNOWN_WORDS.items():
        if here.startswith(word) and not here[len(word) : len(word) + 1].isalnum():
            return f"{word.decode()}{explanation}"
    return next((description for text, description in _KNOWN_CHARACTERS.items() if raw.startswith(text, at)), "")


def describe_field_fault(error: ValidationError) -> tuple[str, str]:
    """Path and wording of a field that msgspec rejected."""
    text = str(error)
    if match := _match_wrong_type(text):
        *others, last = (_TYPE_WORDS.get(kind, kind) for kind in _sort_kinds(match[1].split(" | ")))
        expected = f"{', '.join(others)} or {last}" if others else last
        return match[3] or "", f"expected {expected}, got {_TYPE_WORDS.get(match[2], match[2])}"
    if match := _match_missing(text):
        return join_path(match[2] or "", match[1]), "is missing"
    if match := _match_located(text):
        return match[2], match[1][:1].lower() + match[1][1:]
    return "", text[:1].lower() + text[1:]


def quote_excerpt(text: str) -> str:
    """An excerpt of foreign text in quotes, with everything but plain ASCII escaped."""
    return json.dumps(text if len(text) <= 60 else f"{text[:60]}...")


def _sort_kinds(kinds: list[str]) -> list[str]:
    return sorted(kinds, key=list(_TYPE_WORDS).index) if all(kind in _TYPE_WORDS for kind in kinds) else kinds


def _searchable_text(raw: Raw | None) -> str:
    """A text or number by which the record can be found, at most 200 characters; empty for any other value."""
    if raw is None:
        return ""
    data = bytes(raw)
    if data.startswith(b'"'):
        return (decode_text(raw) or "")[:200]
    return data.decode() if data[:1] in b"-0123456789" and len(data) <= 200 else ""
