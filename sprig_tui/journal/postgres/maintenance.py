"""Maintenance: write check, pruning in chunks that lock their rows briefly, the worker table, and verification."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Sequence

import asyncpg

from sprig_tui.journal.claim_rules import WORKER_TTL_MS
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.maintenance import (
    DAMAGED_COUNTS,
    DAMAGED_STATISTICS,
    PRUNE_CHUNK_ROWS,
    PRUNE_SCAN_ROWS,
    WORKER_COLUMNS,
    chunk_result,
    leases_from_rows,
    prune_result,
    worker_from_row,
)
from sprig_tui.journal.payload_codec import DAMAGED_ERROR, DamagedPayloadError
from sprig_tui.journal.postgres import payloads, statistics
from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.postgres.schema import LOCK_NAMESPACE
from sprig_tui.journal.postgres.tombstones import store_tombstones
from sprig_tui.journal.readiness import PROBE_WRITE_BYTES
from sprig_tui.journal.records import PruneResult, WorkerInfo, WorkerLeases
from sprig_tui.journal.tombstones import PRUNED_COLUMNS, TOMBSTONE_CONDITION, removed_identity
from sprig_tui.journal.verify import MAX_PROBLEMS, VerifyReport, check_pack

_WRITTEN_TABLES = ("environments", "deliveries", "ids", "counts", "changes", "stale_counts")
_PROBE_WRITE = f"""
SET LOCAL lock_timeout = 2500;
SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 1);
INSERT INTO packs(first, raws, bodies) VALUES ({{place}}, decode(repeat(md5(random()::text), {{size}}), 'hex'), '');
DELETE FROM packs WHERE first = {{place}};
{" ".join(f"DELETE FROM {table} WHERE false;" for table in _WRITTEN_TABLES)}
SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 2);
"""


async def check_writable(connection: asyncpg.Connection) -> None:
    """A write without a visible effect that needs what a real one needs, in the caller's transaction.

    That is permission, a primary, room for some pages and in the WAL, and each table and lock that adding takes.
    """
    place = -1 - secrets.randbits(62)
    await connection.execute(_PROBE_WRITE.format(place=place, size=PROBE_WRITE_BYTES // 16))


async def durability_warnings(connection: asyncpg.Connection) -> tuple[str, ...]:
    """Settings of the server under which acknowledged writes may be lost in a power cut, as sentences."""
    warnings = {
        "synchronous_commit": "commits do not wait for the disk",
        "fsync": "nothing is made to reach the disk",
        "full_page_writes": "pages may be torn in a crash",
    }
    rows = await connection.fetch(
        "SELECT name FROM pg_settings WHERE name = ANY ($1::text[]) AND setting = 'off' ORDER BY name", list(warnings)
    )
    return tuple(f"{row[0]} is off: {warnings[row[0]]}" for row in rows)


async def oldest_queued(connection: asyncpg.Connection) -> dict[str, int]:
    """Arrival of the next delivery to be claimed, by environment; one index seek for each priority and kind of due."""
    oldest: dict[str, int] = {}
    for number, name in await connection.fetch("SELECT id, name FROM environments WHERE endpoint = ''"):
        for due in ("= 0", "> 0"):
            for priority in (0, 1):
                added_at = await connection.fetchval(
                    "SELECT added_at FROM deliveries WHERE environment = $1 AND state = 0 AND lease IS NULL"
                    f" AND priority = $2 AND due_at {due} ORDER BY due_at, id LIMIT 1",
                    number,
                    priority,
                )
                if added_at is not None:
                    oldest[name] = min(added_at, oldest.get(name, added_at))
    return oldest


_ENDED_AT = "coalesce(a.started_at + a.latency_ms, d.added_at)"
_FROM_ENDED = f"FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt WHERE d.state > 0 AND {_ENDED_AT} < $1"


async def count_prunable(connection: asyncpg.Connection, before: int) -> PruneResult:
    """What `prune_chunk` would delete in total."""
    rows = await connection.fetch(
        f"SELECT d.state, count(*), sum(d.size) {_FROM_ENDED} GROUP BY d.state", float(before)
    )
    return prune_result(rows)


async def prune_chunk(
    connection: asyncpg.Connection, before: int, after_id: int, *, forget: bool = False
) -> tuple[PruneResult, int]:
    """Delete the next ended deliveries above `after_id`; returns them and the last id scanned (0 at the end).

    Tombstones are left of them, as `Journal.prune` says. Rows that another transaction has
    locked are left for the next prune.
    """
    newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    end = after_id + PRUNE_SCAN_ROWS
    rows = await connection.fetch(
        f"SELECT {REMOVED_COLUMNS} {_FROM_ENDED} AND d.id > $2 AND d.id <= $3"
        " ORDER BY d.id LIMIT $4 FOR UPDATE OF d SKIP LOCKED",
        float(before),
        after_id,
        end,
        PRUNE_CHUNK_ROWS,
    )
    reached = rows[-1][0] if len(rows) == PRUNE_CHUNK_ROWS else end
    reached = reached if reached < newest else 0
    if rows:
        await remove_rows(connection, rows, forget=forget)
        # what is damaged cannot be read anyway
        for pack_first in await payloads.pack_firsts(connection, rows[0][0], rows[-1][0]):
            with contextlib.suppress(DamagedPayloadError):
                await payloads.blank(connection, pack_first, frozenset())
    return chunk_result(rows), reached


REMOVED_COLUMNS = f"d.id, d.state, d.size, d.environment, {_ENDED_AT}, {TOMBSTONE_CONDITION}, {PRUNED_COLUMNS}"
"""Columns of a delivery that `remove_rows` needs, from `deliveries d LEFT JOIN attempts a`."""


async def remove_rows(connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], *, forget: bool = False) -> None:
    """Remove these locked deliveries, rows of REMOVED_COLUMNS by their ids, and packs that are empty then."""
    places = {row[0]: (row[1], row[2]) for row in await connection.fetch("SELECT id, name, endpoint FROM environments")}
    ids = [row[0] for row in rows]
    await connection.execute(
        # by key and by delivery: an identity that another delivery took over is kept
        "DELETE FROM ids USING unnest($1::bigint[], $2::bigint[]) AS u(key, delivery)"
        " WHERE ids.key = u.key AND ids.delivery = u.delivery",
        [identity_key(places[row[3]][0], row[6]) for row in rows],
        ids,
    )
    if not forget:
        await store_tombstones(
            connection,
            [
                (removed_identity(row[0], places[row[3]][0], row[1], tuple(row)[6:]), row[3], row[4])
                for row in rows
                if row[5] and not places[row[3]][1]
            ],
        )
    await connection.execute("DELETE FROM history WHERE delivery = ANY ($1::bigint[])", ids)
    await connection.execute("DELETE FROM deliveries WHERE id = ANY ($1::bigint[])", ids)
    await _delete_empty_packs(connection, ids[0], ids[-1])
    gone = Counter((row[3], row[1]) for row in rows)
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], '{}', $4::bigint[])",
        [environment for environment, _ in gone],
        [state for _, state in gone],
        [-number for number in gone.values()],
        ids,
    )


async def _delete_empty_packs(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Delete packs without remaining deliveries, from the one of delivery `first` to the one of `last`."""
    await connection.execute(
        "DELETE FROM packs p WHERE p.first >= (SELECT coalesce(max(first), 0) FROM packs WHERE first <= $1)"
        " AND p.first <= $2 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id >= p.first AND d.id <"
        " coalesce((SELECT min(n.first) FROM packs n WHERE n.first > p.first), (SELECT max(id) + 1 FROM deliveries),"
        " p.first))",
        first,
        last,
    )


