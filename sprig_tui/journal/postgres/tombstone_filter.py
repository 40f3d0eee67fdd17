"""Rows of the tombstone filter at the server."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from sprig_tui.journal.postgres.schema import LOCK_NAMESPACE
from sprig_tui.journal.tombstone_filter import (
    FILTER_COLUMNS,
    SCAN_KEYS,
    Bitmap,
    FilterRow,
    FilterState,
    TombstoneFilter,
    filter_state,
    installed_row,
    joined_row,
    log_row,
    lost_row,
)

_LOCK = f"SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 4)"
"""Until the end of the transaction, so that rows become visible in their order."""


async def follow(connection: asyncpg.Connection, known: TombstoneFilter) -> None:
    """Read into `known` what it lacks."""
    since = known.seq
    if not known.follow(await _read(connection, since), since):
        known.follow(await _read(connection, 0), 0)


async def read_state(connection: asyncpg.Connection) -> FilterState | None:
    """What the rows hold; None for nothing."""
    return filter_state(await connection.fetch("SELECT seq, bits, n FROM tombstone_filter ORDER BY seq"))


async def log_keys(connection: asyncpg.Connection, keys: Sequence[int]) -> None:
    """Tell of new tombstones, in the transaction that stores them."""
    await connection.execute(_LOCK)
    await _insert(connection, log_row(await _last_seq(connection), keys))


async def join_log(connection: asyncpg.Connection) -> None:
    """Set the bits of the logged keys in the bitmap, which is large enough; in the caller's transaction."""
    await connection.execute(_LOCK)
    row = joined_row(await _read(connection, 0))
    if row is None:
        await _insert(connection, lost_row(await _last_seq(connection)))
    else:
        await _replace(connection, row)


async def scan_keys(connection: asyncpg.Connection, bitmap: Bitmap, after: int) -> tuple[int, int]:
    """Set the bits of the next tombstones above this key; returns their number and the last key."""
    rows = await connection.fetch("SELECT key FROM tombstones WHERE key > $1 ORDER BY key LIMIT $2", after, SCAN_KEYS)
    bitmap.add(row[0] for row in rows)
    return len(rows), rows[-1][0] if rows else after


async def install(connection: asyncpg.Connection, bitmap: Bitmap, keys: int, since: int) -> None:
    """Let a bitmap take the place of all rows, unless another one was installed since its scan began.

    In the caller's transaction.
    """
    await connection.execute(_LOCK)
    row = installed_row(bitmap, keys, await _read(connection, since + 1), since)
    if row is not None:
        await _replace(connection, row)


async def _last_seq(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM tombstone_filter"))


async def _read(connection: asyncpg.Connection, since: int) -> list[FilterRow]:
    rows: list[FilterRow] = await connection.fetch(
        f"SELECT {FILTER_COLUMNS} FROM tombstone_filter WHERE seq >= $1 ORDER BY seq", since
    )
    return rows


async def _insert(connection: asyncpg.Connection, row: FilterRow) -> None:
    await connection.execute(f"INSERT INTO tombstone_filter({FILTER_COLUMNS}) VALUES ($1, $2, $3, $4, $5)", *row)


async def _replace(connection: asyncpg.Connection, row: FilterRow) -> None:
    await connection.execute("DELETE FROM tombstone_filter")
    await _insert(connection, row)
