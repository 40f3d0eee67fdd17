"""Listing: shows the list of records in place of the record or beside it, and keeps both at the same record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.record_browser import RecordRef
from sprig_tui.console.payload.records.record_list import RecordList
from sprig_tui.errors import InputError

if TYPE_CHECKING:
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.sprig.records import Record

BESIDE_MIN_CELLS = 118
"""Width of the pane from which the list of records stands beside the record."""
MAX_SENT_BYTES = 64_000_000
"""Size of the marked records that are read into memory to be sent."""


class MarkedRecords:
    """The marked records as they are sent, and the places of those that were edited."""

    def __init__(self, records: tuple[Record, ...], edits: tuple[RecordRef | None, ...]) -> None:
        self.records = records
        self.edits = edits


class RecordListing:
    """The list of a Payload pane, which mounts it when it is first shown."""

    def __init__(self, pane: PayloadInspector, records: RecordList) -> None:
        self._pane = pane
        self.records = records
        self.shown = False
        """Whether the records are listed, in place of the record or beside it."""
        self._is_behind = False
        """Whether escape shows the list again."""
        self._target: int | None = None
        """The record that the list asked for last; None where another command moved since."""

    @property
    def is_beside(self) -> bool:
        """Whether there is room for the list beside the record."""
        return self._pane.size.width >= BESIDE_MIN_CELLS

    @property
    def hides_record(self) -> bool:
        """Whether the list is shown in place of the record."""
        return self.shown and not self.is_beside

    @property
    def filtered(self) -> int | None:
        """The number of records that the filter of the list shows; None where all are listed, or none."""
        return self.records.lines.count if self.shown and self.records.filter else None

    @property
    def sends_marked(self) -> bool:
        """Whether the marked records are sent, not the one shown; beside the list that has the focus, it is sent."""
        in_list = self.hides_record or self._pane.screen.focused is self.records.lines
        return self.shown and in_list and bool(self.records.lines.marks)

    @property
    def has_focus(self) -> bool:
        """Whether the list is shown and has the focus."""
        return self.shown and self.records.lines.has_focus

    @property
    def is_ahead(self) -> bool:
        """Whether the list, which has the focus, selects another record than the one shown."""
        navigator = self._pane.navigator
        if navigator.browser is None or not self.has_focus:
            return False
        return not navigator.in_view or navigator.browser.number != self.records.selected

    @property
    def goes_back(self) -> bool:
        """Whether escape leads from the record to the list."""
        return self._is_behind or (self.shown and self._pane.lines.has_focus)

    async def toggle(self) -> None:
        """List the records, or show the record alone again."""
        browser = self._pane.navigator.browser
        if browser is None:
            return
        if not self.records.is_attached:
            await self._pane.mount(self.records, before=self._pane.lines)
        self.records.show_file(browser.file, browser.number)
        self._show(not self.shown)
        if self.shown:
            self.records.go_to(browser.number)

    def go_back(self) -> None:
        """Show the list as it was, with the cursor on the record shown."""
        navigator = self._pane.navigator
        if self.shown:
            self.records.focus()
        else:
            self._show(True)
        if navigator.browser is not None and navigator.in_view:
            self.records.go_to(navigator.browser.number)
        self.records.post_moved_again()

    def follow(self, event: RecordList.Moved) -> None:
        """Show the record under the cursor of the list; enter shows it alone."""
        opened = isinstance(event, RecordList.Opened)
        navigator = self._pane.navigator
        if navigator.browser is None or not (opened or self.shown):
            return
        self._target = event.number
        if not navigator.in_view or navigator.browser.number != event.number:
            navigator.go_to(event.number)
        if opened and self.is_beside:
            self._pane.lines.focus()
            self._pane.refresh_bindings()
        elif opened:
            self._show(False, behind=True)

    def leave_record(self) -> None:
        """A command other than the list's moves to another record: the list goes along."""
        self._target = None

    def step(self, step: int) -> bool:
        """Move to the next record (1) or the previous one (-1) of a filtered list; False where no list is filtered."""
        navigator, search = self._pane.navigator, self.records.search
        browser = navigator.browser
        if search is None or browser is None or browser.problems is not None or not (self.shown or self._is_behind):
            return False
        number = search.neighbour(navigator.target, step) if navigator.in_view else browser.number
        if number is not None:
            navigator.go_to(number)
        elif step > 0 and not search.complete:
            notify(self._pane.app, "no more matches yet: the file is still searched")
        elif step < 0 and not search.complete:
            notify(self._pane.app, "this is the first match; the last is not known yet: the file is still searched")
        elif len(search.numbers) == 1:
            notify(self._pane.app, "this is the only record that the list's filter matches")
        elif search.numbers:
            notify(self._pane.app, f"on from the {'first' if step > 0 else 'last'} match")
            navigator.go_to(search.numbers[0 if step > 0 else -1])
        else:
            notify(self._pane.app, "no record matches the list's filter")
        return True

    def on_record(self, number: int) -> None:
        """A record of the open file is shown."""
        browser = self._pane.navigator.browser
        if browser is not None and self.records.is_mounted:
            self.records.show_file(browser.file, number)
            if self._target is None:
                self.records.go_to(number)

    def on_delivery(self) -> None:
        """A delivery of the log is shown, which the list must not hide."""
        self._target = None
        if self.hides_record:
            self._show(False)

    def fit(self) -> None:
        """Lay out list and record for the width."""
        self._pane.set_class(self.shown, "-listing")
        self._pane.set_class(self.shown and self.is_beside, "-beside")
        self.records.set_class(self.shown and self.is_beside, "-beside")
        self._pane.post_message(self._pane.LaidOut())
        self._pane.call_after_refresh(self._pane.presenter.update_head)

    def reassess(self, number: int | None = None) -> None:
        """Assess one record again, or all."""
        if not self.records.is_mounted:
            return
        if number is None:
            self.records.reassess()
        else:
            self.records.reassess_record(number)

    async def read_marked(self) -> MarkedRecords | None:
        """The marked records, as edited; None, with a notice, where they cannot be sent."""
        browser, app = self._pane.navigator.browser, self._pane.app
        numbers = self.records.marked
        if browser is None:
            return None
        try:
            records = await asyncio.to_thread(browser.file.read_many, numbers, MAX_SENT_BYTES)
        except InputError as error:
            notify_error(app, error)
            return None
        if records is None:
            size = MAX_SENT_BYTES // 1_000_000
            notify_warning(app, f"the marked records are larger than {size} MB: mark fewer, or send the file")
            return None
        marked: list[Record] = []
        edits: list[RecordRef | None] = []
        for number, record in zip(numbers, records, strict=True):
            edited = self._pane.editing.peek(number, record)
            marked.append(edited or record)
            edits.append(RecordRef(browser.file.sources, number) if edited is not None else None)
        return MarkedRecords(tuple(marked), tuple(edits))

    def _show(self, shown: bool, *, behind: bool = False) -> None:
        self.shown = shown
        self._is_behind = behind
        had_focus = self._pane.has_focus_within
        self.fit()
        if had_focus:
            self._pane.focus()
        self._pane.presenter.update_title()
        self._pane.presenter.update_head()
        self._pane.refresh_bindings()
