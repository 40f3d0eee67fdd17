"""Salvage: copies the readable rows of a damaged file to a new one, and lists the others."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.forget_key import copy_key, key_file_beside
from sprig_tui.journal.payload_codec import DAMAGED_ERROR, DamagedPayloadError, owner_tag, pack, unpack_items
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.sqlite.connection import connect_reader, connect_writer
from sprig_tui.journal.sqlite.errors import is_damage, journal_error
from sprig_tui.journal.sqlite.file_check import FileCheck
from sprig_tui.journal.sqlite.readable_tombstones import copy_rows, readable_tombstones
from sprig_tui.journal.sqlite.repair import TOMBSTONES_LOST
from sprig_tui.journal.sqlite.tables import mark_all_stale
from sprig_tui.journal.sqlite.tombstone_filter import build
from sprig_tui.journal.verify import format_id_ranges, numbers_in_words

_BUSY_TIMEOUT_S = 5.0
_CHUNK_KEYS = 1_000
"""Keys read by one statement; after an error half of them, down to one."""
_EXTRA_KEYS = 1_000_000
"""Keys read after the last one found, if the file does not tell how many there are."""
_QUEUED, _FAILED = STATE_CODES[State.QUEUED], STATE_CODES[State.FAILED]

_KEY_BY_TABLE = {
    "environments": "id",
    "attempts": "id",
    "deliveries": "id",
    "packs": "first",
    "history": "delivery",
    "lanes": "environment",
    "replays": "id",
}
"""Tables by the key in whose order they are read.