async def unused_attempts(connection: asyncpg.Connection, before: int) -> list[int]:
    """Requests that no delivery refers to; they stay unused, because deliveries only get new requests."""
    rows = await connection.fetch(
        "SELECT a.id FROM attempts a WHERE a.started_at < $1"
        " AND NOT EXISTS (SELECT 1 FROM history h WHERE h.attempt = a.id)"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.attempt = a.id)",
        before,
    )
    return [row[0] for row in rows]


async def delete_attempts(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Delete these requests."""
    await connection.execute("DELETE FROM attempts WHERE id = ANY ($1::bigint[])", list(ids))


_IS_ALIVE = f"seen_at > $1::bigint - {WORKER_TTL_MS} AND seen_at < $1::bigint + {WORKER_TTL_MS}"
"""The second condition ends heartbeats that were recorded under a clock far ahead."""


async def record_heartbeat(connection: asyncpg.Connection, worker: WorkerInfo, now: int) -> None:
    """Record a heartbeat, and delete dead workers."""
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(f"DELETE FROM workers WHERE NOT ({_IS_ALIVE})", now)
        await connection.execute(
            f"INSERT INTO workers({WORKER_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON "
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
    """Delete a worker."""
    await connection.execute("DELETE FROM workers WHERE id = $1", worker_id)


async def live_workers(connection: asyncpg.Connection, now: int) -> tuple[WorkerInfo, ...]:
    """Workers with a recent heartbeat in the order of their start, with their leases."""
    rows = await connection.fetch(
        f"SELECT {WORKER_COLUMNS}, (SELECT coalesce(sum(n), 0) FROM leases WHERE owner = w.id AND until > $1::bigint)"
        f" FROM workers w WHERE {_IS_ALIVE} ORDER BY started_at, id",
        now,
    )
    return tuple(worker_from_row(row, row[5]) for row in rows)


async def worker_leases(connection: asyncpg.Connection, now: int) -> tuple[WorkerLeases, ...]:
    """Current leases by environment and worker."""
    rows = await connection.fetch(
        "SELECT e.name, l.owner, sum(l.n)::bigint, max(CASE WHEN l.owner = '' THEN l.until"
        " ELSE least(l.until, greatest(coalesce(w.seen_at, 0), l.until - l.length) + worker_ttl()) END)"
        " FROM leases l JOIN environments e ON e.id = l.environment LEFT JOIN workers w ON w.id = l.owner"
        # the second condition leaves out leases that were made under a clock far ahead: they have expired
        " WHERE l.until > $1::bigint AND l.until <= $1::bigint + 2 * l.length"
        " GROUP BY e.name, l.owner ORDER BY e.name, l.owner",
        now,
    )
    return leases_from_rows(rows)


async def quick_check(connection: asyncpg.Connection) -> VerifyReport:
    """The number of deliveries that failed because of damage."""
    failed = await connection.fetchval("SELECT count(*) FROM deliveries WHERE state = 2 AND error = $1", DAMAGED_ERROR)
    problems = (f"{failed:,} deliveries failed because their stored payload is damaged",) if failed else ()
    return VerifyReport(problems=problems)


async def verify(connection: asyncpg.Connection) -> VerifyReport:
    """Check everything; each pack in a statement of its own, so that no lock is held for long."""
    problems: list[str] = []
    deliveries = packs = at = 0
    while len(problems) < MAX_PROBLEMS:
        row = await connection.fetchrow(
            "SELECT first, raws, bodies, (SELECT min(n.first) FROM packs n WHERE n.first > p.first) FROM packs p"
            " WHERE first > $1 ORDER BY first LIMIT 1",
            at,
        )
        if row is None:
            break
        owned = await connection.fetch(
            "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
            " WHERE d.id >= $1 AND d.id < $2",
            row[0],
            row[3] if row[3] is not None else 1 << 62,
        )
        packs += 1
        deliveries += len(owned)
        problems += check_pack(row[0], row[1], row[2], {owner[0]: (owner[1], owner[2]) for owner in owned})
        at = row[0]
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        kept = Counter({row[:2]: row[2] for row in await connection.fetch("SELECT environment, state, n FROM counts")})
        counted = Counter(
            {
                row[:2]: row[2]
                for row in await connection.fetch(
                    "SELECT environment, state, count(*) FROM deliveries GROUP BY environment, state"
                )
            }
        )
        wrong_blocks = await statistics.wrong_blocks(connection)
    if +kept != +counted:
        problems.append(DAMAGED_COUNTS)
    if wrong_blocks:
        problems.append(DAMAGED_STATISTICS)
    return VerifyReport(deliveries=deliveries, packs=packs, problems=tuple(problems[:MAX_PROBLEMS]))
