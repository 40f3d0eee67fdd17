"""Small tables (environments, counts, changes, identity, positions), and statements over many rows or ids."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from sprig_tui.journal.records import JournalIdentity

_encode_json = msgspec.json.Encoder().encode


def environment_number(connection: sqlite3.Connection, name: str, endpoint: str = "") -> int:
    """The number that stands for an environment and the endpoint that its deliveries are bound for, empty for its own.

    Made on first use (inside the caller's transaction).
    """
    row = connection.execute("SELECT id FROM environments WHERE name = ? AND endpoint = ?", (name, endpoint)).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO environments(name, endpoint) VALUES(?, ?)", (name, endpoint))
        number = int(cursor.lastrowid or 0)
        connection.execute("INSERT INTO lanes(environment) VALUES(?)", (number,))
        return number
    return int(row[0])


def update_counts(connection: sqlite3.Connection, differences: Counter[tuple[int, int]]) -> None:
    """Add to the kept counts: (environment number, state number) -> difference."""
    values = [(*key, difference) for key, difference in differences.items() if difference]
    if values:
        rows = ",".join(["(?, ?, ?)"] * len(values))
        connection.execute(
            f"INSERT INTO counts VALUES {rows} ON CONFLICT DO UPDATE SET n = n + excluded.n", [*chain(*values)]
        )


def encode_ids(numbers: Iterable[int]) -> str:
    """Ids as the JSON list in which tables and statements hold them."""
    return _encode_json(list(numbers)).decode()


decode_ids = msgspec.json.Decoder(list[int]).decode
"""The ids of such a list."""


def record_changes(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Tell followers that these deliveries changed; only the last few thousand notes are kept."""
    told = list(ids)
    if told:
        seq = connection.execute("INSERT INTO changes(ids, n) VALUES(?, ?)", (encode_ids(told), len(told))).lastrowid
        if seq is not None and seq % 256 == 0:
            connection.execute("DELETE FROM changes WHERE seq < ?", (seq - 4096,))


_IN_ID_LIST = "id IN (SELECT value FROM json_each(?))"


class JournalConnection(sqlite3.Connection):
    """A connection that knows whether damage was met in the file."""

    is_damaged = False
    """Rows are looked up one by one: the end of a range is looked for one row further, which may be damaged."""


def with_damage_flag(connection: sqlite3.Connection, is_damaged: bool) -> sqlite3.Connection:
    """The connection, which knows from now on whether damage was met in the file."""
    if isinstance(connection, JournalConnection):
        connection.is_damaged = is_damaged
    return connection


def is_file_damaged(connection: sqlite3.Connection) -> bool:
    """Whether damage was met in the file."""
    return isinstance(connection, JournalConnection) and connection.is_damaged


def execute_for_ids(
    connection: sqlite3.Connection,
    statement: str,
    values_before: Sequence[Any],
    ids: Sequence[int],
    values_after: Sequence[Any] = (),
) -> sqlite3.Cursor:
    """Run a statement whose `{among}` stands for a condition on `id`; parameters stand before and after it.

    A range where the ids follow each other, as they mostly do.
    """
    if _is_contiguous(ids) and not is_file_damaged(connection):
        return connection.execute(
            statement.replace("{among}", "id BETWEEN ? AND ?"), (*values_before, min(ids), max(ids), *values_after)
        )
    return connection.execute(
        statement.replace("{among}", _IN_ID_LIST), (*values_before, encode_ids(ids), *values_after)
    )


def _is_contiguous(ids: Sequence[int]) -> bool:
    return max(ids) - min(ids) + 1 == len(ids)


def insert_rows(connection: sqlite3.Connection, table: str, row: str, values: Sequence[Any]) -> None:
    """Insert rows like `(?, ?)`, given as their values one after the other, by statements of many rows each.

    An executemany would let go of the interpreter's lock at every row. SQLite takes 32,766 values in a statement; few
    sizes keep the statements in its cache.
    """
    start, columns = 0, row.count("?")
    for size in (1000, 100, 10, 1):
        statement = f"INSERT INTO {table} VALUES " + ",".join([row] * size)
        while len(values) - start >= size * columns:
            connection.execute(statement, values[start : start + size * columns])
            start += size * columns


MIN_IDENTITY_VERSION = 3
"""Schema version from which on a new file has one."""


def read_identity(connection: sqlite3.Connection) -> JournalIdentity:
    """Which journal this is."""
    uuid, since = connection.execute("SELECT uuid, since FROM identity").fetchone()
    return JournalIdentity(uuid=uuid, older=since < MIN_IDENTITY_VERSION)


def read_positions(connection: sqlite3.Connection, kind: str) -> dict[str, bytes]:
    """Positions of a kind by key, in the order of their keys."""
    return dict(connection.execute("SELECT key, value FROM positions WHERE kind = ? ORDER BY key", (kind,)).fetchall())


def save_positions(
    connection: sqlite3.Connection, kind: str, updates: Mapping[str, bytes], removed: Sequence[str]
) -> None:
    """Replace or add some, remove others."""
    connection.executemany(
        "INSERT OR REPLACE INTO positions(kind, key, value) VALUES(?, ?, ?)",
        [(kind, key, value) for key, value in updates.items()],
    )
    connection.executemany("DELETE FROM positions WHERE kind = ? AND key = ?", [(kind, key) for key in removed])
