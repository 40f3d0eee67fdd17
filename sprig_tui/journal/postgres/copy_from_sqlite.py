"""Copy of a journal from its SQLite file to a server; the tables have the same columns, and ids are kept.

Each chunk of rows is stored in one transaction with the progress, so that an interrupted copy can be resumed.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec
from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.errors import JournalError
from sprig_tui.journal.forget_key import copy_key, key_file_beside, key_file_in
from sprig_tui.journal.postgres import maintenance
from sprig_tui.journal.postgres.connection import ServerPool, sanitize_text
from sprig_tui.journal.postgres.schema import LOCK_NAMESPACE, MIN_IDENTITY_VERSION
from sprig_tui.journal.postgres.statistics import MARK_ALL_STALE
from sprig_tui.journal.records import WorkerInfo
from sprig_tui.journal.sqlite import SQLiteJournal, tables
from sprig_tui.journal.sqlite.connection import open_existing
from sprig_tui.journal.sqlite.errors import journal_error
from sprig_tui.journal.url import redact_url

T = TypeVar("T")

COPY_CHUNK_ROWS = 5_000
"""Rows in one transaction; for packs, of up to a megabyte each, a hundredth of that."""
_HAS_DELIVERY = "EXISTS (SELECT 1 FROM deliveries WHERE id = delivery)"
"""A prune leaves keys of removed deliveries in the file for a while."""
_COPY_LOCK = (LOCK_NAMESPACE, 3)


class _TableSpec(Struct, frozen=True):
    """A table: how it is read from the file, and its columns at the server."""

    name: str
    columns: tuple[str, ...]
    select: str
    """Statement for the file: selects the key to page by, then the columns."""
    key: str
    """Column at the server to page by."""
    flags: tuple[int, ...] = ()
    """Positions of columns that are integers in the file and booleans at the server."""
    chunk_rows: int = COPY_CHUNK_ROWS


_DELIVERY_COLUMNS = (
    *("id", "environment", "state", "priority", "due_at", "attempts", "tries", "first_try", "attempt", "added_at"),
    *("answered_at", "updated_at", "size", "line", "message_id", "digest", "reason", "detail", "error", "survey_id"),
    *("survey_name", "user_id", "question_type", "question_id", "answer", "source", "edited", "origin"),
)
_ATTEMPT_COLUMNS = (
    *("id", "environment", "started_at", "status", "error", "outcome", "latency_ms", "events", "body_bytes"),
    *("excerpt", "endpoint"),
)
_LANE_COLUMNS = (
    *("environment", "state", "until", "cause", "failures", "since", "epoch", "last_status", "last_at"),
    *("next_slot", "pauses", "reason", "detail", "reason_epoch"),
)
_REPLAY_COLUMNS = (
    *("id", "filter", "query", "as_new", "state", "created_at", "cursor", "last_id", "total", "queued"),
    *("skipped", "elsewhere"),
)


def _table_spec(name: str, columns: tuple[str, ...], key: str = "id", **more: Any) -> _TableSpec:
    select = f"SELECT {key}, {', '.join(columns)} FROM {name} WHERE {key} > :after ORDER BY {key} LIMIT :limit"
    return _TableSpec(name, columns, select, key, **more)


_TABLES = (
    _table_spec("environments", ("id", "name", "endpoint")),
    _table_spec("attempts", _ATTEMPT_COLUMNS),
    _table_spec("deliveries", _DELIVERY_COLUMNS, flags=(_DELIVERY_COLUMNS.index("edited"),)),
    _TableSpec(
        "history",
        ("delivery", "attempt"),
        # paged by delivery, with all rows of the last one
        "SELECT delivery, delivery, attempt FROM history WHERE delivery > :after AND delivery <= (SELECT"
        " coalesce(max(d), 0) FROM (SELECT delivery AS d FROM history WHERE delivery > :after ORDER BY delivery"
        " LIMIT :limit))"
        " ORDER BY delivery, attempt",
        "delivery",
    ),
    _TableSpec(
        "ids",
        ("key", "delivery"),
        "SELECT key, key, delivery FROM (SELECT key, delivery FROM ids UNION ALL SELECT key, delivery FROM recent_ids)"
        f" WHERE key > :after AND {_HAS_DELIVERY} ORDER BY key LIMIT :limit",
        "key",
    ),
    _table_spec("packs", ("first", "raws", "bodies"), "first", chunk_rows=COPY_CHUNK_ROWS // 100),
    _table_spec("lanes", _LANE_COLUMNS, "environment"),
    _table_spec("replays", _REPLAY_COLUMNS, flags=(_REPLAY_COLUMNS.index("as_new"),)),
    _table_spec("tombstones", ("key", "environment", "ended_at", "fingerprint"), "key"),
    _table_spec("tombstone_filter", ("seq", "bits", "n", "checksum", "content"), "seq", chunk_rows=1),
)
_FORGET_TABLES = {
    "forgotten": ("hash", "kind", "since", "receipt"),
    "forget_receipts": ("id", "action", "actor", "started_at", "ended_at", "counts", "regulation"),
    "forget_state": ("version", "key_check"),
}
"""Small tables, copied at once."""
_FINAL_STATEMENTS = (
    "SELECT setval('delivery_ids', $1, true)",
    "SELECT setval(pg_get_serial_sequence('attempts', 'id'), greatest((SELECT max(id) FROM attempts), 1))",
    "SELECT setval(pg_get_serial_sequence('environments', 'id'), greatest((SELECT max(id) FROM environments), 1))",
    "SELECT setval(pg_get_serial_sequence('replays', 'id'), greatest((SELECT max(id) FROM replays), 1))",
    "DELETE FROM counts",
    "INSERT INTO counts SELECT environment, state, count(*) FROM deliveries GROUP BY environment, state",
    "DELETE FROM kept_counts",
    MARK_ALL_STALE,
)


class CopyProgress(Struct, frozen=True):
    """Progress of one table."""

    verb: str
    """`copied` or `compared`."""
    table: str
    rows: int
    total: int


class CopiedTable(Struct, frozen=True):
    """A table that is equal on both sides."""

    table: str
    rows: int
    digest: str
    """Digest of all its rows in the order of its key."""


async def copy_journal(
    path: str, url: str, *, on_progress: Callable[[CopyProgress], None], key_folder: Path | None = None
) -> tuple[CopiedTable, ...]:
    """Copy the journal in the file at `path` to the empty one at `url`, or resume that; then compare them.

    The list of forgotten persons is copied too, and its key to `key_folder`.

    Raises JournalError if one of them cannot be opened or is in use, or if they differ in the end.
    """
    async with SQLiteJournal(path) as source:
        # opening it as a journal upgrades an older file
        _check_no_workers(path, await source.workers())
        uuid = (await source.identity()).uuid
        if key_folder is not None:
            copy_key(key_file_beside(path), key_file_in(key_folder, uuid))
    server = ServerPool(url, allow_partial_copy=True)
    await server.open()
    try:
        async with server.connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *_COPY_LOCK):
                raise JournalError(f"another copy to {redact_url(url)} is under way", hint="wait for it")
            return await _CopyRun(connection, server.clock, path, url, on_progress).run()
    finally:
        await server.close()


def _check_no_workers(name: str, alive: Sequence[WorkerInfo]) -> None:
    if alive:
        who = ", ".join(f"{worker.role} {worker.pid} on {worker.host}" for worker in alive[:3])
        raise JournalError(f"the journal {name} is in use: {who}", hint="stop it, then copy")


class _CopyRun:
    def __init__(
        self,
        connection: asyncpg.Connection,
        clock: Clock,
        path: str,
        url: str,
        on_progress: Callable[[CopyProgress], None],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._path = path
        self._url = url
        self._on_progress = on_progress
        self._source = str(Path(path).resolve())

    async def run(self) -> tuple[CopiedTable, ...]:
        await self._check_target()
        file = await self._run_in_thread(partial(open_existing, self._path, "ro", _BUSY_TIMEOUT_S))
        try:
            for place, table in enumerate(_TABLES):
                await self._copy_table(file, place, table)
            next_id = await self._run_in_thread(partial(_read_next_id, file))
            async with self._connection.transaction():
                for statement in _FINAL_STATEMENTS:
                    await self._connection.execute(statement, *([max(next_id - 1, 1)] if "$1" in statement else []))
                await self._copy_identity(file)
                await self._copy_forgotten(file)
            copied = tuple([await self._compare_table(file, table) for table in _TABLES])
            await self._connection.execute("DELETE FROM copies WHERE source = $1", self._source)
            return copied
        finally:
            await asyncio.to_thread(file.close)

    async def _copy_identity(self, file: sqlite3.Connection) -> None:
        """The copy has the same identity and read positions."""
        identity, positions = await self._run_in_thread(partial(_read_identity, file))
        await self._connection.execute("DELETE FROM identity")
        await self._connection.execute("INSERT INTO identity(uuid, since) VALUES ($1, $2)", *identity)
        await self._connection.execute("DELETE FROM positions")
        await self._connection.copy_records_to_table("positions", records=positions, columns=["kind", "key", "value"])

    async def _copy_forgotten(self, file: sqlite3.Connection) -> None:
        """The list of forgotten persons and its receipts; last, as nothing can be added by who does not know it."""
        for name, columns in _FORGET_TABLES.items():
            rows = await self._run_in_thread(partial(_read_table, file, name, columns))
            await self._connection.execute(f"DELETE FROM {name}")
            await self._connection.copy_records_to_table(
                name,
                records=rows,
                columns=list(columns),
            )
        await self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('forget_receipts', 'id'),"
            " greatest((SELECT max(id) FROM forget_receipts), 1))"
        )

    async def _check_target(self) -> None:
        """Raise JournalError if the target is in use or not empty, except by an unfinished copy of the same file."""
        _check_no_workers(redact_url(self._url), await maintenance.live_workers(self._connection, self._clock.now()))
        begun = await self._connection.fetch("SELECT source FROM copies GROUP BY source")
        if [row[0] for row in begun] == [self._source]:
            await self._begin_tables()
            return
        used = await self._connection.fetchval(
            "SELECT EXISTS(SELECT 1 FROM deliveries) OR EXISTS(SELECT 1 FROM environments)"
        )
        if begun or used:
            what = f"part of a copy of {begun[0][0]}" if begun else "deliveries already"
            raise JournalError(
                f"the journal {redact_url(self._url)} holds {what}",
                hint="a copy needs an empty one: name another database",
            )
        await self._begin_tables()

    async def _begin_tables(self) -> None:
        # a copy that an older version began has fewer tables
        await self._connection.executemany(
            "INSERT INTO copies(source, place) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [(self._source, place) for place in range(len(_TABLES))],
        )

    async def _copy_table(self, file: sqlite3.Connection, place: int, table: _TableSpec) -> None:
        cursor, done = await self._connection.fetchrow(
            "SELECT cursor, done FROM copies WHERE source = $1 AND place = $2", self._source, place
        )
        if done:
            return
        total = await self._run_in_thread(partial(_count_rows, file, table))
        copied = await self._connection.fetchval(f"SELECT count(*) FROM {table.name}") if cursor else 0
        cursor = cursor or _MIN_KEY
        while True:
            rows = await self._run_in_thread(partial(_read_chunk, file, table, cursor))
            async with self._connection.transaction():
                if rows:
                    cursor = rows[-1][0]
                    await self._connection.copy_records_to_table(
                        table.name, records=[row[1:] for row in rows], columns=list(table.columns)
                    )
                await self._connection.execute(
                    "UPDATE copies SET cursor = $3, done = $4 WHERE source = $1 AND place = $2",
                    self._source,
                    place,
                    cursor,
                    not rows,
                )
            copied += len(rows)
            if not rows:
                return
            self._on_progress(CopyProgress("copied", table.name, copied, total))

    async def _compare_table(self, file: sqlite3.Connection, table: _TableSpec) -> CopiedTable:
        """Compare both sides in chunks; raises JournalError where they differ."""
        ours, theirs = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
        total = await self._run_in_thread(partial(_count_rows, file, table))
        server_rows = await self._connection.fetchval(f"SELECT count(*) FROM {table.name}")
        if server_rows != total:
            raise self._difference_error(table, f"{total:,} rows in the file, {server_rows:,} at the server")
        cursor, compared = _MIN_KEY, 0
        listed, order = ", ".join(table.columns), table.key + (", attempt" if table.name == "history" else "")
        while rows := await self._run_in_thread(partial(_read_chunk, file, table, cursor)):
            target_rows = await self._connection.fetch(
                f"SELECT {listed} FROM {table.name}"
                f" WHERE {table.key} > $1::bigint AND {table.key} <= $2::bigint ORDER BY {order}",
                cursor,
                rows[-1][0],
            )
            ours.update(_encode_rows([row[1:] for row in rows]))
            theirs.update(_encode_rows([tuple(row) for row in target_rows]))
            if ours.digest() != theirs.digest():
                raise self._difference_error(table, f"a row between {rows[0][0]} and {rows[-1][0]}")
            cursor = rows[-1][0]
            compared += len(rows)
            self._on_progress(CopyProgress("compared", table.name, compared, total))
        return CopiedTable(table.name, total, ours.hexdigest())

    def _difference_error(self, table: _TableSpec, what: str) -> JournalError:
        return JournalError(
            f"{self._path} and {redact_url(self._url)} are not the same: {table.name}, {what}",
            hint="was one of them in use? copy to an empty database once more",
        )

    async def _run_in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except sqlite3.Error as error:
            raise journal_error(error, self._path) from error


_MIN_KEY = -(1 << 63)
_BUSY_TIMEOUT_S = 5.0


def _read_next_id(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT next_id FROM sequence").fetchone()[0])


def _read_identity(file: sqlite3.Connection) -> tuple[tuple[str, int], list[tuple[str, str, bytes]]]:
    """The file's identity in the form of the server's table, and its positions."""
    own = tables.read_identity(file)
    since = 1 if own.older else MIN_IDENTITY_VERSION
    kept = file.execute("SELECT kind, key, value FROM positions").fetchall()
    return (own.uuid, since), [(kind, sanitize_text(key), value) for kind, key, value in kept]


def _read_table(file: sqlite3.Connection, name: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """All rows of a small table, as the server stores them."""
    rows = file.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
    return [tuple(sanitize_text(value) if isinstance(value, str) else value for value in row) for row in rows]


def _count_rows(file: sqlite3.Connection, table: _TableSpec) -> int:
    sources: tuple[str, ...] = (table.name,)
    if table.name == "ids":
        sources = (f"ids WHERE {_HAS_DELIVERY}", f"recent_ids WHERE {_HAS_DELIVERY}")
    return sum(file.execute(f"SELECT count(*) FROM {source}").fetchone()[0] for source in sources)


def _read_chunk(file: sqlite3.Connection, table: _TableSpec, after: int) -> list[tuple[Any, ...]]:
    """The next rows as the server stores them, each after its key."""
    rows = file.execute(table.select, {"after": after, "limit": table.chunk_rows}).fetchall()
    flags = {position + 1 for position in table.flags}
    return [
        tuple(
            bool(value) if at in flags else sanitize_text(value) if isinstance(value, str) else value
            for at, value in enumerate(row)
        )
        for row in rows
    ]


def _encode_rows(rows: list[tuple[Any, ...]]) -> bytes:
    return msgspec.msgpack.encode(rows)
