"""One filter's view of the journal: what matches, the rows that were asked for, and what happened since.

Knows nothing of the screen. Each method is one short look into the journal, so that nobody waits long for another; the
pane decides when to look again. See `matches` for how a million deliveries are held.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable

from msgspec import Struct

from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import MATCH_ALL, Query, Term
from sprig_tui.journal.records import Delivery

_MAX_LIST_IDS = 8
"""Single removals from an array cost less than building it again up to about here."""


class MatchIndex:
    """Ids in order of arrival, by position: 0 is the oldest that is known."""

    def __init__(self, *, newest: int = 0) -> None:
        """`newest`: the search begins there; ids beyond it count as arrived since."""
        self._older: array[int] | range = array("q")
        self._newer: array[int] = array("q")
        self._initial_newest = newest
        self.complete = False
        """Whether the search has come to the oldest delivery."""

    @classmethod
    def of_everything(cls, oldest: int, newest: int) -> MatchIndex:
        """All ids of a journal that has every one of them."""
        made = cls(newest=newest)
        made._older = range(newest, oldest - 1, -1)
        made.complete = True
        return made

    def __len__(self) -> int:
        return len(self._older) + len(self._newer)

    def __getitem__(self, position: int) -> int:
        """The id at a position from 0."""
        older = len(self._older)
        return self._older[older - 1 - position] if position < older else self._newer[position - older]

    def slice(self, first: int, last: int) -> list[int]:
        """Ids at positions `first` (included) to `last` (excluded), as far as there are such."""
        return [self[position] for position in range(max(0, first), min(last, len(self)))]

    def position(self, delivery_id: int) -> int:
        """Where an id stands, or where it would: how many are older."""
        older = len(self._older)
        if delivery_id > self._initial_newest:
            return older + bisect_left(self._newer, delivery_id)
        return older - bisect_right(self._older, -delivery_id, key=lambda known: -known)

    def __contains__(self, delivery_id: object) -> bool:
        if not isinstance(delivery_id, int):
            return False
        position = self.position(delivery_id)
        return position < len(self) and self[position] == delivery_id

    @property
    def newest(self) -> int:
        """The newest id; 0 for none."""
        return self[len(self) - 1] if len(self) else 0

    def add_older(self, ids: Iterable[int]) -> None:
        """What the search found, newest first, each older than all before."""
        self._mutable_older().extend(ids)

    def add_newer(self, ids: Iterable[int]) -> int:
        """What arrived, oldest first; returns how many of them are new here."""
        before = len(self._newer)
        newest = max(self._initial_newest, self._newer[-1] if before else 0)
        self._newer.extend(one for one in ids if one > newest)
        return len(self._newer) - before

    def insert(self, delivery_id: int) -> bool:
        """One that matches since it changed, wherever it stands in time; False where it was here already."""
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
        """Those that match no longer; returns how many were here."""
        gone = [one for one in ids if one in self]
        if len(gone) <= _MAX_LIST_IDS:
            for one in gone:
                older = self._mutable_older() if one <= self._initial_newest else self._newer
                position = self.position(one)
                del older[
                    len(self._older) - 1 - position if one <= self._initial_newest else position - len(self._older)
                ]
        else:
            without = set(gone)
            self._older = array("q", (one for one in self._older if one not in without))
            self._newer = array("q", (one for one in self._newer if one not in without))
        return len(gone)

    def _mutable_older(self) -> array[int]:
        if not isinstance(self._older, array):
            self._older = array("q", self._older)
        return self._older


INITIAL_ROWS = 200
"""Matches looked for before the first screenful is shown."""
INITIAL_BUDGET_MS = 30
"""How long the first look may take."""
CHUNK_ROWS = 20_000
"""Matches asked for in one later look."""
CHUNK_BUDGET_MS = 30
"""How long one may take: the journal's readers are also what delivering waits for."""
MAX_CHANGES = 200
"""Changed rows told one by one; where more changed at once, what is in sight is read again instead."""
MAX_CACHED_ROWS = 4_000
"""Rows remembered; the oldest remembered go first."""


