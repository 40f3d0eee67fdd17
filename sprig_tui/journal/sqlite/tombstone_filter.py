"""Rows of the tombstone filter in the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from sprig_tui.journal.tombstone_filter import (
    FILTER_COLUMNS,
    SCAN_KEYS,
    Bitmap,
    FilterRow,
    FilterState,
    TombstoneFilter,
    bitmap_row,
    filter_state,
    installed_row,
    joined_row,
    log_row,
    lost_row,
)


def candidates(connection: sqlite3.Connection, known: TombstoneFilter, keys: Collection[int]) -> Collection[int]:
    """Those keys that may have a tombstone; reads into `known` what it lacks."""
    seq = _last_seq(connection)
    if not seq or not keys:
        return ()
    if not known.is_wanted(len(keys)):
        return keys
    if seq != known.seq and not known.follow(_read(connection, known.seq), known.seq):
        known.follow(_read(connection, 0), 0)
    return known.candidates(keys)


def read_state(connection: sqlite3.Connection) -> FilterState | None:
    """What the rows hold; None for nothing."""
    return filter_state(connection.execute("SELECT seq, bits, n FROM tombstone_filter ORDER BY seq").fetchall())


def log_keys(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Tell of new tombstones, in the transaction that stores them."""
    _insert(connection, log_row(_last_seq(connection), keys))


def log_loss(connection: sqlite3.Connection) -> None:
    """Tell that the filter was lost."""
    _insert(connection, lost_row(_last_seq(connection)))


def join_log(connection: sqlite3.Connection) -> None:
    """Set the bits of the logged keys in the bitmap, which is large enough."""
    row = joined_row(_read(connection, 0))
    if row is None:
        log_loss(connection)
    else:
        _replace(connection, row)


def scan_keys(connection: sqlite3.Connection, bitmap: Bitmap, after: int) -> tuple[int, int]:
    """Set the bits of the next tombstones above this key; returns their number and the last key."""
    keys = [
        row[0]
        for row in connection.execute(
            "SELECT key FROM tombstones WHERE key > ? ORDER BY key LIMIT ?", (after, SCAN_KEYS)
        )
    ]
    bitmap.add(keys)
    return len(keys), keys[-1] if keys else after


def install(connection: sqlite3.Connection, bitmap: Bitmap, keys: int, since: int) -> None:
    """Let a bitmap take the place of all rows, unless another one was installed since its scan began."""
    row = installed_row(bitmap, keys, _read(connection, since + 1), since)
    if row is not None:
        _replace(connection, row)


def build(connection: sqlite3.Connection) -> None:
    """Build the bitmap from all tombstones at once."""
    bitmap = Bitmap.for_keys(connection.execute("SELECT count(*) FROM tombstones").fetchone()[0])
    number, keys, last = -1, 0, -1
    while number:
        number, last = scan_keys(connection, bitmap, last)
        keys += number
    _replace(connection, bitmap_row(_last_seq(connection), bitmap, keys))


def _last_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM tombstone_filter").fetchone()[0])


def _read(connection: sqlite3.Connection, since: int) -> list[FilterRow]:
    return connection.execute(
        f"SELECT {FILTER_COLUMNS} FROM tombstone_filter WHERE seq >= ? ORDER BY seq", (since,)
    ).fetchall()


def _insert(connection: sqlite3.Connection, row: FilterRow) -> None:
    connection.execute(f"INSERT INTO tombstone_filter({FILTER_COLUMNS}) VALUES(?, ?, ?, ?, ?)", row)


def _replace(connection: sqlite3.Connection, row: FilterRow) -> None:
    connection.execute("DELETE FROM tombstone_filter")
    _insert(connection, row)
