"""Withdrawal of queued deliveries: finds those that a filter matches, and withdraws them in bounded steps."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query, Term, environments_limit
from sprig_tui.journal.records import Delivery, State, WithdrawResult

WITHDRAW_STEP_ROWS = 1_000
"""Deliveries in one transaction."""
STEP_REST_FACTOR = 0.5
"""Pause after a step, as a multiple of the time that it took: those who deliver and add write in between."""
SEARCH_PAGE_ROWS = 10_000
SEARCH_BUDGET_MS = 200
"""Ids and time of one search call; progress is reported and a cancellation takes effect between two calls."""
UNDO_FILTER = "reason:withdrawn"
"""The filter of what was withdrawn; a replay of it undoes that."""


class QueuedDeliveries(Struct, frozen=True):
    """Deliveries that are queued, leased ones included."""

    ids: array[int]
    """By environment, ascending in each."""
    environments: Counter[str]


async def find_queued(
    journal: Journal, query: Query, on_progress: Callable[[int], None] = lambda _: None
) -> QueuedDeliveries:
    """Queued deliveries that a filter matches; `on_progress` is called with the number found so far.

    What arrives after the call is not among them.
    """
    queued = QueuedDeliveries(array("q"), Counter())
    newest = await journal.ids(Query(), limit=1)
    counts = await journal.counts()
    limit = environments_limit(query.terms)
    for name, states in sorted(counts.by_environment.items()):
        if states.get(State.QUEUED) and (limit is None or name in limit) and newest.ids:
            narrowed = query.narrowed(Term("status", State.QUEUED.value), Term("env", name))
            await _collect_ids(journal, narrowed, name, newest.ids[0], queued, on_progress)
    return queued


async def _collect_ids(
    journal: Journal,
    query: Query,
    environment: str,
    last_id: int,
    queued: QueuedDeliveries,
    on_progress: Callable[[int], None],
) -> None:
    cursor, more = 0, True
    while more and cursor < last_id:
        page = await journal.ids(
            query, cursor=cursor, limit=SEARCH_PAGE_ROWS, direction="newer", budget_ms=SEARCH_BUDGET_MS
        )
        found = [one for one in page.ids if one <= last_id]
        queued.ids.extend(found)
        if found:
            queued.environments[environment] += len(found)
        cursor, more = page.reached, page.more
        on_progress(len(queued.ids))


async def find_queued_among(
    journal: Journal, ids: Sequence[int], on_progress: Callable[[int], None] = lambda _: None
) -> QueuedDeliveries:
    """Those of the ids that are queued; `on_progress` is called with the number found so far."""
    queued = QueuedDeliveries(array("q"), Counter())
    for start in range(0, len(ids), WITHDRAW_STEP_ROWS):
        _collect_queued(queued, await journal.get_many(ids[start : start + WITHDRAW_STEP_ROWS]))
        on_progress(len(queued.ids))
    return queued


def _collect_queued(queued: QueuedDeliveries, rows: Iterable[Delivery]) -> None:
    for row in rows:
        if row.state is State.QUEUED:
            queued.ids.append(row.id)
            queued.environments[row.environment] += 1


class WithdrawJob:
    """Withdrawal of chosen deliveries, step by step; each step is one transaction.

    Nothing of the job itself is stored. After a cancellation or a kill what was withdrawn is withdrawn, the rest is
    queued, and the same withdrawal can be started again: what is no longer queued is left alone.
    """

    def __init__(self, journal: Journal, ids: Sequence[int]) -> None:
        self._journal = journal
        self._ids = ids
        self._cancelled = asyncio.Event()
        self.done = WithdrawResult(0, 0, 0)
        """What the steps did so far."""
        self.position = 0
        """Number of deliveries that were looked at."""

    @property
    def total(self) -> int:
        """Number of chosen deliveries."""
        return len(self._ids)

    @property
    def was_cut_short(self) -> bool:
        """Whether some were not looked at."""
        return self.position < self.total

    def cancel(self) -> None:
        """Begin no further step."""
        self._cancelled.set()

    async def run(self, on_progress: Callable[[WithdrawJob], None] = lambda _: None) -> WithdrawResult:
        """Withdraw until done or cancelled; `on_progress` is called after each step. Raises JournalError."""
        while self.was_cut_short and not self._cancelled.is_set():
            started_at = time.monotonic()
            await self._step()
            on_progress(self)
            if self.was_cut_short:
                await self._rest((time.monotonic() - started_at) * STEP_REST_FACTOR)
        return self.done

    async def _step(self) -> None:
        chunk = list(self._ids[self.position : self.position + WITHDRAW_STEP_ROWS])
        # shielded: a step that was begun is counted also where the caller is cancelled
        withdrawing = asyncio.ensure_future(self._journal.withdraw(chunk))
        try:
            await asyncio.shield(withdrawing)
        finally:
            await asyncio.wait((withdrawing,))
            if withdrawing.exception() is None:
                result = withdrawing.result()
                self.position += len(chunk)
                self.done = WithdrawResult(
                    self.done.withdrawn + result.withdrawn,
                    self.done.leased + result.leased,
                    self.done.not_queued + result.not_queued,
                )

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._cancelled.wait()
        except TimeoutError:
            return
