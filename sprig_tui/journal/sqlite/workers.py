"""Who is at work on the file: a row for each process that reported itself in the last half minute."""

from __future__ import annotations

import json
import sqlite3

from sprig_tui.journal.contract import WORKER_TTL_MS
from sprig_tui.journal.records import WorkerInfo, WorkerLeases

_WORKER_COLUMNS = "id, role, host, pid, version, environments, started_at, rate, seen_at"
_IS_ALIVE = "seen_at > ? AND seen_at < ?"
"""The second bound ends what was reported under a clock that stood far ahead."""


def record_heartbeat(connection: sqlite3.Connection, worker: WorkerInfo, now: int) -> None:
    """Note that a worker is alive, and forget those that are not."""
    connection.execute(f"DELETE FROM workers WHERE NOT ({_IS_ALIVE})", _ttl_window(now))
    connection.execute(
        f"INSERT OR REPLACE INTO workers({_WORKER_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            worker.id,
            worker.role,
            worker.host,
            worker.pid,
            worker.version,
            json.dumps(worker.environments),
            worker.started_at,
            worker.rate,
            now,
        ),
    )


def unregister_worker(connection: sqlite3.Connection, worker_id: str) -> None:
    """Forget a worker."""
    connection.execute("DELETE FROM workers WHERE id = ?", (worker_id,))


def live_workers(connection: sqlite3.Connection, now: int) -> tuple[WorkerInfo, ...]:
    """Workers heard of lately, oldest start first, and what they hold."""
    rows = connection.execute(
        f"SELECT {_WORKER_COLUMNS}, (SELECT coalesce(sum(n), 0) FROM leases WHERE owner = w.id AND until > ?)"
        f" FROM workers w WHERE {_IS_ALIVE} ORDER BY started_at, id",
        (now, *_ttl_window(now)),
    ).fetchall()
    return tuple(
        WorkerInfo(
            id=row[0],
            role=row[1],
            host=row[2],
            pid=row[3],
            version=row[4],
            environments=tuple(json.loads(row[5])),
            started_at=row[6],
            rate=row[7],
            seen_at=row[8],
            leased=row[9],
        )
        for row in rows
    )


def worker_leases(connection: sqlite3.Connection, now: int) -> tuple[WorkerLeases, ...]:
    """Leases that have not run out, by environment and worker."""
    rows = connection.execute(
        "SELECT e.name, l.owner, sum(l.n), max(CASE WHEN l.owner = '' THEN l.until"
        " ELSE min(l.until, max(coalesce(w.seen_at, 0), l.until - l.length) + ?2) END)"
        " FROM leases l JOIN environments e ON e.id = l.environment LEFT JOIN workers w ON w.id = l.owner"
        # the second bound leaves out leases made by a clock that stood far ahead: they are over
        " WHERE l.until > ?1 AND l.until <= ?1 + 2 * l.length GROUP BY e.name, l.owner ORDER BY e.name, l.owner",
        (now, WORKER_TTL_MS),
    ).fetchall()
    return tuple(WorkerLeases(environment=row[0], owner=row[1], deliveries=row[2], until=row[3]) for row in rows)


def _ttl_window(now: int) -> tuple[int, int]:
    return now - WORKER_TTL_MS, now + WORKER_TTL_MS
