"""Retention: removing what ended long ago, in batches that hold their rows for a moment each and wait for nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import asyncpg

from sprig_tui.journal.columns import STATES_BY_CODE
from sprig_tui.journal.identity import identity_key
from sprig_tui.journal.records import PruneResult

PRUNE_CHUNK_ROWS = 2_000
"""Deliveries removed in one transaction."""
PRUNE_SCAN_ROWS = 50_000
"""Deliveries looked at in one transaction."""

_FROM_ENDED = (
    "FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt"
    " WHERE d.state > 0 AND coalesce(a.started_at + a.latency_ms, d.added_at) < $1"
)


async def count_prunable(connection: asyncpg.Connection, before: int) -> PruneResult:
    """What `prune_chunk` would remove in the end."""
    rows = await connection.fetch(
        f"SELECT d.state, count(*), sum(d.size) {_FROM_ENDED} GROUP BY d.state", float(before)
    )
    return PruneResult({STATES_BY_CODE[row[0]]: row[1] for row in rows}, sum(int(row[2]) for row in rows))


async def prune_chunk(connection: asyncpg.Connection, before: int, after_id: int) -> tuple[PruneResult, int]:
    """Remove the next ended deliveries above `after_id`; returns what went, and the last id looked at (0 at the end).

    Their identities go with them: an answer that is read again later counts as new. What somebody else holds at the
    moment is left for the next time.
    """
    newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    end = after_id + PRUNE_SCAN_ROWS
    rows = await connection.fetch(
        f"SELECT d.id, d.state, d.size, d.environment, d.message_id {_FROM_ENDED} AND d.id > $2 AND d.id <= $3"
        " ORDER BY d.id LIMIT $4 FOR UPDATE OF d SKIP LOCKED",
        float(before),
        after_id,
        end,
        PRUNE_CHUNK_ROWS,
    )
    reached = rows[-1][0] if len(rows) == PRUNE_CHUNK_ROWS else end
    reached = reached if reached < newest else 0
    if not rows:
        return PruneResult({}, 0), reached
    names = dict(await connection.fetch("SELECT id, name FROM environments"))
    ids = [row[0] for row in rows]
    await connection.execute(
        # by key and by delivery: an identity that another delivery took over stays
        "DELETE FROM ids USING unnest($1::bigint[], $2::bigint[]) AS u(key, delivery)"
        " WHERE ids.key = u.key AND ids.delivery = u.delivery",
        [identity_key(names[row[3]], row[4]) for row in rows],
        ids,
    )
    await connection.execute("DELETE FROM history WHERE delivery = ANY ($1::bigint[])", ids)
    await connection.execute("DELETE FROM deliveries WHERE id = ANY ($1::bigint[])", ids)
    await _delete_empty_packs(connection, ids[0], ids[-1])
    gone = Counter((row[3], row[1]) for row in rows)
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], '{}')",
        [environment for environment, _ in gone],
        [state for _, state in gone],
        [-number for number in gone.values()],
    )
    by_state = Counter(row[1] for row in rows)
    return PruneResult(
        {STATES_BY_CODE[state]: number for state, number in by_state.items()}, sum(row[2] for row in rows)
    ), reached


async def _delete_empty_packs(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Remove packs none of whose deliveries is left, from the one that holds `first` to the one that holds `last`."""
    await connection.execute(
        "DELETE FROM packs p WHERE p.first >= (SELECT coalesce(max(first), 0) FROM packs WHERE first <= $1)"
        " AND p.first <= $2 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id >= p.first AND d.id <"
        " coalesce((SELECT min(n.first) FROM packs n WHERE n.first > p.first), (SELECT max(id) + 1 FROM deliveries),"
        " p.first))",
        first,
        last,
    )


async def unused_attempts(connection: asyncpg.Connection, before: int) -> list[int]:
    """Requests that no delivery refers to any more.

    None of them is ever referred to again: a delivery takes up new requests alone.
    """
    rows = await connection.fetch(
        "SELECT a.id FROM attempts a WHERE a.started_at < $1"
        " AND NOT EXISTS (SELECT 1 FROM history h WHERE h.attempt = a.id)"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.attempt = a.id)",
        before,
    )
    return [row[0] for row in rows]


async def delete_attempts(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Remove these requests."""
    await connection.execute("DELETE FROM attempts WHERE id = ANY ($1::bigint[])", list(ids))
