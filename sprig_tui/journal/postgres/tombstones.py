"""Tombstones at the server: storing while pruning, deletion by age, and counts."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from sprig_tui.journal.dedup import StoredIdentity, identity_key
from sprig_tui.journal.postgres.tombstone_filter import log_keys
from sprig_tui.journal.records import TombstoneCounts
from sprig_tui.journal.tombstones import end_minute, first_kept_minute, make_fingerprint

FORGET_SCAN_ROWS = 50_000
"""Tombstones scanned in one transaction."""


async def store_tombstones(
    connection: asyncpg.Connection, removed: Iterable[tuple[StoredIdentity, int, float]]
) -> None:
    """Leave a tombstone for each of (delivery, number of its environment, time of its end in ms)."""
    # of two with one key the later one; in the order of the keys, so that two that prune do not deadlock
    rows = {
        identity_key(stored.environment, stored.message_id): (number, end_minute(ended_at), make_fingerprint(stored))
        for stored, number, ended_at in removed
    }
    if not rows:
        return
    keys = sorted(rows)
    await connection.execute(
        "INSERT INTO tombstones(key, environment, ended_at, fingerprint)"
        " SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bytea[])"
        " ON CONFLICT (key) DO UPDATE SET environment = excluded.environment, ended_at = excluded.ended_at,"
        " fingerprint = excluded.fingerprint",
        keys,
        [rows[key][0] for key in keys],
        [rows[key][1] for key in keys],
        [rows[key][2] for key in keys],
    )
    await log_keys(connection, keys)


async def count_all(connection: asyncpg.Connection) -> int:
    """Number of all tombstones."""
    return int(await connection.fetchval("SELECT count(*) FROM tombstones"))


async def count_forgettable(connection: asyncpg.Connection, before: int) -> int:
    """Number of tombstones of deliveries that ended before this time."""
    return int(
        await connection.fetchval("SELECT count(*) FROM tombstones WHERE ended_at < $1", first_kept_minute(before))
    )


async def forget_chunk(connection: asyncpg.Connection, before: int, after: int) -> tuple[int, int]:
    """Delete old ones among the next tombstones above key `after`; returns their number and the last key (-1: end)."""
    last, scanned = await connection.fetchrow(
        "SELECT max(key), count(*) FROM (SELECT key FROM tombstones WHERE key > $1 ORDER BY key LIMIT $2) t",
        after,
        FORGET_SCAN_ROWS,
    )
    if not scanned:
        return 0, -1
    status = await connection.execute(
        "DELETE FROM tombstones WHERE key > $1 AND key <= $2 AND ended_at < $3", after, last, first_kept_minute(before)
    )
    return int(status.split()[-1]), last if scanned == FORGET_SCAN_ROWS else -1


async def count_tombstones(connection: asyncpg.Connection) -> TombstoneCounts:
    """Number of tombstones by environment, and what their table and its index take."""
    rows = await connection.fetch(
        "SELECT coalesce(e.name, ''), t.n FROM (SELECT environment, count(*) AS n FROM tombstones"
        " GROUP BY environment) t LEFT JOIN environments e ON e.id = t.environment ORDER BY 1"
    )
    size = 0
    if rows:
        size = await connection.fetchval(
            "SELECT pg_total_relation_size('tombstones') + pg_total_relation_size('tombstone_filter')"
        )
    return TombstoneCounts({row[0]: row[1] for row in rows}, size)
