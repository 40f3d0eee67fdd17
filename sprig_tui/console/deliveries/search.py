"""Delivery search: the ids that match a filter, a cache of rows, and updates.

Independent of the screen. Each method makes one short query, so that other readers of the journal never wait long; the
caller decides when to query again. `MatchIndex` holds a million ids in arrays.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable

from msgspec import Struct

from sprig_tui.journal.base import Journal
from sprig_tui.journal.origins import origins_of
from sprig_tui.journal.query import MATCH_ALL, Query, Term
from sprig_tui.journal.records import Delivery

_MAX_LIST_IDS = 8
"""Up to about this many removals cost less than building the array again."""


class MatchIndex:
    """Matching ids by position, in order of arrival; position 0 is the oldest known match."""

    def __init__(self, *, newest: int = 0) -> None:
        """`newest`: the id where the search begins; larger ids count as new."""
        self._older: array[int] | range = array("q")
        self._newer: array[int] = array("q")
        self._initial_newest = newest
        self.complete = False
        """Whether the search has reached the oldest delivery."""

    @classmethod
    def of_everything(cls, oldest: int, newest: int) -> MatchIndex:
        """The index of a journal without gaps."""
        index = cls(newest=newest)
        index._older = range(newest, oldest - 1, -1)
        index.complete = True
        return index

    def __len__(self) -> int:
        return len(self._older) + len(self._newer)

    def __getitem__(self, position: int) -> int:
        """The id at a position from 0."""
        older = len(self._older)
        return self._older[older - 1 - position] if position < older else self._newer[position - older]

    def slice(self, first: int, last: int) -> list[int]:
        """Ids at positions `first` to `last - 1`, clipped to the index."""
        older = len(self._older)
        first, last = max(0, first), min(last, len(self))
        # the older ones are in reverse order
        ids = list(self._older[max(0, older - last) : max(0, older - first)])
        ids.reverse()
        return [*ids, *self._newer[max(0, first - older) : max(0, last - older)]]

    def position(self, delivery_id: int) -> int:
        """The position of an id, or where it would be inserted."""
        older = len(self._older)
        if delivery_id > self._initial_newest:
            return older + bisect_left(self._newer, delivery_id)
        if isinstance(self._older, range):
            return min(max(0, delivery_id - self._older.stop - 1), older)
        return older - bisect_right(self._older, -delivery_id, key=lambda known: -known)

    def __contains__(self, delivery_id: object) -> bool:
        if not isinstance(delivery_id, int):
            return False
        position = self.position(delivery_id)
        return position < len(self) and self[position] == delivery_id

    @property
    def newest(self) -> int:
        """The largest id; 0 for none."""
        return self[len(self) - 1] if len(self) else 0

    def add_older(self, ids: Iterable[int]) -> None:
        """Add matches of the search, newest first, all older than those before."""
        self._mutable_older().extend(ids)

    def add_newer(self, ids: Iterable[int]) -> int:
        """Add new matches, oldest first; returns how many were not known."""
        before = len(self._newer)
        newest = max(self._initial_newest, self._newer[-1] if before else 0)
        self._newer.extend(delivery_id for delivery_id in ids if delivery_id > newest)
        return len(self._newer) - before

    def insert(self, delivery_id: int) -> bool:
        """Add a delivery that matches now, at its position; returns False if it was known."""
        if delivery_id in self:
            return False
        position = self.position(delivery_id)
        older = len(self._older)
        if delivery_id > self._initial_newest:
            self._newer.insert(position - older, delivery_id)
        else:
            self._mutable_older().insert(older - position, delivery_id)
        return True

    def remove(self, ids: Iterable[int]) -> int:
        """Remove deliveries that no longer match; returns how many were known."""
        gone = [delivery_id for delivery_id in ids if delivery_id in self]
        if len(gone) <= _MAX_LIST_IDS:
            for delivery_id in gone:
                position = self.position(delivery_id)
                if delivery_id <= self._initial_newest:
                    del self._mutable_older()[len(self._older) - 1 - position]
                else:
                    del self._newer[position - len(self._older)]
        else:
            without = set(gone)
            self._older = array("q", (kept for kept in self._older if kept not in without))
            self._newer = array("q", (kept for kept in self._newer if kept not in without))
        return len(gone)

    def _mutable_older(self) -> array[int]:
        if not isinstance(self._older, array):
            self._older = array("q", self._older)
        return self._older


INITIAL_ROWS = 200
"""Matches to find before the first page is shown."""
INITIAL_BUDGET_MS = 30
"""Time limit of the first query."""
CHUNK_ROWS = 20_000
"""Matches per later query."""
CHUNK_BUDGET_MS = 30
"""Time limit of later queries, since the engine uses the same readers."""
MAX_CHANGES = 200
"""Changed rows reported one by one; after more, the rows in view are read again."""
MAX_CACHED_ROWS = 4_000
"""Cached rows; the ones cached first are dropped first."""


class PollResult(Struct, frozen=True):
    """Result of a poll for changes."""

    new_matches: int = 0
    """New deliveries that match."""
    changed: tuple[int, ...] = ()
    """Ids of rows to draw again."""
    reread_visible: bool = False
    """Too many changes to report: read the rows in view again."""
    positions_changed: bool = False
    """Whether matches were added or removed."""

    @property
    def is_empty(self) -> bool:
        return self == _NOTHING_NEW


_NOTHING_NEW = PollResult()


class DeliverySearch:
    """The deliveries that match `query`. Methods that query the journal raise JournalError."""

    def __init__(self, journal: Journal, query: Query) -> None:
        self.journal = journal
        self.query = query
        self.matches = MatchIndex()
        self.total = 0
        """Deliveries in the journal."""
        self.needs_restart = False
        """Whether missed changes may have affected which rows match: search again."""
        self.started = False
        self._rows: dict[int, Delivery] = {}
        self._removed_ids: set[int] = set()
        self._cursor = ""
        self._newest_id = 0
        """Newest id that was searched."""
        self._start_id = 0
        self._oldest_id = 0
        """Oldest id that was searched."""
        self._has_more_changes = False

    # -- search --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Find the newest matches."""
        # the cursor is read first, so that `poll` reports what changes meanwhile
        self._cursor = (await self.journal.changes()).cursor
        await self.count()
        newest = (await self.journal.ids(MATCH_ALL, limit=1)).ids
        self._newest_id = self._start_id = newest[0] if newest else 0
        self._oldest_id = self._newest_id + 1
        self.matches = MatchIndex(newest=self._newest_id)
        if not self.query.terms and await self._is_dense():
            return
        await self._search_older(INITIAL_ROWS, INITIAL_BUDGET_MS)

    async def _is_dense(self) -> bool:
        """Whether the ids have no gaps; then no search is needed."""
        oldest = (await self.journal.ids(MATCH_ALL, limit=1, direction="newer")).ids
        if not oldest or self._newest_id - oldest[0] + 1 != self.total:
            return False
        self.matches = MatchIndex.of_everything(oldest[0], self._newest_id)
        self._oldest_id = oldest[0]
        self.started = True
        return True

    async def search_more(self) -> int:
        """Search older deliveries; returns how many matches were found."""
        return await self._search_older(CHUNK_ROWS, CHUNK_BUDGET_MS)

    async def _search_older(self, limit: int, budget_ms: int) -> int:
        result = await self.journal.ids(self.query, cursor=self._oldest_id, limit=limit, budget_ms=budget_ms)
        self._oldest_id = result.reached
        self.matches.add_older(result.ids)
        self.matches.complete = not result.more
        self.started = True
        return len(result.ids)

    @property
    def searched(self) -> float:
        """Searched share of the journal, 0 to 1."""
        if self.matches.complete or not self._start_id:
            return 1.0
        return (self._start_id - self._oldest_id + 1) / self._start_id

    async def count(self) -> None:
        """Update `total`."""
        counts = await self.journal.counts()
        self.total = sum(sum(states.values()) for states in counts.by_environment.values())

    # -- changes -------------------------------------------------------------------------------------------------------

    async def poll(self) -> PollResult:
        """Apply the changes since the last poll."""
        changes = await self.journal.changes(self._cursor, limit=MAX_CHANGES)
        if changes.overflow or self._has_more_changes:
            step = await self._catch_up()
        elif changes.deliveries:
            step = await self._merge_new([*changes.deliveries, *await origins_of(self.journal, changes.deliveries)])
        else:
            step = _NOTHING_NEW
        self._cursor = changes.cursor
        return step

    async def _merge_new(self, deliveries: Collection[Delivery]) -> PollResult:
        matching = deliveries
        if self.query.terms:
            matching = await self.journal.get_many([delivery.id for delivery in deliveries], self.query)
        matching_ids = {delivery.id for delivery in matching}
        gone = self.matches.remove([delivery.id for delivery in deliveries if delivery.id not in matching_ids])
        arrived = inserted = 0
        changed: list[int] = []
        for delivery in matching:
            if delivery.id < self._oldest_id:
                continue  # the search has yet to reach it
            changed.append(delivery.id)
            self._cache(delivery)
            if self.matches.insert(delivery.id):
                inserted += 1
                arrived += delivery.id > self._newest_id
        self._newest_id = max(self._newest_id, *(delivery.id for delivery in deliveries))
        return PollResult(arrived, tuple(changed), positions_changed=bool(gone or inserted))

    async def _catch_up(self) -> PollResult:
        """Add new matches only; which older deliveries changed is unknown."""
        result = await self.journal.ids(
            self.query, cursor=self._newest_id, limit=CHUNK_ROWS, direction="newer", budget_ms=CHUNK_BUDGET_MS
        )
        self._has_more_changes = result.more
        self._newest_id = max(self._newest_id, result.reached)
        arrived = self.matches.add_newer(result.ids)
        self.needs_restart = self.needs_restart or bool(self.query.terms)
        return PollResult(arrived, reread_visible=True, positions_changed=arrived > 0)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def row(self, delivery_id: int) -> Delivery | None:
        """A cached row; None if it was not read."""
        return self._rows.get(delivery_id)

    def is_removed(self, delivery_id: int) -> bool:
        """Whether the delivery is no longer in the journal."""
        return delivery_id in self._removed_ids

    async def read(self, ids: Iterable[int]) -> list[int]:
        """Read these rows into the cache; returns the ids of those that changed."""
        wanted = list(ids)
        rows = await self.journal.get_many(wanted)
        changed = [row.id for row in rows if self._rows.get(row.id) != row]
        for row in rows:
            self._cache(row)
        missing = set(wanted).difference(row.id for row in rows) - self._removed_ids
        for missing_id in missing:
            self._rows.pop(missing_id, None)
        self._removed_ids |= missing
        return [*changed, *missing]

    def _cache(self, row: Delivery) -> None:
        self._rows.pop(row.id, None)
        self._rows[row.id] = row
        while len(self._rows) > MAX_CACHED_ROWS:
            del self._rows[next(iter(self._rows))]

    async def next_failed_around(self, after: int, *, older: bool) -> tuple[int, bool]:
        """As `next_failed`, from the other end after the last one; and whether it went there."""
        if failed_id := await self.next_failed(after, older=older):
            return failed_id, False
        return await self.next_failed(0, older=older), True

    async def next_failed(self, after: int, *, older: bool) -> int:
        """Id of the next failed match after (or before, with `older`) a delivery; 0 for none."""
        query = self.query.narrowed(Term("status", "failed"))
        result = await self.journal.ids(query, cursor=after, limit=1, direction="older" if older else "newer")
        return result.ids[0] if result.ids and result.ids[0] in self.matches else 0
