"""The Fields view: a line per field of the call, and what is long or nested opens below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET

from sprig_tui.console.payload import json_tree
from sprig_tui.console.payload.field_columns import field_cells, field_columns, value_line, value_text
from sprig_tui.console.payload.json_tree import JsonNode, TreeLine
from sprig_tui.console.payload.spans import CopiedText, RecordView, Span, SpanLine, wrap
from sprig_tui.mapping.records import FieldTrace

INDENT_CELLS = 4


class _FieldLine(NamedTuple):
    """The line of a field; where it is open, the lines below it say the rest."""

    number: int


class _TextLine(NamedTuple):
    """More about a field: its text, or its note."""

    number: int
    text: str
    role: str


class _NestedLine(NamedTuple):
    """A line of a nested value."""

    number: int
    line: TreeLine


class FieldsView(RecordView):
    """The fields, each closed at first."""

    def __init__(self, fields: Sequence[FieldTrace]) -> None:
        self.fields = tuple(fields)
        self._open: dict[int, JsonNode] = {}
        self._lines: list[_FieldLine | _TextLine | _NestedLine] = []
        self._lay_out()

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        """One line."""
        found = self._lines[index]
        if isinstance(found, _FieldLine):
            return field_cells(self.fields[found.number], self.width, opens=self._sign(found.number))
        if isinstance(found, _TextLine):
            return (Span(" " * INDENT_CELLS), Span(found.text, found.role))
        return (Span(" " * INDENT_CELLS), *json_tree.line_spans(found.line, self.width - INDENT_CELLS))

    def resize(self, width: int) -> None:
        """Fold open texts anew."""
        super().resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        """Open a field, or close it; inside a nested value, open or close what stands in the line."""
        found = self._lines[index]
        if isinstance(found, _NestedLine):
            if not json_tree.toggle_line(found.line, self.width - INDENT_CELLS):
                return False
        elif not self._toggle_field(found.number):
            return False
        self._lay_out()
        return True

    def copy_line(self, index: int) -> CopiedText | None:
        """The field's value, or that of the line within it; None where it is omitted."""
        found = self._lines[index]
        if isinstance(found, _NestedLine):
            return json_tree.copy_line(found.line)
        field = self.fields[found.number]
        if field.value is UNSET:
            return None
        text = field.value if isinstance(field.value, str) else JsonNode(value_text(field.value)).pretty()
        return CopiedText(text, field.path)

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
            for line in json_tree.tree_lines(node, self.width - INDENT_CELLS):
                yield _NestedLine(index, line)
        elif field.value is not UNSET:
            for number, line in enumerate(json_tree.tree_lines(node, self.width - INDENT_CELLS)):
                # A text is written out below its field already; its line as JSON would say it twice.
                if number or not node.is_text:
                    yield _NestedLine(index, line)
        for name, text in (("from", field.origin), ("note", field.note)):
            for part in wrap(f"{name}: {text}" if text else "", max(self.width - INDENT_CELLS - 1, 10)):
                yield _TextLine(index, part, "muted")
