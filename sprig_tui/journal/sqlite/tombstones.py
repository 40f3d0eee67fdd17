"""Tombstones in the file: look-up, storing while pruning, deletion by age, and counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from sprig_tui.journal.dedup import StoredIdentity, identity_key
from sprig_tui.journal.records import TombstoneCounts
from sprig_tui.journal.sqlite import tombstone_filter
from sprig_tui.journal.sqlite.tables import JournalConnection, encode_ids
from sprig_tui.journal.sqlite.tombstone_records import make_records, store_records
from sprig_tui.journal.tombstone_filter import TombstoneFilter
from sprig_tui.journal.tombstones import (
    SQLITE_TOMBSTONE_BYTES,
    Tombstone,
    end_minute,
    first_kept_minute,
    make_fingerprint,
)

FORGET_SCAN_ROWS = 50_000
"""Tombstones scanned in one transaction: it holds the lock meanwhile."""
_MAX_COUNTED = 1_000
"""Environments counted each for itself; SQLite takes 2,000 columns."""


def find_tombstones(connection: sqlite3.Connection, keys: Collection[int]) -> dict[int, Tombstone]:
    """The tombstones with these keys."""
    if isinstance(connection, JournalConnection):
        if connection.tombstone_filter is None:
            connection.tombstone_filter = TombstoneFilter()
        keys = tombstone_filter.candidates(connection, connection.tombstone_filter, keys)
    if not keys:
        return {}
    rows = connection.execute(
        "SELECT key, fingerprint FROM tombstones WHERE key IN (SELECT value FROM json_each(?))",
        (encode_ids(sorted(keys)),),
    ).fetchall()
    return {key: Tombstone(fingerprint) for key, fingerprint in rows}


def store_tombstones(connection: sqlite3.Connection, removed: Iterable[tuple[StoredIdentity, int, float]]) -> None:
    """Leave a tombstone for each of (delivery, number of its environment, time of its end in ms)."""
    rows = [*removed]
    records = make_records(
        [identity_key(stored.environment, stored.message_id) for stored, _, _ in rows],
        [number for _, number, _ in rows],
        [end_minute(ended_at) for _, _, ended_at in rows],
        [make_fingerprint(stored) for stored, _, _ in rows],
    )
    store_records(connection, b"".join(sorted(records)))


def drop_tombstones(connection: sqlite3.Connection, keys: Collection[int]) -> None:
    """Delete the tombstones with these keys."""
    connection.execute("DELETE FROM tombstones WHERE key IN (SELECT value FROM json_each(?))", (encode_ids(keys),))


_LEFT_BY_KILLED = (
    "SELECT t.key, t.fingerprint, d.id, e.name, d.message_id FROM json_each(?) k CROSS JOIN tombstones t"
    " ON t.key = k.value CROSS JOIN {} i ON i.key = t.key CROSS JOIN deliveries d ON d.id = i.delivery"
    " CROSS JOIN environments e ON e.id = d.environment"
)


def drop_left_by_killed(connection: sqlite3.Connection, keys: Collection[int], ids: Collection[int]) -> None:
    """Delete what a killed prune left of these deliveries, which hold identities with these keys and are there still.

    Such a tombstone names an end that may have changed since. Where another delivery took the identity over, its
    tombstone stays, and so does that of another identity with the same key.
    """
    wanted, left = frozenset(ids), []
    for table in ("recent_ids", "ids"):
        for key, fingerprint, delivery_id, name, message_id in connection.execute(
            _LEFT_BY_KILLED.format(table), (encode_ids(keys),)
        ).fetchall():
            if delivery_id in wanted and Tombstone(fingerprint).identity(name, message_id) is not None:
                left.append(key)
    if left:
        drop_tombstones(connection, left)


def count_forgettable(connection: sqlite3.Connection, before: int) -> int:
    """Number of tombstones of deliveries that ended before this time."""
    return int(
        connection.execute(
            "SELECT count(*) FROM tombstones WHERE ended_at < ?", (first_kept_minute(before),)
        ).fetchone()[0]
    )


def count_all(connection: sqlite3.Connection) -> int:
    """Number of all tombstones."""
    return int(connection.execute("SELECT count(*) FROM tombstones").fetchone()[0])


def forget_chunk(connection: sqlite3.Connection, before: int, after: int) -> tuple[int, int]:
    """Delete old ones among the next tombstones above key `after`; returns their number and the last key (-1: end)."""
    last = connection.execute(
        "SELECT max(key), count(*) FROM (SELECT key FROM tombstones WHERE key > ? ORDER BY key LIMIT ?)",
        (after, FORGET_SCAN_ROWS),
    ).fetchone()
    if not last[1]:
        return 0, -1
    gone = connection.execute(
        "DELETE FROM tombstones WHERE key > ? AND key <= ? AND ended_at < ?",
        (after, last[0], first_kept_minute(before)),
    ).rowcount
    return gone, last[0] if last[1] == FORGET_SCAN_ROWS else -1


def count_tombstones(connection: sqlite3.Connection) -> TombstoneCounts:
    """Number of tombstones by environment, in one pass: a GROUP BY would sort them all."""
    places = connection.execute(
        "SELECT id, name FROM environments WHERE endpoint = '' ORDER BY id LIMIT ?", (_MAX_COUNTED,)
    ).fetchall()
    sums = "".join(f", total(environment = {int(number)})" for number, _ in places)
    total, *numbers = connection.execute(f"SELECT count(*){sums} FROM tombstones").fetchone()
    by_environment = {name: int(n) for (_, name), n in zip(places, numbers, strict=True) if n}
    if rest := total - sum(by_environment.values()):
        by_environment[""] = by_environment.get("", 0) + rest
    return TombstoneCounts(by_environment, total * SQLITE_TOMBSTONE_BYTES)
