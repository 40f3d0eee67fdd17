"""List of the records of an open file, with its filter, marks and searches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import var
from textual.timer import Timer

from sprig_tui.clock import Clock
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.records import COMMANDS
from sprig_tui.console.deliveries.filter_bar import FilterBar
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.records.finder import PROBLEM, RecordFinder
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.console.payload.records.record_lines import RecordHeader, RecordLines
from sprig_tui.console.payload.records.row_reader import RowReader
from sprig_tui.console.payload.records.search import RecordFilter, RecordSearch
from sprig_tui.console.payload.records.state_line import ListState, StateLine
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.errors import FilterError, InputError
from sprig_tui.journal.filter import NO_FILTERS
from sprig_tui.sprig.held_input import StoppedError

UPDATES_PER_S = 8
"""Updates per second while the file is counted or searched."""
MAX_MARKS = 10_000
"""Marked records at most: they are read into memory when they are sent."""


class RecordList(HasCommands, Vertical):
    """One line for each record of `file`; assign another file with `show_file`.

    `make_assessor` makes what says what would become of a record, for one thread.
    """

    HELP = (
        "All records of the open file, in their order: what would become of each, and why. The file is indexed while"
        " you look at it. Nothing leaves before you send it."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    saved_filters: var[Mapping[str, str]] = var(NO_FILTERS)
    """Filters of the config, for `@name`."""

    class Moved(Message):
        """The cursor is on another record, which was read."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Opened(Moved):
        """A record is to be shown field by field."""

    class Changed(Message):
        """Filter, marks or numbers changed."""

    class ReadAgain(Message):
        """The file is to be opened again."""

    def __init__(
        self,
        clock: Clock,
        make_assessor: Callable[[], RecordAssessor],
        environments: Callable[[], tuple[str, ...]],
    ) -> None:
        super().__init__(id="records")
        self._make_assessor = make_assessor
        self.file: RecordFile | None = None
        self.lines = RecordLines()
        self.filter = RecordFilter()
        """What is listed."""
        self._last_filter = RecordFilter()
        """The filter that n and N search for when all is listed."""
        self._filter_before = RecordFilter()
        self._number_before = 0
        self._search: RecordSearch | None = None
        self._rows = RowReader(self.lines, make_assessor, on_rows=self._post_moved, on_error=self._show_trouble)
        self._moved_to = -1
        """The record that `Moved` was posted for."""
        self._last_number = 0
        """The same, or before the list became empty."""
        self._awaited = -1
        """The record that the cursor goes to once the list reaches it; -1 for none."""
        self._finder = RecordFinder(
            self, make_assessor, on_found=self.go_to, on_change=self._wake, on_error=self._show_trouble
        )
        self._timer: Timer | None = None
        self._closed = False
        self.bar = FilterBar(clock.now, environments, lambda: self.saved_filters)
        self._header = RecordHeader(self.lines)
        self.state = StateLine()

    def compose(self) -> ComposeResult:
        yield self.bar
        yield self._header
        yield self.lines
        yield self.state

    def on_mount(self) -> None:
        self.bar.close()
        self._timer = self.set_interval(1 / UPDATES_PER_S, self._tick)
        self.run_worker(self._rows.run(), group="record-rows")
        self._tick()

    def on_unmount(self) -> None:
        """End the threads that still read."""
        self._closed = True
        self._rows.close()
        self._finder.stop()
        if self._search is not None:
            self._search.stop()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Focus the lines."""
        self.lines.focus(scroll_visible)
        return self

    def on_descendant_focus(self) -> None:
        """Let the pane show the record under the cursor: it may show a delivery of the log."""
        if self.lines.has_focus:
            self.post_moved_again()

    # -- what is listed ------------------------------------------------------------------------------------------------

    def show_file(self, file: RecordFile, number: int) -> None:
        """List another file, or the same one opened again, with the cursor on a record."""
        if file is self.file:
            return
        same = self.file is not None and self.file.sources == file.sources
        if same and self.lines.marks:
            notify_warning(self.app, "the marks are removed: the file was read again")
        self.file = file
        self.state.trouble = ""
        self.lines.marks = set()
        if not same:
            self.filter = self._last_filter = RecordFilter()
        self._list(self.filter, number)

    def watch_saved_filters(self) -> None:
        """List again by a filter that names a saved one, which may mean something else now."""
        if "@" not in self.filter.query.text:
            return
        try:
            query = self.bar.parse(self.filter.query.text)
        except FilterError as error:
            notify_warning(self.app, f"{error.message}: the list shows what it meant before")
        else:
            self._list(RecordFilter(query, only_problems=self.filter.only_problems), self._place)

    def reassess(self) -> None:
        """Assess all records again: rules, environments or the selected one changed."""
        self._list(self.filter, self.selected)

    def reassess_record(self, number: int) -> None:
        """Assess one record again: it was edited, or its edit undone."""
        self.lines.forget_rows([number])

    def go_to(self, number: int) -> None:
        """Put the cursor on a record, as soon as it is listed; where it is not, the cursor stays."""
        search = self._search
        if search is not None and search.has_passed(number) and number not in search:
            return
        self._awaited = number
        self._reach_awaited()
        self._wake()

    @property
    def search(self) -> RecordSearch | None:
        """What the filter matches; None where all records are listed."""
        return self._search

    def post_moved_again(self) -> None:
        """Post `Moved` for the record under the cursor, which the pane may not show."""
        self._moved_to = -1
        self._post_moved()

    @property
    def selected(self) -> int:
        """The record under the cursor, from 0; -1 for none."""
        return self.lines.selected

    @property
    def marked(self) -> list[int]:
        """Marked records in their order."""
        return sorted(self.lines.marks)

    def unmark(self) -> None:
        """Remove the marks."""
        self.lines.mark(())
        self._refresh_state()

    def _list(self, wanted: RecordFilter, number: int) -> None:
        """List what matches, with the cursor on this record or the first match."""
        if self._search is not None:
            self._search.stop()
            self._search = None
        self.filter = wanted
        self._rows.start(self.file)
        self._finder.stop()
        if self.file is None:
            return
        self.lines.forget_rows()
        self._moved_to = -1
        if wanted:
            self._last_filter = wanted
            self._search = RecordSearch(self.file, wanted)
            self.lines.list_numbers(self._search.numbers, 0, at=0)
            self.run_worker(self._run_search(self._search), group="record-search", exit_on_error=False)
        else:
            self.lines.list_numbers(None, self.file.count, at=max(number, 0))
        self._awaited = number
        self._wake()

    async def _run_search(self, search: RecordSearch) -> None:
        try:
            await asyncio.to_thread(search.run, self._make_assessor())
        except StoppedError:
            return
        except InputError as error:
            if search is self._search:
                self._show_trouble(error)
        self._tick()

    def _wake(self) -> None:
        """Update now, and go on with it while something runs."""
        if self._timer is not None and not self._closed:
            self._tick()
            self._timer.resume()

    def _tick(self) -> None:
        file = self.file
        if file is None:
            return
        self.lines.set_total(file.count)
        self._reach_awaited()
        self._refresh_state()
        searching = self._search is not None and not (self._search.complete or self.state.trouble)
        if (
            self._timer is not None
            and not searching
            and not self._finder.text
            and (file.complete or self.state.trouble)
        ):
            self._timer.pause()

    def _reach_awaited(self) -> None:
        """Put the cursor on the awaited record, or on the next match, once the list has it."""
        number, search = self._awaited, self._search
        if number < 0 or self.file is None or not self.lines.count:
            return
        if search is None:
            reached = number < self.lines.count
            at = number
        else:
            reached = search.has_passed(number)
            at = min(search.position(number), self.lines.count - 1)
        if reached:
            self._awaited = -1
            self.lines.cursor = at

    def _refresh_state(self) -> None:
        file, search = self.file, self._search
        if file is None or not self.is_mounted:
            return
        searched = search.share if search is not None else 1.0
        marked, looking = len(self.lines.marks), self._finder.text
        self.state.show_state(ListState(self.filter.text, self.lines.count, file.count, searched, marked, looking))
        complete = search is None or search.complete
        hints = ("no record matches", "/ changes the filter, escape clears it") if complete else ("searching …",)
        if hints != self.lines.hints:
            self.lines.hints = hints
            self.lines.refresh()

    def _show_trouble(self, error: InputError) -> None:
        self.state.use_error(error, self.file.sources if self.file is not None else ())
        self._refresh_state()

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _post_moved(self) -> None:
        """Post `Moved` once for each record under the cursor that was read."""
        number = self.selected
        if number != self._moved_to and self.lines.row(number) is not None:
            self._moved_to = self._last_number = number
            self.post_message(self.Moved(number))

    @on(LineList.Highlighted)
    def _on_line_highlighted(self, event: LineList.Highlighted) -> None:
        event.stop()
        if isinstance(event, LineList.Selected):
            self.action_open_record()
        else:
            if self.file is not None:
                self.file.give_way()
            self._post_moved()
            self._refresh_state()

    @on(RecordLines.Resized)
    def _on_lines_resized(self, event: RecordLines.Resized) -> None:
        event.stop()
        self._header.show_titles()
        self._wake()

    def action_choose_record_columns(self) -> None:
        self._header.choose_columns()

    # -- commands ------------------------------------------------------------------------------------------------------

    def refusal(self, action: str) -> str:
        """Also refuses what there is nothing for."""
        if reason := super().refusal(action):
            return reason
        if self.file is None or not self.display:
            return "the records are not listed: f in Payload lists them" if action in self._by_action else ""
        return ""

    def action_open_record(self) -> None:
        if self.selected >= 0:
            self.post_message(self.Opened(self.selected))

    def action_filter_records(self) -> None:
        self._filter_before, self._number_before = self.filter, self._place
        self.bar.ask(self.filter.query.text)

    @on(FilterBar.Typed)
    def _on_filter_typed(self, event: FilterBar.Typed) -> None:
        event.stop()
        self._list(RecordFilter(event.query, only_problems=self.filter.only_problems), -1)

    @on(FilterBar.Applied)
    def _on_filter_applied(self, event: FilterBar.Applied) -> None:
        event.stop()
        self.lines.focus()
        wanted = RecordFilter(event.query, only_problems=self.filter.only_problems)
        if wanted != self.filter:
            self._list(wanted, -1)

    @on(FilterBar.Rejected)
    def _on_filter_rejected(self, event: FilterBar.Rejected) -> None:
        event.stop()
        if self.filter != self._filter_before:
            self._list(self._filter_before, self._number_before)

    @on(FilterBar.Left)
    def _on_filter_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.lines.focus()
        if self.filter != self._filter_before:
            self._list(self._filter_before, self._number_before)

    def action_clear_records(self) -> None:
        if self._finder.text:
            self._finder.stop()
        elif self.lines.marks:
            self.unmark()
        elif self.filter:
            self._list(RecordFilter(), self._place)

    def action_list_troubled(self) -> None:
        wanted = RecordFilter(self.filter.query, only_problems=not self.filter.only_problems)
        self._list(wanted, self._place)

    @property
    def _place(self) -> int:
        """The record to stay at: the one under the cursor, or the last one where none is listed."""
        return self.selected if self.selected >= 0 else self._last_number

    def action_read_again(self) -> None:
        self.post_message(self.ReadAgain())

    def action_mark_record(self) -> None:
        if len(self.lines.marks) >= MAX_MARKS and self.selected not in self.lines.marks:
            notify_warning(self.app, f"{MAX_MARKS:,} records are marked, which is the most; send the file with S")
            return
        self.lines.toggle_mark()
        self._refresh_state()

    def action_mark_records(self) -> None:
        listed = {self.lines.number_at(index) for index in range(min(self.lines.count, MAX_MARKS))}
        if listed <= self.lines.marks:
            self.unmark()
            return
        if self.lines.count > MAX_MARKS:
            notify_warning(self.app, f"the first {MAX_MARKS:,} are marked, which is the most; send the file with S")
        elif self._search is not None and not self._search.complete:
            notify_warning(self.app, f"the file is still searched: the {len(listed):,} found so far are marked")
        self.lines.mark(listed)
        self._refresh_state()

    def action_next_match(self) -> None:
        self._step_match(1)

    def action_previous_match(self) -> None:
        self._step_match(-1)

    def _step_match(self, step: int) -> None:
        if self.filter:
            self._step_line(step)
        elif self._last_filter:
            self._look_for(self._last_filter, step, f"what {self._last_filter.text} matches")
        else:
            notify(self.app, "there is nothing to go to: / filters the records")

    def _step_line(self, step: int) -> None:
        """To the next line; every line is a match."""
        count = self.lines.count
        if not count:
            return
        at = (self.lines.cursor + step) % count
        if at != self.lines.cursor + step:
            done = self._search is None or self._search.complete
            if not done:
                notify(self.app, "no more matches yet: the file is still searched")
                return
            notify(self.app, f"on from the {'first' if step > 0 else 'last'} match")
        self.lines.cursor = at

    def action_next_problem(self) -> None:
        self._look_for(RecordFilter(self.filter.query, only_problems=True), 1, PROBLEM)

    def action_previous_problem(self) -> None:
        self._look_for(RecordFilter(self.filter.query, only_problems=True), -1, PROBLEM)

    def _look_for(self, wanted: RecordFilter, step: int, what: str) -> None:
        if self.file is not None and self.selected >= 0:
            self._finder.find(self.file, wanted, self.selected, step, what)
