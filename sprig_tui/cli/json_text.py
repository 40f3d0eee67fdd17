"""JSON text of any value on one line, for every `--json`.

Text that was no UTF-8 (paths, arguments; Python holds their bytes as lone surrogates) has those bytes as a backslash,
an x and two digits each, since JSON can hold no bytes. Stored bytes are embedded as the JSON they are, or as text in
the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Control characters, and characters that are invisible or change the reading direction."""
_NOT_ASCII = re.compile("[^\x00-\x7e]")
"""And the last control character of ASCII, which JSON does not escape."""


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    """The value as JSON on one line; control and direction characters beyond ASCII are escaped, with `ascii_only` all.

    Either way the value is the same for whoever parses it.
    """
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_escape_invalid_values(value))
    text = data.decode("utf-8", "replace")
    return (_NOT_ASCII if ascii_only else _UNSAFE).sub(_escape_unsafe, text)


def json_lines(values: Sequence[Any], *, ascii_only: bool = False) -> str:
    """Each value as `json_text` has it, on a line of its own."""
    try:
        text = msgspec.json.Encoder().encode_lines(values).decode("utf-8", "replace")
    except UnicodeEncodeError:
        return "".join(json_text(value, ascii_only=ascii_only) + "\n" for value in values)
    if text.isascii() and "\x7f" not in text:
        return text
    return (_NOT_ASCII if ascii_only else _UNSAFE).sub(_escape_unsafe, text)


def embed_json(data: bytes) -> msgspec.Raw | str | None:
    """Stored bytes as a JSON value on one line, else as text; None where there are none."""
    if not data:
        return None
    try:
        msgspec.json.decode(data)
        return msgspec.Raw(msgspec.json.format(data, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "backslashreplace")


def escape_invalid_utf8(text: str) -> str:
    """The text with invalid UTF-8 bytes written as Python escapes."""
    try:
        # In an ASCII locale valid UTF-8 arrives as surrogates too.
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return _SURROGATE.sub(_escape_surrogate, text)


def _escape_surrogate(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _escape_invalid_values(value: Any) -> Any:
    if isinstance(value, str):
        return escape_invalid_utf8(value)
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {_escape_invalid_values(key): _escape_invalid_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_escape_invalid_values(item) for item in value]
    return value


def _escape_unsafe(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
