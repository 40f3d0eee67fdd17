"""Tombstones of a damaged file: all but those in damaged pages. For repair and salvage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from sprig_tui.journal.dedup import KEY_MASK
from sprig_tui.journal.sqlite.errors import is_bad_text, is_damage
from sprig_tui.journal.tombstones import FINGERPRINT_BYTES

Row = tuple[int, int, int, bytes]
"""Key, number of the environment, minute of the end, fingerprint."""
_COPY_ROWS = 1_024
_FIRST_STEP = 1 << 40
"""Keys skipped after damage at first, then twice as many each time; of 10,000,000 tombstones a page has 2 ** 46."""
_SELECT = "SELECT key, environment, ended_at, fingerprint FROM tombstones WHERE key > ? AND key <= ? ORDER BY key"


def readable_tombstones(connection: sqlite3.Connection, gaps: list[int]) -> Iterator[list[Row]]:
    """The rows of a damaged file that can be read, in parts; the key before each that cannot is added to `gaps`."""
    after, limit = -1, _COPY_ROWS
    while after < KEY_MASK:
        rows = _rows_after(connection, after, limit)
        if rows:
            yield rows
            after, limit = rows[-1][0], _COPY_ROWS
        elif rows is not None:
            return
        elif limit > 1:
            limit //= 2
        else:
            gaps.append(after)
            found = _next_readable(connection, after)
            if found is None:
                return
            yield from _rows_down_to_damage(connection, found, after)
            after, limit = found, _COPY_ROWS


def _rows_after(connection: sqlite3.Connection, after: int, limit: int) -> list[Row] | None:
    """The next rows; None if one of them is damaged."""
    return _read_rows(connection, f"{_SELECT} LIMIT ?", (after, KEY_MASK, limit))


def _next_readable(connection: sqlite3.Connection, after: int) -> int | None:
    """The key of a readable row not far above the damaged one that follows this key."""
    step = _FIRST_STEP
    while after + step < KEY_MASK:
        rows = _rows_after(connection, after + step, 1)
        if rows:
            return rows[0][0]
        if rows is not None:
            return None
        step *= 2
    return None


def _rows_down_to_damage(connection: sqlite3.Connection, at: int, after: int) -> Iterator[list[Row]]:
    """The rows from this key down to the damage above `after`."""
    limit, high = _COPY_ROWS, at
    while limit:
        rows = _read_rows(connection, f"{_SELECT} DESC LIMIT ?", (after, high, limit))
        if rows:
            yield rows
            high = rows[-1][0] - 1
        elif rows is not None:
            return
        else:
            limit //= 2


def _read_rows(connection: sqlite3.Connection, statement: str, values: tuple[int, int, int]) -> list[Row] | None:
    try:
        rows: list[Row] = connection.execute(statement, values).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and not is_bad_text(error):
            raise
        return None
    except UnicodeDecodeError:
        return None
    low, high, _ = values
    keys = [row[0] for row in rows]
    ordered = keys == sorted(keys, reverse="DESC" in statement) and all(low < key <= high for key in keys)
    return rows if ordered and all(_is_whole(row) for row in rows) else None


def _is_whole(row: Sequence[Any]) -> bool:
    """Whether a row is what was stored, and not what a damaged page made of it."""
    _, number, minute, fingerprint = row
    return (
        isinstance(number, int)
        and isinstance(minute, int)
        and isinstance(fingerprint, bytes)
        and len(fingerprint) == FINGERPRINT_BYTES
    )


def copy_rows(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Insert rows of another file or table."""
    connection.executemany(
        "INSERT OR IGNORE INTO tombstones(key, environment, ended_at, fingerprint) VALUES(?, ?, ?, ?)", rows
    )