class PollResult(Struct, frozen=True):
    """What a look for news found."""

    new_matches: int = 0
    """Deliveries that match and are newer than all before."""
    changed: tuple[int, ...] = ()
    """Ids of remembered rows that are to be drawn again."""
    reread_visible: bool = False
    """Too much changed to tell: rows in sight are to be read again."""
    positions_changed: bool = False
    """Whether positions changed: something arrived, matches now, or matches no longer."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return self == _NOTHING_NEW


_NOTHING_NEW = PollResult()


class DeliverySearch:
    """The deliveries that match `query`, as far as they are known."""

    def __init__(self, journal: Journal, query: Query) -> None:
        self.journal = journal
        self.query = query
        self.matches = MatchIndex()
        self.total = 0
        """Deliveries in the journal, whether they match or not."""
        self.needs_restart = False
        """Whether changes were missed that may have made rows match, or no longer match: search again."""
        self.started = False
        self._rows: dict[int, Delivery] = {}
        self._removed_ids: set[int] = set()
        self._cursor = ""
        self._newest_id = 0
        """Newest id that was looked at."""
        self._start_id = 0
        self._oldest_id = 0
        """Oldest id that was looked at."""
        self._has_more_changes = False

    # -- looking back --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Find the newest matches; raises JournalError, as everything here."""
        # before everything else, so that what happens meanwhile is told by `step`
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
        """Whether no delivery was ever removed from between others; then no search is needed."""
        oldest = (await self.journal.ids(MATCH_ALL, limit=1, direction="newer")).ids
        if not oldest or self._newest_id - oldest[0] + 1 != self.total:
            return False
        self.matches = MatchIndex.of_everything(oldest[0], self._newest_id)
        self._oldest_id = oldest[0]
        self.started = True
        return True

    async def search_more(self) -> int:
        """Look further back; returns how many more were found."""
        return await self._search_older(CHUNK_ROWS, CHUNK_BUDGET_MS)

    async def _search_older(self, limit: int, budget_ms: int) -> int:
        found = await self.journal.ids(self.query, cursor=self._oldest_id, limit=limit, budget_ms=budget_ms)
        self._oldest_id = found.reached
        self.matches.add_older(found.ids)
        self.matches.complete = not found.more
        self.started = True
        return len(found.ids)

    @property
    def searched(self) -> float:
        """How much of the journal was looked through, 0 to 1."""
        if self.matches.complete or not self._start_id:
            return 1.0
        return (self._start_id - self._oldest_id + 1) / self._start_id

    async def count(self) -> None:
        """How many deliveries there are."""
        counts = await self.journal.counts()
        self.total = sum(sum(states.values()) for states in counts.by_environment.values())

    # -- news ----------------------------------------------------------------------------------------------------------

    async def poll(self) -> PollResult:
        """What happened since the last look."""
        changes = await self.journal.changes(self._cursor, limit=MAX_CHANGES)
        if changes.overflow or self._has_more_changes:
            step = await self._catch_up()
        elif changes.deliveries:
            step = await self._merge_new(changes.deliveries)
        else:
            step = _NOTHING_NEW
        self._cursor = changes.cursor
        return step

    async def _merge_new(self, deliveries: Collection[Delivery]) -> PollResult:
        matching = deliveries
        if self.query.terms:
            matching = await self.journal.get_many([one.id for one in deliveries], self.query)
        here = {one.id for one in matching}
        gone = self.matches.remove([one.id for one in deliveries if one.id not in here])
        arrived = put = 0
        changed: list[int] = []
        for one in matching:
            if one.id < self._oldest_id:
                continue  # the search comes to it, and finds it as it is then
            changed.append(one.id)
            self._cache(one)
            if self.matches.insert(one.id):
                put += 1
                arrived += one.id > self._newest_id
        self._newest_id = max(self._newest_id, *(one.id for one in deliveries))
        return PollResult(arrived, tuple(changed), positions_changed=bool(gone or put))

    async def _catch_up(self) -> PollResult:
        """Only what is new: which of the older ones changed is not known any more."""
        found = await self.journal.ids(
            self.query, cursor=self._newest_id, limit=CHUNK_ROWS, direction="newer", budget_ms=CHUNK_BUDGET_MS
        )
        self._has_more_changes = found.more
        self._newest_id = max(self._newest_id, found.reached)
        arrived = self.matches.add_newer(found.ids)
        self.needs_restart = self.needs_restart or bool(self.query.terms)
        return PollResult(arrived, reread_visible=True, positions_changed=arrived > 0)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def row(self, delivery_id: int) -> Delivery | None:
        """A row, if it was read."""
        return self._rows.get(delivery_id)

    def is_removed(self, delivery_id: int) -> bool:
        """Whether the journal has it no longer."""
        return delivery_id in self._removed_ids

    async def read(self, ids: Iterable[int]) -> list[int]:
        """Read these rows; returns those that are other than was known."""
        wanted = list(ids)
        rows = await self.journal.get_many(wanted)
        changed = [one.id for one in rows if self._rows.get(one.id) != one]
        for one in rows:
            self._cache(one)
        missing = set(wanted).difference(one.id for one in rows) - self._removed_ids
        for one_id in missing:
            self._rows.pop(one_id, None)
        self._removed_ids |= missing
        return [*changed, *missing]

    def _cache(self, row: Delivery) -> None:
        self._rows.pop(row.id, None)
        self._rows[row.id] = row
        while len(self._rows) > MAX_CACHED_ROWS:
            del self._rows[next(iter(self._rows))]

    async def next_failed(self, after: int, *, older: bool) -> int:
        """The next failed one that matches, from a delivery on; 0 for none."""
        kept = [term for term in self.query.terms if term.field != "status" or term.negated]
        query = Query((*kept, Term("status", "failed")))
        found = await self.journal.ids(query, cursor=after, limit=1, direction="older" if older else "newer")
        return found.ids[0] if found.ids and found.ids[0] in self.matches else 0
