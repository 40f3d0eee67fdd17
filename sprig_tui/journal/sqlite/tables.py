"""Small tables (environments, counts, changes, identity, positions), and statements over many rows or ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from sprig_tui.journal.block_counts import BLOCK_IDS, blocks_of, new_mark
from sprig_tui.journal.forgetting import KeyedPersons
from sprig_tui.journal.records import JournalIdentity
from sprig_tui.journal.tombstone_filter import TombstoneFilter

_encode_json = msgspec.json.Encoder().encode


def environment_number(connection: sqlite3.Connection, name: str, endpoint: str = "") -> int:
    """The number of an environment and an endpoint (empty for its own); created on first use."""
    row = connection.execute("SELECT id FROM environments WHERE name = ? AND endpoint = ?", (name, endpoint)).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO environments(name, endpoint) VALUES(?, ?)", (name, endpoint))
        number = int(cursor.lastrowid or 0)
        connection.execute("INSERT INTO lanes(environment) VALUES(?)", (number,))
        return number
    return int(row[0])


def update_counts(connection: sqlite3.Connection, differences: Mapping[tuple[int, int], int]) -> None:
    """Add to the maintained counts: (environment number, state code) -> difference."""
    values = [(*key, difference) for key, difference in differences.items() if difference]
    if values:
        rows = ",".join(["(?, ?, ?)"] * len(values))
        connection.execute(
            f"INSERT INTO counts VALUES {rows} ON CONFLICT DO UPDATE SET n = n + excluded.n", [*chain(*values)]
        )


def encode_ids(numbers: Iterable[int]) -> str:
    """Ids as a JSON list, the form in tables and parameters."""
    return _encode_json(list(numbers)).decode()


decode_ids = msgspec.json.Decoder(list[int]).decode
"""The ids of a JSON list."""


_MARK_STALE = "INSERT INTO stale_counts(block, mark) VALUES(?, ?) ON CONFLICT DO UPDATE SET mark = excluded.mark"


def mark_stale(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Record that the statistics of these deliveries are no longer what is kept of their blocks."""
    for block in blocks_of(ids):
        connection.execute(_MARK_STALE, (block, new_mark()))


