"""Pruning in chunks, and the rows of the worker table: what maintenance of both stores shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sprig_tui.journal.records import PruneResult, State, WorkerInfo, WorkerLeases
from sprig_tui.journal.rows import STATES_BY_CODE

PRUNE_CHUNK_ROWS = 2_000
"""Deliveries removed in one transaction."""
PRUNE_SCAN_ROWS = 50_000
"""Deliveries scanned in one transaction: it holds the lock meanwhile, and other processes want to write."""

WORKER_COLUMNS = "id, role, host, pid, version, environments, started_at, rate, seen_at"
DAMAGED_COUNTS = "the kept counts are not what the deliveries come to"
DAMAGED_STATISTICS = "the kept statistics are not what the deliveries come to; sprig-tui stats --recount makes them new"
"""Problem that a verification reports."""


async def prune_in_chunks(prune_chunk: Callable[[int], Awaitable[tuple[PruneResult, int]]]) -> PruneResult:
    """The sum of all chunks.

    `prune_chunk` takes the id to start after; it returns what it removed and the last id that it scanned, 0 at the end.
    """
    total: Counter[State] = Counter()
    size = after = 0
    while True:
        pruned, after = await prune_chunk(after)
        total.update(pruned.by_state)
        size += pruned.bytes
        if not after:
            return PruneResult(dict(total), size)


async def forget_in_chunks(forget_chunk: Callable[[int], Awaitable[tuple[int, int]]]) -> int:
    """The number of tombstones deleted by all chunks.

    `forget_chunk` takes the key to start after; it returns how many it deleted and the last key scanned, -1 at the end.
    """
    total, after = 0, -1
    while True:
        gone, after = await forget_chunk(after)
        total += gone
        if after < 0:
            return total


async def delete_in_chunks(ids: Sequence[int], delete: Callable[[Sequence[int]], Awaitable[None]]) -> None:
    """Delete these rows, at most PRUNE_CHUNK_ROWS in one call."""
    for start in range(0, len(ids), PRUNE_CHUNK_ROWS):
        await delete(ids[start : start + PRUNE_CHUNK_ROWS])


def prune_result(rows: Sequence[Sequence[Any]]) -> PruneResult:
    """The sum of rows of (state, number of deliveries, bytes) as a record."""
    by_state: Counter[State] = Counter()
    for row in rows:
        by_state[STATES_BY_CODE[row[0]]] += row[1]
    return PruneResult(dict(by_state), sum(int(row[2]) for row in rows))


def chunk_result(rows: Sequence[Sequence[Any]]) -> PruneResult:
    """Removed rows of (id, state, size, ...) as a record."""
    by_state = Counter(STATES_BY_CODE[row[1]] for row in rows)
    return PruneResult(dict(by_state), sum(row[2] for row in rows))


def worker_from_row(row: Sequence[Any], environments: Iterable[str]) -> WorkerInfo:
    """A row of WORKER_COLUMNS and the number of leased deliveries as a record."""
    return WorkerInfo(
        id=row[0],
        role=row[1],
        host=row[2],
        pid=row[3],
        version=row[4],
        environments=tuple(environments),
        started_at=row[6],
        rate=row[7],
        seen_at=row[8],
        leased=row[9],
    )


def leases_from_rows(rows: Iterable[Sequence[Any]]) -> tuple[WorkerLeases, ...]:
    """Rows of (environment, owner, number of deliveries, until) as records."""
    return tuple(WorkerLeases(environment=row[0], owner=row[1], deliveries=row[2], until=row[3]) for row in rows)
