"""Fields view: one line per field of the call; long and nested values open below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from sprig_tui.console.payload.views import json
from sprig_tui.console.payload.views.base import CopiedText, RecordView, Span, SpanLine, wrap
from sprig_tui.console.payload.views.json import JsonNode, TreeLine
from sprig_tui.console.payload.views.text import unescape_letters
from sprig_tui.mapping.records import FieldTrace, Level
from sprig_tui.text import one_line

MARKS: dict[Level, tuple[str, str]] = {"ok": ("✓", "good"), "warning": ("!", "warning"), "error": ("✗", "bad")}
NOT_SENT = ("·", "muted")
OMITTED = "(omitted)"
_PATH_CELLS = 26
_MARK_CELLS = 2
_LOOKS_LIKE_JSON = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|\(omitted\)|[\[{].*|\s.*|.*\s|", re.DOTALL)


class FieldColumns(NamedTuple):
    """Cells of each column, including the space after it; 0 for a hidden column."""

    path: int
    value: int
    origin: int
    note: int
    """0: the notes are in the column of the origin."""


def field_columns(width: int) -> FieldColumns:
    """Columns for a width, without the two cells of the mark."""
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
    """Header of the table."""
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
        # the field has no problem, and is not sent
        mark, role = NOT_SENT
    path, value, origin, note = field_columns(width)
    spans = [Span(mark, role, _MARK_CELLS), *_cell(_path(field.path, path - 2), "", path)]
    sign = f"{opens} " if opens else ""
    spans += _cell(sign + value_line(field.value, 2 * value), value_role(field.value), value)
    if origin and note:
        spans += _cell(field.origin, "muted", origin)
        spans += _cell(field.note, role if field.level != "ok" else "muted", note)
    elif origin:
        spans += _cell(*_origin_or_note(field, role), origin)
    return tuple(spans)


def value_line(value: Any, limit: int) -> str:
    """A value on one line: a plain text without quotes, unless it looks like another type; else as JSON."""
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
    """A value as JSON; raw JSON stays as it is."""
    return bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)


def json_text(data: bytes) -> str:
    """The text of a JSON string; a lone surrogate is shown as its escape."""
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
    """Text of the shared column: the origin of a value, or the reason for its absence."""
    if field.level != "ok":
        return field.note, role
    if field.value is UNSET:
        return field.note or field.origin, "muted"
    return f"{field.origin} · {field.note}" if field.origin and field.note else field.origin or field.note, "muted"


def _path(path: str, room: int) -> str:
    """A path; shortened at its start (`.surveyName`) where there is little room, since its end is distinctive."""
    if room < _PATH_CELLS and len(path) > room // 2 and "." in path:
        path = f".{path.partition('.')[2]}"
    return path if len(path) <= room else f"…{path[len(path) - room + 1 :]}"


def _cell(text: str, role: str, width: int) -> tuple[Span, Span]:
    return Span(one_line(text, limit=2 * width), role, width - 1), Span(" ")


INDENT_CELLS = 4


class _FieldLine(NamedTuple):
    """Line of a field; an open one has more lines below it."""

    number: int


class _TextLine(NamedTuple):
    """Line below an open field: its text, or its note."""

    number: int
    text: str
    role: str


class _NestedLine(NamedTuple):
    """Line of a nested value."""

    number: int
    line: TreeLine


class FieldsView(RecordView):
    """View of the fields, each closed at first."""

    def __init__(self, fields: Sequence[FieldTrace]) -> None:
        self.fields = tuple(fields)
        self._open: dict[int, JsonNode] = {}
        self._lines: list[_FieldLine | _TextLine | _NestedLine] = []
        self._lay_out()

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        line = self._lines[index]
        if isinstance(line, _FieldLine):
            return field_cells(self.fields[line.number], self.width, opens=self._sign(line.number))
        if isinstance(line, _TextLine):
            return (Span(" " * INDENT_CELLS), Span(line.text, line.role))
        return (Span(" " * INDENT_CELLS), *json.line_spans(line.line, self.width - INDENT_CELLS))

    def resize(self, width: int) -> None:
        super().resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        """Open or close a field or, inside a nested value, the value in the line."""
        line = self._lines[index]
        if isinstance(line, _NestedLine):
            if not json.toggle_line(line.line, self.width - INDENT_CELLS):
                return False
        elif not self._toggle_field(line.number):
            return False
        self._lay_out()
        return True

    def copy_line(self, index: int) -> CopiedText | None:
        """The value of the field, or of the line within it; None where it is omitted."""
        line = self._lines[index]
        if isinstance(line, _NestedLine):
            return json.copy_line(line.line)
        field = self.fields[line.number]
        if field.value is UNSET:
            return None
        text = field.value if isinstance(field.value, str) else JsonNode(value_text(field.value)).pretty()
        return CopiedText(text, field.path)

    def path_at(self, index: int) -> str:
        return self.fields[self._lines[index].number].path

    def place(self, path: str) -> int:
        """The line of the field with this path; 0 where there is none."""
        for index, line in enumerate(self._lines):
            if isinstance(line, _FieldLine) and self.fields[line.number].path == path:
                return index
        return 0

    def _toggle_field(self, index: int) -> bool:
        if index in self._open:
            del self._open[index]
            return True
        field = self.fields[index]
        if field.value is UNSET and not field.note and not field.origin:
            return False
        node = JsonNode(b"null" if field.value is UNSET else value_text(field.value))
        node.opened = node.is_text
        if node.is_container:
            node.open_up()
        self._open[index] = node
        return True

    def _sign(self, index: int) -> str:
        if index in self._open:
            return "▾"
        value = self.fields[index].value
        if value is UNSET or not isinstance(value, str):
            nested = value is not UNSET and value_text(value)[:1] in (b"{", b"[")
            return "▸" if nested or self._overflows(index) else ""
        return "▸" if self._overflows(index) else ""

    def _overflows(self, index: int) -> bool:
        room = field_columns(self.width).value - 3
        return len(value_line(self.fields[index].value, room + 8)) > room

    def _lay_out(self) -> None:
        self._lines = list(self._all_lines())

    def _all_lines(self) -> Iterator[_FieldLine | _TextLine | _NestedLine]:
        for index in range(len(self.fields)):
            yield _FieldLine(index)
            if (node := self._open.get(index)) is not None:
                yield from self._inside(index, node)

    def _inside(self, index: int, node: JsonNode) -> Iterator[_TextLine | _NestedLine]:
        field = self.fields[index]
        if node.is_container:
            for line in json.tree_lines(node, self.width - INDENT_CELLS):
                yield _NestedLine(index, line)
        elif field.value is not UNSET:
            for number, line in enumerate(json.tree_lines(node, self.width - INDENT_CELLS)):
                # A text is written out below its field already; its line as JSON would say it twice.
                if number or not node.is_text:
                    yield _NestedLine(index, line)
        for name, text in (("from", field.origin), ("note", field.note)):
            for part in wrap(f"{name}: {text}" if text else "", max(self.width - INDENT_CELLS - 1, 10)):
                yield _TextLine(index, part, "muted")
