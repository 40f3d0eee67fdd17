"""Keeps the lines of the log up to date: runs the search, looks for news, reads the rows that come into sight.

It looks ten times a second while things happen, and less and less often, down to once a second, while nothing does.
Nothing is drawn again when nothing changed. A journal that cannot be read is told and tried again; what is shown stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic

from sprig_tui.console.deliveries.log_lines import LogLines
from sprig_tui.console.deliveries.search import Search, Step
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import Delivery

BUSY = 0.1
IDLE = 1.0
"""Seconds between two looks while things happen, and while nothing does."""
SLOWING = 1.5
TELL_EVERY = 0.25
"""Seconds between two changes of the title: its frame is painted anew with it."""
COUNT_EVERY = 1.0
SEARCH_AGAIN_AFTER = 3.0
"""Seconds between two searches from the start, where more changed than could be followed."""
RETRY = 2.0


class LogWatch:
    """`run` and `read_rows` run as tasks for as long as the log is there."""

    def __init__(
        self, lines: LogLines, *, changed: Callable[[], None], selected: Callable[[Delivery, bool], None]
    ) -> None:
        """`changed` is called when the numbers that the title tells, or `trouble`, may be others.

        `selected` gets the delivery under the cursor when that is another one, and whether the person chose it: False
        where it only moved there because deliveries came or went. It gets it again when the delivery itself changed.
        """
        self._lines = lines
        self._changed = changed
        self._selected = selected
        self._stirred = asyncio.Event()
        self._asked: Search | None = None
        self._keep = False
        self._asked_by_person = False
        self._next: Search | None = None
        """A search from the start that is to take the place of the present one when it is complete."""
        self._next_after = 0.0
        self._count_after = 0.0
        self._tell_after = 0.0
        self._untold = False
        self._wanted_row = 0
        self._wanted_by_person = False
        self._told_row: Delivery | None = None
        self._reread = False
        self.trouble = ""
        """Why the journal cannot be read; empty when it can."""

    @property
    def search(self) -> Search | None:
        """What is shown."""
        return self._lines.search

    def ask(self, journal: Journal, query: Query = MATCH_ALL, *, keep: bool = False, by_person: bool = False) -> None:
        """Show what matches; with `keep` the cursor stays on its delivery; `by_person` as in `selected`."""
        self._asked, self._keep, self._next = Search(journal, query), keep, None
        self._asked_by_person = by_person
        self.stir()

    def stir(self) -> None:
        """Something happened: look now."""
        self._stirred.set()

    def select(self, delivery_id: int, *, by_person: bool = True) -> None:
        """Tell the row of this delivery as soon as it is read; one that the person chose stays one."""
        self._wanted_by_person = by_person or (self._wanted_by_person and self._wanted_row != 0)
        self._wanted_row = delivery_id
        self._lines.wanted.set()

    @property
    def behind(self) -> bool:
        """Whether what the person asked for last is not shown yet."""
        return self._asked_by_person or (self._lines.untold and self._lines.selected > 0)

    # -- the two tasks -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Search and look for news, for ever."""
        pause = BUSY
        while True:
            try:
                quiet, resting = await self._turn()
            except JournalError as error:
                self._set_trouble(f"cannot read the journal: {error.message}; trying again")
                quiet, resting, pause = False, True, RETRY
            else:
                self._set_trouble("")
                pause = min(pause * SLOWING, IDLE) if quiet else BUSY
            if resting:
                await self._rest(pause)

    async def _turn(self) -> tuple[bool, bool]:
        """One look; returns whether nothing happened, and whether there is nothing more to do now."""
        if (asked := self._asked) is not None:
            await asked.begin()
            if asked is self._asked:
                self._asked = None
                self._show(asked, keep=self._keep)
            return False, False
        search = self.search
        if search is None:
            return True, True
        step = await search.step()
        if step.moved and self._lines.following:
            # what will be in sight is read first, so that each look is painted once
            await search.read(one for one in self._lines.newest() if search.row(one) is None)
        self._take(search, step)
        searching = await self._look_on(search)
        self._untold = self._untold or not step.quiet or searching
        if self._untold and self._asked is None and monotonic() >= self._tell_after:
            self._untold, self._tell_after = False, monotonic() + TELL_EVERY
            await self._count(search)
            self._changed()
            self._tell_if_moved(search)
        return step.quiet and not self._untold, not searching and self._asked is None

    async def _look_on(self, search: Search) -> bool:
        """Go on with a search that is not complete; returns whether there was one."""
        if not search.matches.complete:
            if await search.look_on() and search is self.search:
                self._lines.settle()
            return not search.matches.complete
        if search.stale and self._next is None and monotonic() >= self._next_after:
            self._next = Search(search.journal, search.query)
            await self._next.begin()
        following = self._next
        if following is None:
            return False
        if not following.matches.complete:
            await following.look_on()
        elif self._asked is None:
            self._next = None
            self._show(following, keep=True)
        return True

    async def read_rows(self) -> None:
        """Read rows as they come into sight, for ever."""
        while True:
            await self._lines.wanted.wait()
            self._lines.wanted.clear()
            search = self.search
            if search is None:
                continue
            again, self._reread = self._reread, False
            ids = self._lines.seen() if again else [one for one in self._lines.around() if not self._known(search, one)]
            if self._wanted_row and search.row(self._wanted_row) is None:
                ids.append(self._wanted_row)
            try:
                changed = await search.read(ids) if ids else []
            except JournalError as error:
                self._set_trouble(f"cannot read the journal: {error.message}; trying again")
                await asyncio.sleep(RETRY)
                self._lines.wanted.set()
                continue
            if search is self.search:
                self._lines.redraw(changed)
            self._tell_wanted(search)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _show(self, search: Search, *, keep: bool) -> None:
        self._next_after = monotonic() + SEARCH_AGAIN_AFTER
        self._lines.show(search, keep=keep)
        self._lines.wanted.set()
        by_person, self._asked_by_person = self._asked_by_person, False
        if by_person and self._lines.selected:
            self._lines.untold = True
            self.select(self._lines.selected)
        else:
            self._tell_if_moved(search)
        self._changed()

    def _take(self, search: Search, step: Step) -> None:
        if search is not self.search or step.quiet:
            return
        self._lines.arrived(step.arrived)
        if step.moved:
            self._lines.settle()
        self._lines.redraw(step.changed)
        if step.reread:
            self._reread = True
            self._lines.wanted.set()

    async def _count(self, search: Search) -> None:
        if monotonic() >= self._count_after:
            self._count_after = monotonic() + COUNT_EVERY
            await search.count()
        else:
            search.total = max(search.total, len(search.matches))

    def _tell_if_moved(self, search: Search) -> None:
        """The delivery under the cursor may be another one, or another than it was, without a key pressed."""
        chosen = self._lines.selected
        row = search.row(chosen) if chosen else None
        if chosen and not self._wanted_row and row != self._told_row:
            self.select(chosen, by_person=False)

    def _tell_wanted(self, search: Search) -> None:
        row = search.row(self._wanted_row) if self._wanted_row else None
        if self._wanted_row and search.is_gone(self._wanted_row):
            self._wanted_row, self._lines.untold = 0, False
        elif row is not None:
            by_person, self._wanted_by_person = self._wanted_by_person, False
            self._wanted_row, self._told_row = 0, row
            self._selected(row, by_person)

    def _set_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._changed()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), seconds)
        self._stirred.clear()

    @staticmethod
    def _known(search: Search, delivery_id: int) -> bool:
        return search.row(delivery_id) is not None or search.is_gone(delivery_id)
