"""Raw JSON of foreign values: checks that msgspec does not make, compaction, and the reserved `!email` attribute."""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, DecodeError, Raw, UnsetType

MAX_NESTING_LEVELS = 100
"""Levels of objects and lists in one record; Sprig's records have five. Deeper nesting exhausts a decoder's stack."""
TOO_DEEP_TEXT = f"nested deeper than {MAX_NESTING_LEVELS} levels"

_BRACE = ord("{")
_members = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_strings = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""An unclosed string matches up to the end; otherwise each quote in it would start another search."""
_brackets = re.compile(rb"[^\[\]{}]++")
_surrogate = re.compile(rb"\\(?:u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)


class BadFieldError(Exception):
    """A field with an invalid value; `path` is its place inside the record."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail


def is_too_deep(raw: bytes) -> bool:
    """Whether `raw` nests deeper than MAX_NESTING_LEVELS; linear, without recursion."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_NESTING_LEVELS:
        return False
    depth = 0
    for bracket in _brackets.sub(b"", _strings.sub(b"", raw)):
        if bracket in b"{[":
            depth += 1
            if depth > MAX_NESTING_LEVELS:
                return True
        else:
            depth -= 1
    return False


def has_lone_surrogate(raw: bytes) -> bool:
    r"""Whether an escape such as `\ud83d` lacks its other half, so that it cannot be written as UTF-8."""
    expected = -1
    for match in _surrogate.finditer(raw):
        digits = match.group(1)
        low = digits is not None and digits[1:2].lower() in b"cdef"
        if expected >= 0 and not (low and match.start() == expected):
            return True
        if low and expected < 0:
            return True
        expected = match.end() if digits is not None and not low else -1
    return expected >= 0


def compact(raw: Raw) -> Raw:
    """The same JSON without white space between tokens; strings and numbers stay as they are.

    Raises BadFieldError for JSON that nests deeper than MAX_NESTING_LEVELS.
    """
    data = bytes(raw)
    if data[0] in b"{[":
        return _compact(raw, data)
    return raw


def _compact(raw: Raw, data: bytes) -> Raw:
    if len(data) > 2 * MAX_NESTING_LEVELS and is_too_deep(data):
        raise BadFieldError("", TOO_DEEP_TEXT)
    compacted = msgspec.json.format(data, indent=-1)
    return raw if len(compacted) == len(data) else Raw(compacted)


def object_members(raw: bytes) -> dict[str, Raw]:
    """Members of an object with their raw values; raises msgspec.DecodeError (also ValidationError)."""
    return _members.decode(raw)


def decode_text(raw: Raw | None) -> str | None:
    """The text of a JSON string; None for anything else."""
    if raw is None or not bytes(raw).startswith(b'"'):
        return None
    try:
        return _text.decode(raw)
    except (DecodeError, UnicodeDecodeError):
        return None


def lift_attributes(raw: Raw | UnsetType, path: str) -> tuple[Raw | UnsetType | None, str | None, str | None]:
    """The attributes without `!email`, then the values of `!email` and `email` (facts/sprig.md 8.8).

    Sprig reserves `!email` for the visitor's address; `email` stays in the attributes.
    Raises BadFieldError with `path` for JSON that is neither an object nor null.
    """
    if raw is UNSET:
        return UNSET, None, None
    data = bytes(raw)
    if data[0] != _BRACE:
        if data == b"null":
            return None, None, None
        raise BadFieldError(path, f"expected an object or null, got {json_type_name(data)}")
    if data.find(b"email") < 0:  # a search that begins with a quote would be slower, since quotes are everywhere
        return _compact(raw, data), None, None
    members = object_members(data)
    email = decode_text(members.get("email"))
    if "!email" not in members:
        return _compact(raw, data), None, email
    reserved = decode_text(members.pop("!email"))
    return compact(Raw(msgspec.json.encode(members))), reserved and reserved.strip(), email


def json_type_name(data: bytes) -> str:
    """Name of a JSON value's type, for messages."""
    first = data[:1]
    if first == b"{":
        return "an object"
    if first == b"[":
        return "a list"
    if first == b'"':
        return "text"
    if first in (b"t", b"f"):
        return "true or false"
    return "null" if first == b"n" else "a number"
