"""Candidate ranges: stretches of ids in the database that a search has to read, by the kept counts of their blocks."""

from __future__ import annotations

from typing import Self

import asyncpg

from sprig_tui.journal.block_counts import BLOCK_IDS
from sprig_tui.journal.block_filter import BlockFilter
from sprig_tui.journal.query import Query

_SELECT_KEPT = (
    "SELECT k.block, k.content FROM kept_counts k WHERE k.block BETWEEN $1 AND $2"
    " AND NOT EXISTS (SELECT 1 FROM stale_counts s WHERE s.block = k.block)"
)


class CandidateRanges:
    """The ranges for one query, as the counts are now: what changes later is found by its change."""

    def __init__(self, connection: asyncpg.Connection, block_filter: BlockFilter | None) -> None:
        self._connection = connection
        self._filter = block_filter

    @classmethod
    async def of_query(cls, connection: asyncpg.Connection, query: Query) -> Self:
        """Read what is needed to judge blocks by this query."""
        if not BlockFilter.helps(query):
            return cls(connection, None)
        places = await connection.fetch("SELECT id, name, endpoint FROM environments")
        surveys = await connection.fetch("SELECT number, survey FROM counted_surveys")
        numbered = {row[0]: (row[1], row[2]) for row in places}
        return cls(connection, BlockFilter(query, numbered, {row[0]: row[1] for row in surveys}))

    async def within(self, low: int, high: int, *, older: bool = False) -> list[tuple[int, int]]:
        """The ranges from `low` to `high`, with `older` from the newest on."""
        if self._filter is None:
            return [(low, high)]
        kept = await self._connection.fetch(_SELECT_KEPT, low // BLOCK_IDS, high // BLOCK_IDS)
        return self._filter.ranges([(row[0], row[1]) for row in kept], low, high, older=older)
