"""How the field table uses the width there is, and what stands in its cells."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from sprig_tui.console.payload.escapes import unescape_letters
from sprig_tui.console.payload.spans import Span
from sprig_tui.mapping.records import FieldTrace, Level
from sprig_tui.text import one_line

MARKS: dict[Level, tuple[str, str]] = {"ok": ("✓", "good"), "warning": ("!", "warning"), "error": ("✗", "bad")}
NOT_SENT = ("·", "muted")
OMITTED = "(omitted)"
_PATH_CELLS = 26
_MARK_CELLS = 2
_LOOKS_LIKE_JSON = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|\(omitted\)|[\[{].*|\s.*|.*\s|", re.DOTALL)


class FieldColumns(NamedTuple):
    """Cells of each column, the space after it included; 0 for a column there is no room for."""

    path: int
    value: int
    origin: int
    note: int
    """0: the notes stand in the column of the origin."""


def field_columns(width: int) -> FieldColumns:
    """The columns for so many cells, the mark's two taken off."""
    room = max(width - _MARK_CELLS, 12)
    path = _PATH_CELLS + 2 if room >= 70 else max(room // 3, 10)
    if room < 50:
        return FieldColumns(path, room - path, 0, 0)
    if room < 104:
        origin = max(20, (room - path) * 2 // 5)
        return FieldColumns(path, room - path - origin, origin, 0)
    origin = 24
    rest = room - path - origin
    value = rest // 2
    return FieldColumns(path, value, origin, rest - value)


def field_header(width: int) -> str:
    """The table's first line."""
    path, value, origin, note = field_columns(width)
    cells = (
        (" " * _MARK_CELLS, _MARK_CELLS),
        ("Segment field", path),
        ("value", value),
        ("from", origin),
        ("note", note),
    )
    return "".join(text[: size - 1].ljust(size) for text, size in cells if size).rstrip()


def field_cells(field: FieldTrace, width: int, *, opens: str = "") -> tuple[Span, ...]:
    """One field on one line; `opens` is the sign before a value that opens in place."""
    mark, role = MARKS[field.level]
    if field.level == "ok" and field.value is UNSET:
        # nothing is wrong with it, and nothing is sent of it
        mark, role = NOT_SENT
    path, value, origin, note = field_columns(width)
    found = [Span(mark, role, _MARK_CELLS), *_cell(_path(field.path, path - 2), "", path)]
    sign = f"{opens} " if opens else ""
    found += _cell(sign + value_line(field.value, 2 * value), value_role(field.value), value)
    if origin and note:
        found += _cell(field.origin, "muted", origin)
        found += _cell(field.note, role if field.level != "ok" else "muted", note)
    elif origin:
        found += _cell(*_origin_or_note(field, role), origin)
    return tuple(found)


def value_line(value: Any, limit: int) -> str:
    """A value on one line: a text as it is, unless it could be taken for something else; else as it is written."""
    if value is UNSET:
        return OMITTED
    if isinstance(value, str):
        head = value[: 4 * limit + 64]
        return one_line(head if _LOOKS_LIKE_JSON.fullmatch(head) is None else f'"{head}"', limit=limit)
    data = value_text(value)
    if data[:1] == b'"':
        return value_line(json_text(data), limit)
    return one_line(unescape_letters(data[: 8 * limit].decode(errors="replace")), limit=limit)


def value_text(value: Any) -> bytes:
    """A value as JSON, foreign JSON as it came."""
    return bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)


def json_text(data: bytes) -> str:
    """The text of a JSON string; half a surrogate pair, which text cannot hold, is shown as it is written."""
    try:
        return msgspec.json.decode(data, type=str)
    except ValueError:
        return data[1:-1].decode(errors="replace")


def value_role(value: Any) -> str:
    """The colour of a value."""
    if value is UNSET:
        return "muted"
    if isinstance(value, str):
        return "string"
    first = memoryview(value)[:1].tobytes() if isinstance(value, Raw) else value_text(value)[:1]
    if first == b'"':
        return "string"
    return "word" if first in (b"t", b"f", b"n") else "number" if first not in (b"{", b"[") else ""


def _origin_or_note(field: FieldTrace, role: str) -> tuple[str, str]:
    """One of the two where both have one column: where a value came from, or why there is none."""
    if field.level != "ok":
        return field.note, role
    if field.value is UNSET:
        return field.note or field.origin, "muted"
    return f"{field.origin} · {field.note}" if field.origin and field.note else field.origin or field.note, "muted"


def _path(path: str, room: int) -> str:
    """A path; where there is little room without what it begins with (`.surveyName`), since its end tells it apart."""
    if room < _PATH_CELLS and len(path) > room // 2 and "." in path:
        path = f".{path.partition('.')[2]}"
    return path if len(path) <= room else f"…{path[len(path) - room + 1 :]}"


def _cell(text: str, role: str, width: int) -> tuple[Span, Span]:
    return Span(one_line(text, limit=2 * width), role, width - 1), Span(" ")
