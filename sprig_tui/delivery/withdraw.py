"""Withdrawal of queued deliveries: which a filter means, and taking them back in stretches."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, State, WithdrawResult

WITHDRAW_CHUNK_ROWS = 1_000
"""Deliveries in one look, and in one transaction."""
SEARCH_BUDGET_MS = 200
"""How long one look into the journal may take: between two of them progress is told and a cancel is heard."""


class QueuedDeliveries(Struct, frozen=True):
    """Deliveries that are queued, on a wire or not."""

    ids: array[int]
    """Ascending."""
    environments: Counter[str]


async def find_queued(
    journal: Journal, query: Query, on_progress: Callable[[int], None] = lambda _: None
) -> QueuedDeliveries:
    """Those that a filter matches and that are queued; `told` hears how many were found so far."""
    # terms of one field are alternatives: a filter that names a status keeps its own
    named = any(term.field == "status" and not term.negated for term in query.terms)
    narrowed = query if named else replace(query, terms=(*query.terms, Term("status", State.QUEUED.value)))
    found = QueuedDeliveries(array("q"), Counter())
    cursor, more = 0, True
    while more:
        page = await journal.page(
            narrowed, cursor=cursor, limit=WITHDRAW_CHUNK_ROWS, direction="newer", budget_ms=SEARCH_BUDGET_MS
        )
        _collect_queued(found, page.deliveries)
        cursor = page.reached or (page.deliveries[-1].id if page.deliveries else cursor)
        more = page.more and bool(cursor)
        on_progress(len(found.ids))
    return found


def filter_queued(rows: Iterable[Delivery]) -> QueuedDeliveries:
    """Those of these that are queued."""
    found = QueuedDeliveries(array("q"), Counter())
    _collect_queued(found, rows)
    return found


def _collect_queued(found: QueuedDeliveries, rows: Iterable[Delivery]) -> None:
    for row in rows:
        if row.state is State.QUEUED:
            found.ids.append(row.id)
            found.environments[row.environment] += 1


async def withdraw_deliveries(
    journal: Journal, ids: Sequence[int], on_progress: Callable[[int], None] = lambda _: None
) -> WithdrawResult:
    """Take these back, a stretch at a time; `told` hears how many were so far. Raises JournalError."""
    withdrawn = on_the_wire = not_queued = 0
    for start in range(0, len(ids), WITHDRAW_CHUNK_ROWS):
        done = await journal.withdraw(list(ids[start : start + WITHDRAW_CHUNK_ROWS]))
        withdrawn += done.withdrawn
        on_the_wire += done.leased
        not_queued += done.not_queued
        on_progress(withdrawn)
    return WithdrawResult(withdrawn, on_the_wire, not_queued)
