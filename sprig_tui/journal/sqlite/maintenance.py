"""Maintenance: write check, pruning in chunks that hold the lock briefly, vacuum, and the worker table."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sprig_tui.journal.claim_rules import WORKER_TTL_MS
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.maintenance import (
    PRUNE_CHUNK_ROWS,
    PRUNE_SCAN_ROWS,
    WORKER_COLUMNS,
    chunk_result,
    leases_from_rows,
    prune_result,
    worker_from_row,
)
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.readiness import PROBE_WRITE_BYTES
from sprig_tui.journal.records import PruneResult, WorkerInfo, WorkerLeases
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.journal.sqlite import payloads
from sprig_tui.journal.sqlite.identity_index import drop_identities
from sprig_tui.journal.sqlite.tables import drop_counts, encode_ids, execute_for_ids, update_counts
from sprig_tui.journal.sqlite.tombstones import drop_left_by_killed, store_tombstones
from sprig_tui.journal.tombstones import DECIDED_REASONS, PRUNED_COLUMNS, TOMBSTONE_CONDITION, removed_identity

_SELECT_OLDEST = (
    "SELECT added_at FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL"
    " AND priority = ? AND due_at {} ORDER BY due_at, id LIMIT 1"
)
_OLDEST_QUERIES = tuple((_SELECT_OLDEST.format(due), priority) for due in ("= 0", "> 0") for priority in (0, 1))


def check_writable(connection: sqlite3.Connection) -> None:
    """A write without a visible effect that needs what a real one needs: the lock, permission, room for some pages."""
    connection.execute("INSERT OR REPLACE INTO probe(id, filler) VALUES(1, randomblob(?))", (PROBE_WRITE_BYTES,))


def oldest_queued(connection: sqlite3.Connection) -> dict[str, int]:
    """Arrival of the next delivery to be claimed, by environment; one index seek for each priority and kind of due."""
    oldest: dict[str, int] = {}
    for number, name in connection.execute("SELECT id, name FROM environments WHERE endpoint = ''").fetchall():
        for sql, priority in _OLDEST_QUERIES:
            row = connection.execute(sql, (number, priority)).fetchone()
            if row is not None:
                oldest[name] = min(row[0], oldest.get(name, row[0]))
    return oldest


_ENDED_AT = "coalesce(a.started_at + a.latency_ms, d.added_at)"
FROM_ENDED = f"FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt WHERE d.state > 0 AND {_ENDED_AT} < ?"
"""SQL for deliveries `d` that ended before a time, each with its last request `a`."""


def count_prunable(connection: sqlite3.Connection, before: int) -> PruneResult:
    """What `Journal.prune` would delete in total."""
    rows = connection.execute(
        f"SELECT d.state, count(*), sum(d.size) {FROM_ENDED} GROUP BY d.state", (before,)
    ).fetchall()
    return prune_result(rows)


STANDING = f"(d.environment * {len(STATES_BY_CODE)} + d.state) * 2 + (d.state = 3 AND d.reason IN {DECIDED_REASONS})"
"""SQL for what a delivery's tombstone depends on and a person can change without a request, as one number."""


def place_and_state(standing: int) -> tuple[int, int]:
    """The number of the environment and the code of the state in a STANDING."""
    return divmod(standing // 2, len(STATES_BY_CODE))


_COLUMNS_OF_ENDED = ", ".join(
    f"json_group_array({column})"
    for column in (
        "d.id",
        STANDING,
        TOMBSTONE_CONDITION,
        f"CAST({_ENDED_AT} AS INTEGER) / 60000",
        "d.updated_at",
        "d.message_id",
        "hex(d.digest)",
        "d.question_id",
        "d.reason",
    )
)


def ended_columns(connection: sqlite3.Connection, before: int, first: int, last: int) -> list[str] | None:
    """Columns of the deliveries from `first` to `last` that ended before this time, as JSON lists; None for none.

    Id, standing, whether it leaves a tombstone, minute of the end, time of the last update,
    message id, digest in hexadecimal, question id, reason. Nine values of each row would take twice as long.
    """
    number, *columns = connection.execute(
        f"SELECT count(*), {_COLUMNS_OF_ENDED} {FROM_ENDED} AND d.id BETWEEN ? AND ?", (before, first, last)
    ).fetchone()
    columns[6] = columns[6].lower()
    return columns if number else None


def read_places(connection: sqlite3.Connection) -> dict[int, tuple[str, str]]:
    """Name and endpoint of each environment by its number."""
    rows = connection.execute("SELECT id, name, endpoint FROM environments").fetchall()
    return {number: (name, endpoint) for number, name, endpoint in rows}


def newest_id(connection: sqlite3.Connection) -> int:
    """The id of the newest delivery; 0 for none yet."""
    return int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])


