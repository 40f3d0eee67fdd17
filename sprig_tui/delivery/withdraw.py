"""Withdrawal of queued deliveries: finds those that a filter matches, and withdraws them in chunks."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, State, WithdrawResult

WITHDRAW_CHUNK_ROWS = 1_000
"""Deliveries in one page of the search, and in one transaction."""
SEARCH_BUDGET_MS = 200
"""Time of one search call; progress is reported and a cancellation takes effect between two calls."""


class QueuedDeliveries(Struct, frozen=True):
    """Deliveries that are queued, leased ones included."""

    ids: array[int]
    """Ascending."""
    environments: Counter[str]


async def find_queued(
    journal: Journal, query: Query, on_progress: Callable[[int], None] = lambda _: None
) -> QueuedDeliveries:
    """Queued deliveries that a filter matches; `on_progress` is called with the number found so far."""
    narrowed = query.narrowed(Term("status", State.QUEUED.value))
    queued = QueuedDeliveries(array("q"), Counter())
    cursor, more = 0, True
    while more:
        page = await journal.page(
            narrowed, cursor=cursor, limit=WITHDRAW_CHUNK_ROWS, direction="newer", budget_ms=SEARCH_BUDGET_MS
        )
        _collect_queued(queued, page.deliveries)
        cursor = page.reached or (page.deliveries[-1].id if page.deliveries else cursor)
        more = page.more and bool(cursor)
        on_progress(len(queued.ids))
    return queued


def filter_queued(rows: Iterable[Delivery]) -> QueuedDeliveries:
    """Those of `rows` that are queued."""
    queued = QueuedDeliveries(array("q"), Counter())
    _collect_queued(queued, rows)
    return queued


def _collect_queued(queued: QueuedDeliveries, rows: Iterable[Delivery]) -> None:
    for row in rows:
        if row.state is State.QUEUED:
            queued.ids.append(row.id)
            queued.environments[row.environment] += 1


async def withdraw_deliveries(
    journal: Journal, ids: Sequence[int], on_progress: Callable[[int], None] = lambda _: None
) -> WithdrawResult:
    """Withdraw in chunks; `on_progress` is called with the number withdrawn so far. Raises JournalError."""
    withdrawn = leased = not_queued = 0
    for start in range(0, len(ids), WITHDRAW_CHUNK_ROWS):
        result = await journal.withdraw(list(ids[start : start + WITHDRAW_CHUNK_ROWS]))
        withdrawn += result.withdrawn
        leased += result.leased
        not_queued += result.not_queued
        on_progress(withdrawn)
    return WithdrawResult(withdrawn, leased, not_queued)
