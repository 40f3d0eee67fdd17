"""Who is at work: a row for each process that reported itself in the last half minute."""

from __future__ import annotations

import asyncpg

from sprig_tui.journal.contract import WORKER_TTL_MS
from sprig_tui.journal.postgres.texts import sanitize_text
from sprig_tui.journal.records import WorkerInfo, WorkerLeases

_WORKER_COLUMNS = "id, role, host, pid, version, environments, started_at, rate, seen_at"
_IS_ALIVE = f"seen_at > $1::bigint - {WORKER_TTL_MS} AND seen_at < $1::bigint + {WORKER_TTL_MS}"
"""The second bound ends what was reported under a clock that stood far ahead."""


async def record_heartbeat(connection: asyncpg.Connection, worker: WorkerInfo, now: int) -> None:
    """Note that a worker is alive, and forget those that are not."""
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(f"DELETE FROM workers WHERE NOT ({_IS_ALIVE})", now)
        await connection.execute(
            f"INSERT INTO workers({_WORKER_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON "
            f"CONFLICT (id) DO UPDATE"
            " SET role = $2, host = $3, pid = $4, version = $5, environments = $6, started_at = $7, rate = $8,"
            " seen_at = $9",
            worker.id,
            sanitize_text(worker.role),
            sanitize_text(worker.host),
            worker.pid,
            worker.version,
            [sanitize_text(name) for name in worker.environments],
            worker.started_at,
            worker.rate,
            now,
        )


async def unregister_worker(connection: asyncpg.Connection, worker_id: str) -> None:
    """Forget a worker."""
    await connection.execute("DELETE FROM workers WHERE id = $1", worker_id)


async def live_workers(connection: asyncpg.Connection, now: int) -> tuple[WorkerInfo, ...]:
    """Workers heard of lately, oldest start first, and what they hold."""
    rows = await connection.fetch(
        f"SELECT {_WORKER_COLUMNS}, (SELECT coalesce(sum(n), 0) FROM leases WHERE owner = w.id AND until > $1::bigint)"
        f" FROM workers w WHERE {_IS_ALIVE} ORDER BY started_at, id",
        now,
    )
    return tuple(
        WorkerInfo(
            id=row[0],
            role=row[1],
            host=row[2],
            pid=row[3],
            version=row[4],
            environments=tuple(row[5]),
            started_at=row[6],
            rate=row[7],
            seen_at=row[8],
            leased=row[9],
        )
        for row in rows
    )


async def worker_leases(connection: asyncpg.Connection, now: int) -> tuple[WorkerLeases, ...]:
    """Leases that have not run out, by environment and worker."""
    rows = await connection.fetch(
        "SELECT e.name, l.owner, sum(l.n)::bigint, max(CASE WHEN l.owner = '' THEN l.until"
        " ELSE least(l.until, greatest(coalesce(w.seen_at, 0), l.until - l.length) + worker_ttl()) END)"
        " FROM leases l JOIN environments e ON e.id = l.environment LEFT JOIN workers w ON w.id = l.owner"
        # the second bound leaves out leases made by a clock that stood far ahead: they are over
        " WHERE l.until > $1::bigint AND l.until <= $1::bigint + 2 * l.length"
        " GROUP BY e.name, l.owner ORDER BY e.name, l.owner",
        now,
    )
    return tuple(WorkerLeases(environment=row[0], owner=row[1], deliveries=row[2], until=row[3]) for row in rows)