def oldest_id(connection: sqlite3.Connection) -> int:
    """The id of the oldest delivery that is left; the next one for none."""
    oldest = "SELECT coalesce((SELECT min(id) FROM deliveries), next_id) FROM sequence"
    return int(connection.execute(oldest).fetchone()[0])


def forget_chunk(connection: sqlite3.Connection, before: int, after_id: int) -> tuple[PruneResult, int]:
    """Delete the next ended deliveries above `after_id` without tombstones.

    Returns them and the last id scanned, 0 at the end.
    """
    newest = newest_id(connection)
    end = after_id + PRUNE_SCAN_ROWS
    rows = connection.execute(
        f"SELECT {REMOVED_COLUMNS} {FROM_ENDED} AND d.id > ? AND d.id <= ? ORDER BY d.id LIMIT ?",
        (before, after_id, end, PRUNE_CHUNK_ROWS),
    ).fetchall()
    reached = rows[-1][0] if len(rows) == PRUNE_CHUNK_ROWS else end
    if rows:
        remove_rows(connection, rows, forget=True)
        blank_removed(connection, rows[0][0], rows[-1][0])
    return chunk_result(rows), reached if reached < newest else 0


REMOVED_COLUMNS = f"d.id, d.state, d.size, d.environment, {_ENDED_AT}, {TOMBSTONE_CONDITION}, {PRUNED_COLUMNS}"
"""Columns of a delivery that `remove_rows` needs, from `deliveries d LEFT JOIN attempts a`."""


def remove_rows(connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *, forget: bool = False) -> None:
    """Remove these deliveries, rows of REMOVED_COLUMNS in the order of their ids, and packs that are empty then.

    Tombstones are left of them, as `Journal.prune` says.
    """
    places = read_places(connection)
    gone: Counter[tuple[int, int]] = Counter()
    for row in rows:
        gone[row[3], row[1]] -= 1
    ids = [row[0] for row in rows]
    keys = [identity_key(places[row[3]][0], row[6]) for row in rows]
    drop_left_by_killed(connection, keys, ids)
    drop_identities(connection, keys, ids)
    if not forget:
        store_tombstones(
            connection,
            [
                (removed_identity(row[0], places[row[3]][0], row[1], row[6:]), row[3], row[4])
                for row in rows
                if row[5] and not places[row[3]][1]
            ],
        )
    delete_rows(connection, ids)
    update_counts(connection, gone)


