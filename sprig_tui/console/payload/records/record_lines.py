"""Lines of the list of records, drawn on demand from rows that a thread reads, and the titles of their columns."""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.payload.records.listed_record import ListedRecord
from sprig_tui.console.payload.records.row_format import (
    COLUMNS,
    default_record_columns,
    header_text,
    place_record_columns,
    record_row,
)
from sprig_tui.console.widgets.columns import ChosenColumn, PlacedColumn
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption

MAX_CACHED_ROWS = 1_000
_OWN_KEYS = ("list.open", "list.left", "list.right")


class RecordLines(LineList, inherit_bindings=False):
    """Virtual list of the records `numbers`, or of the first `total` ones where that is None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in LineList.BINDINGS if getattr(binding, "id", "") not in _OWN_KEYS),
        # as for the record: the next one, here of those that are listed
        Binding("right_square_bracket", "cursor(1)", "Next", show=False, id="records.next"),
        Binding("left_square_bracket", "cursor(-1)", "Previous", show=False, id="records.previous"),
    ]

    class Resized(Message):
        """The width changed, and with it perhaps the columns."""

    def __init__(self) -> None:
        super().__init__(id="record-lines")
        self.numbers: array[int] | None = None
        """Numbers of the listed records in order, from 0; it only grows."""
        self.columns: tuple[PlacedColumn, ...] = ()
        self.chosen: tuple[ChosenColumn, ...] = ()
        """Columns of the user; none for those that the width suggests."""
        self.marks: set[int] = set()
        """Numbers of marked records."""
        self.rows_wanted = asyncio.Event()
        """Set when lines in view are not read yet."""
        self.hints: tuple[str, ...] = ()
        self._rows: OrderedDict[int, ListedRecord] = OrderedDict()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def set_total(self, total: int) -> None:
        """Show so many records, or all of `numbers`."""
        count = total if self.numbers is None else len(self.numbers)
        if count != self.count:
            self.resize(count)

    def list_numbers(self, numbers: array[int] | None, total: int, *, at: int) -> None:
        """List these records, or the first `total` ones, with the cursor on line `at`."""
        self.numbers = numbers
        count = total if numbers is None else len(numbers)
        height = max(1, self.scrollable_content_region.height)
        top = min(max(0, at - height // 2), max(0, count - height))
        self.rearrange(count, cursor=at, top=top)
        self.refresh()

    def number_at(self, index: int) -> int:
        """The record of a line, from 0; -1 for none."""
        if not 0 <= index < self.count:
            return -1
        if self.numbers is None:
            return index
        return self.numbers[index] if index < len(self.numbers) else -1

    @property
    def selected(self) -> int:
        """The record under the cursor, from 0; -1 for none."""
        return self.number_at(self.cursor)

    def row(self, number: int) -> ListedRecord | None:
        """A row that was read."""
        return self._rows.get(number)

    def wanted_numbers(self) -> list[int]:
        """Records in view that are not read yet."""
        return [number for number in map(self.number_at, self.is_visible) if number not in self._rows]

    def is_in_view(self, numbers: Iterable[int]) -> bool:
        """Whether one of these records is in view; callable in any thread."""
        visible = set(map(self.number_at, self.is_visible))
        return not visible.isdisjoint(numbers)

    def add_rows(self, rows: Iterable[ListedRecord]) -> None:
        """Show rows that were read."""
        for row in rows:
            self._rows[row.number] = row
            self._rows.move_to_end(row.number)
        while len(self._rows) > MAX_CACHED_ROWS:
            self._rows.popitem(last=False)
        self.revise()

    def forget_rows(self, numbers: Iterable[int] | None = None) -> None:
        """Read these rows again when they are next in view; None for all."""
        if numbers is None:
            self._rows.clear()
        else:
            for number in numbers:
                self._rows.pop(number, None)
        self.invalidate()
        self.rows_wanted.set()

    def line(self, index: int) -> Line | None:
        number = self.number_at(index)
        row = self._rows.get(number)
        if row is None:
            self.rows_wanted.set()
            return None
        return record_row(row, self.columns, marked=number in self.marks)

    def line_key(self, index: int) -> Hashable:
        """The number of the record."""
        return self.number_at(index)

    def empty_lines(self) -> Sequence[Line]:
        """The hints, while nothing is listed."""
        return [(), *([TextSpan("  " + hint, "muted")] for hint in self.hints)]

    # -- marks ---------------------------------------------------------------------------------------------------------

    def toggle_mark(self) -> None:
        """Mark or unmark the record under the cursor, and go to the next."""
        if self.selected >= 0:
            self.marks ^= {self.selected}
            self.invalidate([self.cursor])
            self.action_cursor(1)

    def mark(self, numbers: Iterable[int]) -> None:
        """Mark exactly these records."""
        self.marks = set(numbers)
        self.invalidate()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.rows_wanted.set()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._place_columns()
        self.rows_wanted.set()

    def choose_columns(self, chosen: tuple[ChosenColumn, ...]) -> None:
        """Show these columns, as far as they fit; none for those that the width suggests."""
        self.chosen = chosen
        if self.is_attached:
            self._place_columns()

    def _place_columns(self) -> None:
        columns = place_record_columns(self.scrollable_content_region.width, self.chosen)
        if columns != self.columns:
            self.columns = columns
            self.invalidate()
        self.post_message(self.Resized())


class RecordHeader(Caption):
    """The titles of the columns of `lines`; a click on them chooses other columns."""

    def __init__(self, lines: RecordLines) -> None:
        super().__init__(classes="records-header")
        self._lines = lines

    def show_titles(self) -> None:
        """Show the titles of the columns that the lines have now."""
        self.show(Content(header_text(self._lines.columns)))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.choose_columns()

    def choose_columns(self) -> None:
        """Ask for the columns; the lines show them meanwhile, and the app saves them."""
        self.run_worker(track_flow(self.app, self._ask()), group="record-columns", exclusive=True)

    async def _ask(self) -> None:
        from sprig_tui.console.widgets.column_chooser import ColumnChooser, ColumnList, ColumnsChosen

        def width() -> int:
            return self._lines.scrollable_content_region.width

        listed = ColumnList(
            "Columns of the records",
            COLUMNS,
            default_record_columns(width()),
            lambda chosen: place_record_columns(width(), chosen),
            self._lines.choose_columns,
        )
        chosen = await self.app.push_screen_wait(ColumnChooser(listed, self._lines.chosen))
        if chosen is not None:
            self.post_message(ColumnsChosen("record_columns", chosen))