def drop_counts(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Remove what is kept of the blocks of these deliveries: it has marks of their users, and they are to be gone."""
    for block in blocks_of(ids):
        connection.execute(_MARK_STALE, (block, new_mark()))
        connection.execute("DELETE FROM kept_counts WHERE block = ?", (block,))


MARK_ALL_STALE = f"""
INSERT OR REPLACE INTO stale_counts(block, mark)
  WITH RECURSIVE blocks(block) AS (SELECT min(id) / {BLOCK_IDS} FROM deliveries
    UNION ALL SELECT block + 1 FROM blocks WHERE block < (SELECT max(id) / {BLOCK_IDS} FROM deliveries))
  SELECT block, random() FROM blocks WHERE block IS NOT NULL;
"""
"""Has all statistics counted again, block by block; until then they are counted from the rows."""


def mark_all_stale(connection: sqlite3.Connection) -> None:
    """Have the statistics of all deliveries counted again."""
    connection.execute("DELETE FROM kept_counts")
    connection.execute(MARK_ALL_STALE)


def record_changes(connection: sqlite3.Connection, ids: Iterable[int], *, counted: bool = True) -> None:
    """Record that these deliveries changed; only the last few thousand records are kept.

    Without `counted` nothing that the statistics count has changed.
    """
    changed = list(ids)
    if changed:
        if counted:
            mark_stale(connection, changed)
        seq = connection.execute(
            "INSERT INTO changes(ids, n) VALUES(?, ?)", (encode_ids(changed), len(changed))
        ).lastrowid
        if seq is not None and seq % 256 == 0:
            connection.execute("DELETE FROM changes WHERE seq < ?", (seq - 4096,))


class JournalConnection(sqlite3.Connection):
    """A connection with a flag for damage in the file, and what it has read of the tombstone filter."""

    is_damaged = False
    """If set, rows are looked up one by one: a range scan reads one row further, which may be damaged."""
    tombstone_filter: TombstoneFilter | None = None
    """None until the first look-up."""
    forgotten: KeyedPersons | None = None
    """The forgotten persons, as this connection has read them last."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.unmerged_parts: list[int] = []
        """Parts of the recent identities that a merge which has begun has not moved yet."""


def with_damage_flag(connection: sqlite3.Connection, is_damaged: bool) -> sqlite3.Connection:
    """The connection with its flag set."""
    if isinstance(connection, JournalConnection):
        connection.is_damaged = is_damaged
    return connection


def is_file_damaged(connection: sqlite3.Connection) -> bool:
    """Whether damage was found in the file."""
    return isinstance(connection, JournalConnection) and connection.is_damaged


def named_values(compiled: Sequence[Any], **others: Any) -> dict[str, Any]:
    """Parameters of a statement with a compiled query: its values are `:v1`, `:v2` ...; the others have their names.

    A sequence would do, but Python 3.12 deprecates one for placeholders that have numbers or names.
    """
    return {f"v{number}": value for number, value in enumerate(compiled, 1)} | others


def execute_for_ids(
    connection: sqlite3.Connection,
    statement: str,
    values_before: Sequence[Any],
    ids: Sequence[int],
    values_after: Sequence[Any] = (),
    *,
    column: str = "id",
) -> sqlite3.Cursor:
    """Run a statement with a condition on the column in place of `{among}`, between the other parameters.

    The condition is a range for consecutive ids, which is the usual case.
    """
    if _is_contiguous(ids) and not is_file_damaged(connection):
        among, values = f"{column} BETWEEN ? AND ?", (min(ids), max(ids))
        return connection.execute(statement.replace("{among}", among), (*values_before, *values, *values_after))
    among = f"{column} IN (SELECT value FROM json_each(?))"
    return connection.execute(statement.replace("{among}", among), (*values_before, encode_ids(ids), *values_after))


def _is_contiguous(ids: Sequence[int]) -> bool:
    return max(ids) - min(ids) + 1 == len(ids)


def insert_rows(
    connection: sqlite3.Connection, table: str, row: str, values: Sequence[Any], on_conflict: str = ""
) -> int:
    """Insert rows like `(?, ?)`, given as one flat list of values; returns how many were inserted or updated."""
    return _execute_for_rows(connection, f"INSERT INTO {table} VALUES ", row, on_conflict, (), values)


def insert_columns(
    connection: sqlite3.Connection, table: str, common: Mapping[str, Any], columns: Mapping[str, Iterable[Any]]
) -> None:
    """Insert rows, given column by column; `common` has the columns with one value for all rows.

    A common value is bound once, which takes a third less for rows that have half of their values in common. For values
    of other types than int, str and bytearray sqlite3 looks up an adapter, which costs a third of an insert.
    """
    selected = ",".join(["?"] * len(common) + [f"column{number}" for number in range(1, len(columns) + 1)])
    before = f"INSERT INTO {table}({','.join((*common, *columns))}) SELECT {selected} FROM (VALUES "
    row = f"({','.join('?' * len(columns))})"
    values = [*chain.from_iterable(zip(*columns.values(), strict=True))]
    _execute_for_rows(connection, before, row, ")", [*common.values()], values)


def _execute_for_rows(
    connection: sqlite3.Connection, before: str, row: str, after: str, common: Sequence[Any], values: Sequence[Any]
) -> int:
    """Run statements of many rows each; returns how many rows they changed.

    An executemany would release the GIL at every row.
    A few fixed sizes keep the statements in the cache of the connection; longer ones leave that of the processor.
    """
    start, columns, changed = 0, row.count("?"), 0
    for size in (250, 50, 10, 1):
        statement = before + ",".join([row] * size) + after
        while len(values) - start >= size * columns:
            changed += connection.execute(statement, [*common, *values[start : start + size * columns]]).rowcount
            start += size * columns
    return changed


MIN_IDENTITY_VERSION = 3
"""First schema version whose new files have an identity."""


def read_identity(connection: sqlite3.Connection) -> JournalIdentity:
    """The identity of the journal."""
    uuid, since = connection.execute("SELECT uuid, since FROM identity").fetchone()
    return JournalIdentity(uuid=uuid, older=since < MIN_IDENTITY_VERSION)


def read_positions(connection: sqlite3.Connection, kind: str) -> dict[str, bytes]:
    """Positions of a kind by key, ordered by key."""
    return dict(connection.execute("SELECT key, value FROM positions WHERE kind = ? ORDER BY key", (kind,)).fetchall())


def save_positions(
    connection: sqlite3.Connection, kind: str, updates: Mapping[str, bytes], removed: Sequence[str]
) -> None:
    """Insert or replace positions, and delete the removed ones."""
    connection.executemany(
        "INSERT OR REPLACE INTO positions(kind, key, value) VALUES(?, ?, ?)",
        [(kind, key, value) for key, value in updates.items()],
    )
    connection.executemany("DELETE FROM positions WHERE kind = ? AND key = ?", [(kind, key) for key in removed])