def delete_rows(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Delete the rows of these deliveries, ascending, and what only they refer to, but identities and counts."""
    connection.execute("PRAGMA secure_delete = ON")  # SQLite leaves what is deleted in the file otherwise
    execute_for_ids(connection, "DELETE FROM history WHERE {among}", (), ids, column="delivery")
    execute_for_ids(connection, "DELETE FROM deliveries WHERE {among}", (), ids)
    drop_counts(connection, ids)
    _delete_empty_packs(connection, ids[0], ids[-1])


def blank_removed(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Drop the payloads of removed deliveries in the packs that others share with them, from `first` to `last`."""
    for pack_first in payloads.pack_firsts(connection, first, last):
        # what is damaged cannot be read anyway
        with contextlib.suppress(DamagedPayloadError):
            payloads.blank(connection, pack_first, frozenset())


def _delete_empty_packs(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Delete packs without remaining deliveries, from the one of delivery `first` to the one of `last`."""
    firsts = payloads.pack_firsts(connection, first, last)
    for position, start in enumerate(firsts):
        after = firsts[position + 1] if position + 1 < len(firsts) else None
        if after is None:
            after = connection.execute(
                "SELECT coalesce(min(first), (SELECT next_id FROM sequence)) FROM packs WHERE first > ?", (start,)
            ).fetchone()[0]
        left = connection.execute(
            "SELECT EXISTS(SELECT 1 FROM deliveries WHERE id >= ? AND id < ?)", (start, after)
        ).fetchone()[0]
        if not left:
            connection.execute("DELETE FROM packs WHERE first = ?", (start,))


def unused_attempts(connection: sqlite3.Connection, before: int) -> list[int]:
    """Requests that no delivery refers to; to be called on a reader, because it scans every row.

    They stay unused: deliveries only get new requests.
    """
    rows = connection.execute(
        "SELECT id FROM attempts WHERE started_at < ? AND id NOT IN (SELECT attempt FROM history)"
        " AND id NOT IN (SELECT attempt FROM deliveries WHERE attempt IS NOT NULL)",
        (before,),
    ).fetchall()
    return [row[0] for row in rows]


def delete_attempts(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Delete these requests."""
    connection.execute("DELETE FROM attempts WHERE id IN (SELECT value FROM json_each(?))", (encode_ids(ids),))


VACUUM_PAGES = 500
"""Pages released in one transaction, some 2 MB: it holds the lock meanwhile."""


def vacuum_step(connection: sqlite3.Connection, pages: int = VACUUM_PAGES) -> bool:
    """Release some unused pages to the file system; returns whether there are more. Older files cannot shrink."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        return False
    before = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(pages, before)):
        # Python steps a statement without columns once, and each step of this one releases one page
        connection.execute("PRAGMA incremental_vacuum(1)")
    after = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return bool(0 < after < before)


_IS_ALIVE = "seen_at > ? AND seen_at < ?"
"""The second condition ends heartbeats that were recorded under a clock far ahead."""


def record_heartbeat(connection: sqlite3.Connection, worker: WorkerInfo, now: int) -> None:
    """Record a heartbeat, and delete dead workers."""
    connection.execute(f"DELETE FROM workers WHERE NOT ({_IS_ALIVE})", _ttl_window(now))
    connection.execute(
        f"INSERT OR REPLACE INTO workers({WORKER_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    """Delete a worker."""
    connection.execute("DELETE FROM workers WHERE id = ?", (worker_id,))


def live_workers(connection: sqlite3.Connection, now: int) -> tuple[WorkerInfo, ...]:
    """Workers with a recent heartbeat in the order of their start, with their leases."""
    rows = connection.execute(
        f"SELECT {WORKER_COLUMNS}, (SELECT coalesce(sum(n), 0) FROM leases WHERE owner = w.id AND until > ?)"
        f" FROM workers w WHERE {_IS_ALIVE} ORDER BY started_at, id",
        (now, *_ttl_window(now)),
    ).fetchall()
    return tuple(worker_from_row(row, json.loads(row[5])) for row in rows)


def worker_leases(connection: sqlite3.Connection, now: int) -> tuple[WorkerLeases, ...]:
    """Current leases by environment and worker."""
    rows = connection.execute(
        "SELECT e.name, l.owner, sum(l.n), max(CASE WHEN l.owner = '' THEN l.until"
        " ELSE min(l.until, max(coalesce(w.seen_at, 0), l.until - l.length) + :ttl) END)"
        " FROM leases l JOIN environments e ON e.id = l.environment LEFT JOIN workers w ON w.id = l.owner"
        # the second condition leaves out leases that were made under a clock far ahead: they have expired
        " WHERE l.until > :now AND l.until <= :now + 2 * l.length GROUP BY e.name, l.owner ORDER BY e.name, l.owner",
        {"now": now, "ttl": WORKER_TTL_MS},
    ).fetchall()
    return leases_from_rows(rows)


def _ttl_window(now: int) -> tuple[int, int]:
    return now - WORKER_TTL_MS, now + WORKER_TTL_MS
