"""One filter's view of the journal: what matches, the rows that were asked for, and what happened since.

Knows nothing of the screen. Each method is one short look into the journal, so that nobody waits long for another; the
pane decides when to look again. See `matches` for how a million deliveries are held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from sprig_tui.console.deliveries.matches import Matches
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.query import MATCH_ALL, Query, Term
from sprig_tui.journal.records import Delivery

FIRST = 200
"""Matches looked for before the first screenful is shown."""
FIRST_MS = 30
"""How long the first look may take."""
STRETCH = 20_000
"""Matches asked for in one later look."""
STRETCH_MS = 30
"""How long one may take: the journal's readers are also what delivering waits for."""
CHANGES = 200
"""Changed rows told one by one; where more changed at once, what is in sight is read again instead."""
KEPT_ROWS = 4_000
"""Rows remembered; the oldest remembered go first."""


class Step(Struct, frozen=True):
    """What a look for news found."""

    arrived: int = 0
    """Deliveries that match and are newer than all before."""
    changed: tuple[int, ...] = ()
    """Ids of remembered rows that are to be drawn again."""
    reread: bool = False
    """Too much changed to tell: rows in sight are to be read again."""
    moved: bool = False
    """Whether positions changed: something arrived, matches now, or matches no longer."""

    @property
    def quiet(self) -> bool:
        """Whether nothing happened."""
        return self == _QUIET


_QUIET = Step()


class Search:
    """The deliveries that match `query`, as far as they are known."""

    def __init__(self, journal: Journal, query: Query) -> None:
        self.journal = journal
        self.query = query
        self.matches = Matches()
        self.total = 0
        """Deliveries in the journal, whether they match or not."""
        self.stale = False
        """Whether changes were missed that may have made rows match, or no longer match: search again."""
        self.begun = False
        self._rows: dict[int, Delivery] = {}
        self._gone: set[int] = set()
        self._cursor = ""
        self._newest = 0
        """Newest id that was looked at."""
        self._began_at = 0
        self._reached = 0
        """Oldest id that was looked at."""
        self._behind = False

    # -- looking back --------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Find the newest matches; raises JournalError, as everything here."""
        # before everything else, so that what happens meanwhile is told by `step`
        self._cursor = (await self.journal.changes()).cursor
        await self.count()
        newest = (await self.journal.ids(MATCH_ALL, limit=1)).ids
        self._newest = self._began_at = newest[0] if newest else 0
        self._reached = self._newest + 1
        self.matches = Matches(newest=self._newest)
        if not self.query.terms and await self._is_dense():
            return
        await self._look_back(FIRST, FIRST_MS)

    async def _is_dense(self) -> bool:
        """Whether no delivery was ever removed from between others; then no search is needed."""
        oldest = (await self.journal.ids(MATCH_ALL, limit=1, direction="newer")).ids
        if not oldest or self._newest - oldest[0] + 1 != self.total:
            return False
        self.matches = Matches.dense(oldest[0], self._newest)
        self._reached = oldest[0]
        self.begun = True
        return True

    async def look_on(self) -> int:
        """Look further back; returns how many more were found."""
        return await self._look_back(STRETCH, STRETCH_MS)

    async def _look_back(self, limit: int, budget_ms: int) -> int:
        found = await self.journal.ids(self.query, cursor=self._reached, limit=limit, budget_ms=budget_ms)
        self._reached = found.reached
        self.matches.add_older(found.ids)
        self.matches.complete = not found.more
        self.begun = True
        return len(found.ids)

    @property
    def searched(self) -> float:
        """How much of the journal was looked through, 0 to 1."""
        if self.matches.complete or not self._began_at:
            return 1.0
        return (self._began_at - self._reached + 1) / self._began_at

    async def count(self) -> None:
        """How many deliveries there are."""
        counts = await self.journal.counts()
        self.total = sum(sum(states.values()) for states in counts.by_environment.values())

    # -- news ----------------------------------------------------------------------------------------------------------

    async def step(self) -> Step:
        """What happened since the last look."""
        changes = await self.journal.changes(self._cursor, limit=CHANGES)
        if changes.overflow or self._behind:
            step = await self._catch_up()
        elif changes.deliveries:
            step = await self._take_in(changes.deliveries)
        else:
            step = _QUIET
        self._cursor = changes.cursor
        return step

    async def _take_in(self, deliveries: Collection[Delivery]) -> Step:
        matching = deliveries
        if self.query.terms:
            matching = await self.journal.get_many([one.id for one in deliveries], self.query)
        here = {one.id for one in matching}
        gone = self.matches.remove([one.id for one in deliveries if one.id not in here])
        arrived = put = 0
        changed: list[int] = []
        for one in matching:
            if one.id < self._reached:
                continue  # the search comes to it, and finds it as it is then
            changed.append(one.id)
            self._keep(one)
            if self.matches.put(one.id):
                put += 1
                arrived += one.id > self._newest
        self._newest = max(self._newest, *(one.id for one in deliveries))
        return Step(arrived, tuple(changed), moved=bool(gone or put))

    async def _catch_up(self) -> Step:
        """Only what is new: which of the older ones changed is not known any more."""
        found = await self.journal.ids(
            self.query, cursor=self._newest, limit=STRETCH, direction="newer", budget_ms=STRETCH_MS
        )
        self._behind = found.more
        self._newest = max(self._newest, found.reached)
        arrived = self.matches.add_newer(found.ids)
        self.stale = self.stale or bool(self.query.terms)
        return Step(arrived, reread=True, moved=arrived > 0)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def row(self, delivery_id: int) -> Delivery | None:
        """A row, if it was read."""
        return self._rows.get(delivery_id)

    def is_gone(self, delivery_id: int) -> bool:
        """Whether the journal has it no longer."""
        return delivery_id in self._gone

    async def read(self, ids: Iterable[int]) -> list[int]:
        """Read these rows; returns those that are other than was known."""
        wanted = list(ids)
        rows = await self.journal.get_many(wanted)
        changed = [one.id for one in rows if self._rows.get(one.id) != one]
        for one in rows:
            self._keep(one)
        missing = set(wanted).difference(one.id for one in rows) - self._gone
        for one_id in missing:
            self._rows.pop(one_id, None)
        self._gone |= missing
        return [*changed, *missing]

    def _keep(self, row: Delivery) -> None:
        self._rows.pop(row.id, None)
        self._rows[row.id] = row
        while len(self._rows) > KEPT_ROWS:
            del self._rows[next(iter(self._rows))]

    async def next_failed(self, after: int, *, older: bool) -> int:
        """The next failed one that matches, from a delivery on; 0 for none."""
        kept = [term for term in self.query.terms if term.field != "status" or term.negated]
        query = Query((*kept, Term("status", "failed")))
        found = await self.journal.ids(query, cursor=after, limit=1, direction="older" if older else "newer")
        return found.ids[0] if found.ids and found.ids[0] in self.matches else 0
