"""`sprig-tui log --follow`: what is added or changes, as it happens."""

from __future__ import annotations

import asyncio
from typing import Self

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.filters import matches
from sprig_tui.cli.log_lines import OutputFormat, write_deliveries
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.query import Query

FOLLOW_POLL_INTERVAL_S = 0.25
"""Seconds between two looks for what changed."""
MAX_CHANGED_ROWS = 10_000
"""Rows that one look holds; more that were added are read page by page."""
FOLLOW_PAGE_SIZE = 1_000


class LogFollower:
    """Writes what is added or changes from when it began."""

    def __init__(self, journal: Journal, query: Query, form: OutputFormat, cursor: str, newest: int) -> None:
        self._journal = journal
        self._query = query
        self._form = form
        self._cursor = cursor
        self._newest = newest

    @classmethod
    async def start(cls, journal: Journal, query: Query, form: OutputFormat) -> Self:
        """From now on."""
        newest = (await journal.page(Query(), limit=1)).deliveries
        return cls(journal, query, form, (await journal.changes()).cursor, newest[-1].id if newest else 0)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            seen = await self.poll()
            output.flush()
            if not seen:
                await asyncio.sleep(FOLLOW_POLL_INTERVAL_S)

    async def poll(self) -> bool:
        """Write what is new; whether there was anything."""
        changes = await self._journal.changes(self._cursor, limit=MAX_CHANGED_ROWS)
        self._cursor = changes.cursor
        rows = changes.deliveries
        if changes.overflow and rows:
            # Told are the newest; what was added before them is read, so that only changes of older ones are missed.
            write_deliveries([row for row in rows if row.id <= self._newest and matches(self._query, row)], self._form)
            await self._write_added(rows[-1].id)
            diagnostics.info("more changed at once than can be followed: all that was added is shown, not every change")
        else:
            write_deliveries([row for row in rows if matches(self._query, row)], self._form)
        self._newest = max(self._newest, rows[-1].id if rows else 0)
        return bool(rows)

    async def _write_added(self, last: int) -> None:
        cursor, more = self._newest, True
        while more:
            page = await self._journal.page(self._query, cursor=cursor, limit=FOLLOW_PAGE_SIZE, direction="newer")
            write_deliveries([row for row in page.deliveries if row.id <= last], self._form)
            cursor = page.deliveries[-1].id if page.deliveries else last
            more = page.more and cursor < last
