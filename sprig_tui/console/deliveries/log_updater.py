"""Log updater: runs the search, polls for changes, and reads the rows that come into view.

It polls ten times a second while things happen, and backs off to once a second while nothing does. Unchanged rows are
not drawn again. When the journal cannot be read, the error is shown, the rows stay, and reading is retried.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic

from sprig_tui.console.deliveries.log_lines import LogLines, LogPosition
from sprig_tui.console.deliveries.row_format import question_text
from sprig_tui.console.deliveries.search import DeliverySearch, PollResult
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import Delivery

LOG_ACTIVE_POLL_S = 0.1
LOG_IDLE_POLL_S = 1.0
"""Seconds between two polls while things happen, and while nothing does."""
POLL_BACKOFF_FACTOR = 1.5
UPDATE_INTERVAL_S = 0.25
"""Seconds between two updates of the title, which repaint the whole frame."""
COUNT_INTERVAL_S = 1.0
SEARCH_RETRY_S = 3.0
"""Seconds between two full searches, which follow when too many changes were missed."""
ERROR_RETRY_S = 2.0


class LogUpdater:
    """`run` and `read_rows` run as tasks while the log is mounted."""

    def __init__(
        self, lines: LogLines, *, on_change: Callable[[], None], on_selected: Callable[[Delivery, bool], None]
    ) -> None:
        """`on_change` is called when the numbers of the title, or `trouble`, may have changed.

        `on_selected` gets the delivery under the cursor when it is another one or was updated, and whether the user
        chose it: False when the cursor moved only because deliveries were added or removed.
        """
        self._lines = lines
        self._on_change = on_change
        self._on_selected = on_selected
        self._wakeup = asyncio.Event()
        self._requested: DeliverySearch | None = None
        self._keep_cursor = False
        self._requested_position: LogPosition | None = None
        self._requested_by_person = False
        self._replacement: DeliverySearch | None = None
        """A full search that replaces the present one when it is complete."""
        self._next_search_at = 0.0
        self._next_count_at = 0.0
        self._next_update_at = 0.0
        self._update_pending = False
        self._wanted_row = 0
        self._wanted_by_person = False
        self._posted_row: Delivery | None = None
        self._shown = asyncio.Event()
        self._reread_visible = False
        self.trouble = ""
        """Why the journal cannot be read; empty while it can."""

    @property
    def search(self) -> DeliverySearch | None:
        """The search that is shown."""
        return self._lines.search

    def set_filter(
        self,
        journal: Journal,
        query: Query = MATCH_ALL,
        *,
        keep: bool = False,
        position: LogPosition | None = None,
        by_person: bool = False,
    ) -> None:
        """Show what matches; with `keep` the cursor stays on its delivery; `by_person`: the user asked for it.

        `position` is where to show it.
        """
        self._requested, self._keep_cursor, self._replacement = DeliverySearch(journal, query), keep, None
        self._requested_position = position
        self._requested_by_person = by_person
        self._lines.is_replaced = True
        self.wake()

    def choose(self) -> None:
        """The user chose what is shown, or is about to be: report the delivery under the cursor as chosen."""
        if self._requested is not None:
            self._requested_by_person = True
        elif self._lines.selected:
            self._lines.choose()
            self.select(self._lines.selected)

    async def wait_until_shown(self) -> None:
        """Wait until the rows of the filter that was asked for last are shown."""
        while self._requested is not None:
            self._shown.clear()
            await self._shown.wait()

    def wake(self) -> None:
        """Poll now."""
        self._wakeup.set()

    def select(self, delivery_id: int, *, by_person: bool = True) -> None:
        """Report this delivery to `on_selected` once it is read; a choice of the user stays one."""
        self._wanted_by_person = by_person or (self._wanted_by_person and self._wanted_row != 0)
        self._wanted_row = delivery_id
        self._lines.rows_wanted.set()

    @property
    def is_selected_stale(self) -> bool:
        """Whether what the user chose last is not shown yet."""
        return self._requested_by_person or (self._lines.has_unshown_choice and self._lines.selected > 0)

    @property
    def is_behind(self) -> bool:
        """Whether another filter was asked for than the one that is shown, and the journal cannot be read now."""
        return self._requested is not None and bool(self.trouble)

    # -- the two tasks -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Search and poll until cancelled."""
        pause = LOG_ACTIVE_POLL_S
        while True:
            try:
                quiet, resting = await self._update()
            except JournalError as error:
                self._set_trouble(f"cannot read the journal: {error.message}; retrying")
                quiet, resting, pause = False, True, ERROR_RETRY_S
            else:
                self._set_trouble("")
                pause = min(pause * POLL_BACKOFF_FACTOR, LOG_IDLE_POLL_S) if quiet else LOG_ACTIVE_POLL_S
            if resting:
                await self._wait_for_work(pause)

    async def _update(self) -> tuple[bool, bool]:
        """Poll once; returns whether nothing happened, and whether there is nothing more to do now."""
        if (requested := self._requested) is not None:
            await requested.start()
            if requested is self._requested:
                self._requested, self._lines.is_replaced = None, False
                self._show_rows(requested, keep=self._keep_cursor, position=self._requested_position)
            return False, False
        search = self.search
        if search is None:
            return True, True
        step = await search.poll()
        if step.positions_changed and self._lines.following:
            # rows that will be in view are read first, so that each poll is painted once
            newest = self._lines.newest_ids()
            await search.read(delivery_id for delivery_id in newest if search.row(delivery_id) is None)
        self._apply_poll(search, step)
        searching = await self._search_more(search)
        self._update_pending = self._update_pending or not step.is_empty or searching
        if self._update_pending and self._requested is None and monotonic() >= self._next_update_at:
            self._update_pending, self._next_update_at = False, monotonic() + UPDATE_INTERVAL_S
            await self._count(search)
            self._on_change()
            self._notify_if_moved(search)
        return step.is_empty and not self._update_pending, not searching and self._requested is None

    async def _search_more(self, search: DeliverySearch) -> bool:
        """Continue an incomplete search; returns whether there was one to continue."""
        if not search.matches.complete:
            if await search.search_more() and search is self.search:
                self._lines.restore_position()
            return True  # the last part changes the title too
        if search.needs_restart and self._replacement is None and monotonic() >= self._next_search_at:
            self._replacement = DeliverySearch(search.journal, search.query)
            await self._replacement.start()
        replacement = self._replacement
        if replacement is None:
            return False
        if not replacement.matches.complete:
            await replacement.search_more()
        elif self._requested is None:
            self._replacement = None
            self._show_rows(replacement, keep=True)
        return True

    async def read_rows(self) -> None:
        """Read rows as they come into view, until cancelled."""
        while True:
            await self._lines.rows_wanted.wait()
            self._lines.rows_wanted.clear()
            search = self.search
            if search is None:
                continue
            # before rows that may come into view next: one frame shows both the cursor and the payload
            self._select_wanted(search)
            reread, self._reread_visible = self._reread_visible, False
            ids = (
                self._lines.visible_ids()
                if reread
                else [row_id for row_id in self._lines.surrounding_ids() if not self._is_loaded(search, row_id)]
            )
            if self._wanted_row and search.row(self._wanted_row) is None:
                ids.append(self._wanted_row)
            try:
                changed = await search.read(ids) if ids else []
            except JournalError as error:
                self._set_trouble(f"cannot read the journal: {error.message}; retrying")
                await asyncio.sleep(ERROR_RETRY_S)
                self._lines.rows_wanted.set()
                continue
            if search is self.search:
                self._lines.redraw(changed)
            self._select_wanted(search)
            if questions := self._lines.unread_questions():
                await self._read_questions(search, questions)

    async def _read_questions(self, search: DeliverySearch, ids: list[int]) -> None:
        """Read the questions of rows in view; later where the journal cannot be read now."""
        try:
            bodies = await search.journal.bodies(ids)
        except JournalError:
            await asyncio.sleep(ERROR_RETRY_S)
            self._lines.rows_wanted.set()
            return
        for delivery_id in ids:
            self._lines.questions[delivery_id] = question_text(bodies.get(delivery_id, b""))
        if search is self.search:
            self._lines.redraw(ids)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _show_rows(self, search: DeliverySearch, *, keep: bool, position: LogPosition | None = None) -> None:
        self._next_search_at = monotonic() + SEARCH_RETRY_S
        self._lines.show_search(search, keep=keep, position=position)
        self._lines.rows_wanted.set()
        by_person, self._requested_by_person = self._requested_by_person, False
        if by_person and self._lines.selected:
            self._lines.choose()
            self.select(self._lines.selected)
        else:
            self._notify_if_moved(search)
        self._shown.set()
        self._on_change()

    def _apply_poll(self, search: DeliverySearch, result: PollResult) -> None:
        if search is not self.search or result.is_empty:
            return
        self._lines.add_new(result.new_matches)
        if result.positions_changed:
            self._lines.restore_position()
        self._lines.redraw(result.changed)
        if result.reread_visible:
            self._reread_visible = True
            self._lines.rows_wanted.set()

    async def _count(self, search: DeliverySearch) -> None:
        if monotonic() >= self._next_count_at:
            self._next_count_at = monotonic() + COUNT_INTERVAL_S
            await search.count()
        else:
            search.total = max(search.total, len(search.matches))

    def _notify_if_moved(self, search: DeliverySearch) -> None:
        """Report the delivery under the cursor if it changed without a key press."""
        delivery_id = self._lines.selected
        row = search.row(delivery_id) if delivery_id else None
        if delivery_id and not self._wanted_row and (row is None or row != self._posted_row):
            self.select(delivery_id, by_person=False)

    def _select_wanted(self, search: DeliverySearch) -> None:
        row = search.row(self._wanted_row) if self._wanted_row else None
        if self._wanted_row and search.is_removed(self._wanted_row):
            self._wanted_row, self._lines.has_unshown_choice = 0, False
        elif row is not None:
            by_person, self._wanted_by_person = self._wanted_by_person, False
            self._wanted_row, self._posted_row = 0, row
            self._on_selected(row, by_person)

    def _set_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_change()

    async def _wait_for_work(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wakeup.wait(), seconds)
        self._wakeup.clear()

    @staticmethod
    def _is_loaded(search: DeliverySearch, delivery_id: int) -> bool:
        return search.row(delivery_id) is not None or search.is_removed(delivery_id)
