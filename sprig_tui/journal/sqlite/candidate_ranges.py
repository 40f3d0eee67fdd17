"""Candidate ranges: stretches of ids in the file that a search has to read, by the kept counts of their blocks."""

from __future__ import annotations

import sqlite3

from sprig_tui.journal.block_counts import BLOCK_IDS
from sprig_tui.journal.block_filter import BlockFilter
from sprig_tui.journal.query import Query

_SELECT_KEPT = (
    "SELECT k.block, k.content FROM kept_counts k WHERE k.block BETWEEN ? AND ?"
    " AND NOT EXISTS (SELECT 1 FROM stale_counts s WHERE s.block = k.block)"
)


class CandidateRanges:
    """The ranges for one query, as the counts are now: what changes later is found by its change."""

    def __init__(self, connection: sqlite3.Connection, query: Query) -> None:
        self._connection = connection
        self._filter: BlockFilter | None = None
        if BlockFilter.helps(query):
            places = {
                number: (name, endpoint)
                for number, name, endpoint in connection.execute("SELECT id, name, endpoint FROM environments")
            }
            surveys = dict(connection.execute("SELECT number, survey FROM counted_surveys").fetchall())
            self._filter = BlockFilter(query, places, surveys)

    def within(self, low: int, high: int, *, older: bool = False) -> list[tuple[int, int]]:
        """The ranges from `low` to `high`, with `older` from the newest on."""
        if self._filter is None:
            return [(low, high)]
        kept = self._connection.execute(_SELECT_KEPT, (low // BLOCK_IDS, high // BLOCK_IDS)).fetchall()
        return self._filter.ranges(kept, low, high, older=older)