Leases, change records and workers are temporary; identities and counts are rebuilt.
"""


class SalvageResult(Struct, frozen=True, kw_only=True):
    """Result of a salvage."""

    deliveries: int
    lost: tuple[str, ...]
    """Descriptions of what is lost."""
    is_complete: bool
    """Nothing is lost. Without it the new file has the identity and the read positions only if tombstones alone are."""


def salvage_journal(
    source_path: str, target_path: str, on_progress: Callable[[str], None] = lambda _: None
) -> SalvageResult:
    """Copy what is readable to a new file; the source is not changed. Raises JournalError and SprigTuiError."""
    if Path(target_path).exists():
        raise SprigTuiError(f"{target_path} is there already", hint="name a file that is not there")
    try:
        with contextlib.closing(connect_reader(source_path, _BUSY_TIMEOUT_S)) as source:
            if not _table_columns(source, "deliveries"):
                raise JournalError(f"{source_path} holds no deliveries", hint="is it a journal?")
            with contextlib.closing(connect_writer(target_path, _BUSY_TIMEOUT_S, FileCheck(target_path))) as target:
                target.execute("PRAGMA synchronous = OFF")
                salvaged = _SalvageRun(source, target, on_progress).run()
                copy_key(key_file_beside(source_path), key_file_beside(target_path))
                target.execute("PRAGMA synchronous = FULL")
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return salvaged
    except sqlite3.Error as error:
        raise journal_error(error, source_path) from error


class _SalvageRun:
    def __init__(
        self, source: sqlite3.Connection, target: sqlite3.Connection, on_progress: Callable[[str], None]
    ) -> None:
        self._source = source
        self._target = target
        self._on_progress = on_progress
        self._lost: list[str] = []

    def run(self) -> SalvageResult:
        """Everything, in one transaction of the new file."""
        self._target.execute("BEGIN IMMEDIATE")
        last = self._max_key()
        for table, key in _KEY_BY_TABLE.items():
            self._copy_table(table, key, last if key in ("id", "first", "delivery") else 1_000_000)
        self._target.execute("UPDATE deliveries SET lease = NULL")
        self._name_lost_environments()
        damaged = self._check_payloads()
        deliveries = self._rebuild_indexes(last)
        same = not self._lost and not damaged
        if same:
            self._copy_identity()
        # a lost tombstone makes no new journal, whose inputs are read again: then its answer would be sent again
        self._copy_tombstones()
        self._copy_forgotten()
        self._target.execute("COMMIT")
        return SalvageResult(deliveries=deliveries, lost=tuple(self._lost), is_complete=not self._lost)

    def _copy_tombstones(self) -> None:
        if not _table_columns(self._source, "tombstones"):
            return  # an older journal, or one that does not say any more where they are
        gaps: list[int] = []
        copied = 0
        for rows in readable_tombstones(self._source, gaps):
            copy_rows(self._target, rows)
            copied += len(rows)
        if gaps:
            self._lost.append(f"tombstones: {TOMBSTONES_LOST}")
        if copied:
            build(self._target)
        self._on_progress(f"tombstones: {copied:,} rows")

    def _copy_forgotten(self) -> None:
        """The list of forgotten persons and its receipts."""
        for table in ("forgotten", "forget_receipts", "forget_state"):
            # the new file has its tables elsewhere
            columns = ", ".join(column for column in _table_columns(self._source, table) if column != "roots")
            if not columns:
                continue  # an older journal
            try:
                rows = self._source.execute(f"SELECT {columns} FROM {table}").fetchall()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._lost.append(f"{table}: who was forgotten is lost, wholly or in part; forget them again")
                continue
            if table == "forget_state":
                self._target.execute("DELETE FROM forget_state")
            for row in rows:
                self._target.execute(f"INSERT INTO {table}({columns}) VALUES({', '.join('?' * len(row))})", row)

    def _max_key(self) -> int:
        """The largest key that a row of any table may have."""
        keys = [0]
        questions = ["SELECT next_id FROM sequence"]
        questions += [f"SELECT max({key}) FROM {table}" for table, key in _KEY_BY_TABLE.items()]
        known = True
        for question in questions:
            try:
                keys.append(int(self._source.execute(question).fetchone()[0] or 0))
            except (sqlite3.DatabaseError, TypeError, ValueError):
                known = False
        return max(keys) + (0 if known else _EXTRA_KEYS)

    def _copy_table(self, table: str, key: str, last: int) -> None:
        columns = [
            column for column in _table_columns(self._source, table) if column in _table_columns(self._target, table)
        ]
        if not columns:
            self._lost.append(f"the whole table {table}: the file does not say any more where it is")
            return
        listed, marks = ", ".join(columns), ", ".join("?" * len(columns))
        missing: list[int] = []
        copied = 0
        for rows in self._readable_rows(table, key, listed, last, missing):
            self._target.executemany(f"INSERT OR IGNORE INTO {table}({listed}) VALUES({marks})", rows)
            copied += len(rows)
        if missing:
            what = "deliveries" if table == "deliveries" else f"{table} by their number"
            self._lost.append(f"{what}: {numbers_in_words(missing)}")
        self._on_progress(f"{table}: {copied:,} rows" + (f", up to {len(missing):,} cannot be read" if missing else ""))

    def _readable_rows(self, table: str, key: str, listed: str, last: int, missing: list[int]) -> Iterator[list[Any]]:
        for start in range(0, last + 1, _CHUNK_KEYS):
            waiting = [(start, start + _CHUNK_KEYS - 1)]
            while waiting:
                low, high = waiting.pop()
                try:
                    rows = self._source.execute(
                        f"SELECT {listed} FROM {table} WHERE {key} BETWEEN ? AND ? ORDER BY {key}", (low, high)
                    ).fetchall()
                except sqlite3.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    if low == high:
                        missing.append(low)
                    else:
                        middle = (low + high) // 2
                        waiting += [(middle + 1, high), (low, middle)]
                else:
                    if rows:
                        yield rows

    def _name_lost_environments(self) -> None:
        """Name environments whose name is lost, so that their deliveries are listed."""
        nameless = self._target.execute(
            "SELECT DISTINCT environment FROM deliveries WHERE environment NOT IN (SELECT id FROM environments)"
        ).fetchall()
        for (number,) in nameless:
            self._target.execute("INSERT INTO environments(id, name) VALUES(?, ?)", (number, f"lost-{number}"))
            self._lost.append(f"the name of environment {number}: it is called lost-{number}")
        self._target.execute("INSERT OR IGNORE INTO lanes(environment) SELECT id FROM environments")

    def _check_payloads(self) -> list[int]:
        """Settle queued deliveries with a damaged payload as failed, and replace their payloads by empty ones."""
        damaged: set[int] = set()
        firsts = [row[0] for row in self._target.execute("SELECT first FROM packs ORDER BY first")]
        for low, high in zip([0, *firsts], [*firsts, 1 << 62], strict=True):
            owners = {
                row[0]: (row[1], row[2])
                for row in self._target.execute(
                    "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                    " WHERE d.id >= ? AND d.id < ?",
                    (low, high),
                )
            }
            if not owners:
                continue
            row = self._target.execute("SELECT raws, bodies FROM packs WHERE first = ?", (low,)).fetchone() or (
                b"",
                b"",
            )
            raws, bodies = _intact_items(row[0], low, owners, None), _intact_items(row[1], low, owners, owners)
            if missing := owners.keys() - (raws.keys() & bodies.keys()):
                damaged |= missing
                self._repack(low or min(owners), owners, raws, bodies)
        if damaged:
            self._lost.append(f"payloads of {format_id_ranges(sorted(damaged))}")
            self._target.executemany(
                "UPDATE deliveries SET state = ?, error = ? WHERE id = ? AND state = ?",
                [(_FAILED, DAMAGED_ERROR, delivery_id, _QUEUED) for delivery_id in damaged],
            )
            self._target.executemany(
                "UPDATE deliveries SET size = 0 WHERE id = ?", [(delivery_id,) for delivery_id in damaged]
            )
        return sorted(damaged)

    def _repack(
        self, first: int, owners: dict[int, tuple[str, str]], raws: dict[int, bytes], bodies: dict[int, bytes]
    ) -> None:
        ids = range(first, max(owners) + 1)
        self._target.execute(
            "INSERT OR REPLACE INTO packs(first, raws, bodies) VALUES(?, ?, ?)",
            (
                first,
                pack([raws.get(delivery_id, b"") for delivery_id in ids]),
                pack(
                    [bodies.get(delivery_id, b"") for delivery_id in ids],
                    [owner_tag(*owners.get(delivery_id, ("", ""))) for delivery_id in ids],
                ),
            ),
        )

    def _rebuild_indexes(self, last: int) -> int:
        """Identities and counts, from the rows."""
        keys: dict[int, int] = {}
        counts: Counter[tuple[int, int]] = Counter()
        newest = 0
        for number, name, message_id, environment, state in self._target.execute(
            "SELECT d.id, e.name, d.message_id, d.environment, d.state FROM deliveries d"
            " JOIN environments e ON e.id = d.environment ORDER BY d.id"
        ):
            # a later delivery with the same identity has taken it over
            keys[identity_key(name, message_id)] = number
            counts[environment, state] += 1
            newest = number
        self._target.executemany("INSERT INTO ids(key, delivery) VALUES(?, ?)", sorted(keys.items()))
        self._target.executemany(
            "INSERT INTO counts(environment, state, n) VALUES(?, ?, ?)", [(*key, n) for key, n in counts.items()]
        )
        mark_all_stale(self._target)
        try:
            next_id = int(self._source.execute("SELECT next_id FROM sequence").fetchone()[0])
        except (sqlite3.DatabaseError, TypeError, ValueError):
            next_id = min(last, newest) + 1
        self._target.execute("UPDATE sequence SET next_id = ?", (max(next_id, newest + 1),))
        return counts.total()

    def _copy_identity(self) -> None:
        try:
            identity = self._source.execute("SELECT uuid, since FROM identity").fetchone()
            positions = self._source.execute("SELECT kind, key, value FROM positions").fetchall()
        except sqlite3.DatabaseError:
            return
        self._target.execute("UPDATE identity SET uuid = ?, since = ?", identity)
        self._target.executemany("INSERT INTO positions(kind, key, value) VALUES(?, ?, ?)", positions)


def _intact_items(
    blob: bytes, first: int, owners: dict[int, tuple[str, str]], whose: dict[int, tuple[str, str]] | None
) -> dict[int, bytes]:
    """The intact items of these deliveries."""
    left = sorted(owners)
    while left:
        try:
            return unpack_items(blob, left, first, whose)
        except DamagedPayloadError as error:
            if len(error.ids) == len(left) > 1 and blob:
                # perhaps the last ones are after the end of the pack
                return {
                    delivery_id: item
                    for each in left
                    for delivery_id, item in _intact_items(blob, first, {each: owners[each]}, whose).items()
                }
            left = [delivery_id for delivery_id in left if delivery_id not in error.ids]
    return {}


def _table_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    except sqlite3.DatabaseError:
        return []
