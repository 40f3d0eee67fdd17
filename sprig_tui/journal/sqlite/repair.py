"""Repair of a file with damaged pages: rebuilds the tables and indexes that can be rebuilt.

Deliveries, payloads and identity cannot be. Other unreadable tables are removed from the schema and created again, from
the deliveries where possible, otherwise from their readable rows. The old pages stay in the file, unused, until
`journal salvage` writes a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic
from typing import Any

from sprig_tui.clock import Clock
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.sqlite.connection import open_existing
from sprig_tui.journal.sqlite.errors import is_bad_text, is_damage
from sprig_tui.journal.sqlite.readable_tombstones import copy_rows, readable_tombstones
from sprig_tui.journal.sqlite.tables import encode_ids, insert_rows, mark_stale
from sprig_tui.journal.sqlite.tombstone_filter import log_loss

_IRREPLACEABLE = frozenset(("deliveries", "packs", "identity"))
_INDEXES = {
    "due": "state = 0 AND lease IS NULL",
    "ended_badly": "state >= 2",
    "origins": "origin IS NOT NULL",
    "forgotten_rows": "reason = 'forgotten'",
}
"""Conditions of the partial indexes of the deliveries."""
_STATISTICS = frozenset(("kept_counts", "stale_counts", "counted_surveys"))
_TOGETHER = (
    # sqlite_sequence has the counters of the other two
    frozenset(("sqlite_sequence", "leases", "replays")),
    # each identity is in one of the two
    frozenset(("ids", "recent_ids")),
    # the counts of blocks have the numbers of surveys
    _STATISTICS,
)
_FIRST = ("environments", "leases")
"""Rebuilt first: others are rebuilt from them."""
_WHOLE_LEASE_MS = 120_000
"""Length of a lease whose end is lost: its worker renews it earlier, or is dead by then."""
_LEASES_AHEAD = 1_000_000
"""Ids skipped where the last one is lost, so that no lease gets the id of a current one."""
_STRETCH_ROWS = 1_000
_REPAIR_INTERVAL_S = 60.0
"""Seconds between two attempts at a repair: each reads everything that can be rebuilt."""
LANE_LOST = "whether it was paused is lost in a damaged page of the journal"
"""Cause of a lane whose state is unreadable: it may have been paused by hand, so it is paused."""
TOMBSTONES_LOST = (
    "of some removed deliveries it is lost that they are known: such an answer is sent again if it is read again"
)
ATTEMPT_LOST = "the record of this request is lost in a damaged page of the journal"

_log = logging.getLogger(__name__)


def repair(path: str, busy_timeout_s: float, now: int) -> list[str]:
    """Rebuild what is unreadable and can be rebuilt; returns the names of those tables and indexes.

    Holds the write lock meanwhile: some seconds for the identities of a million deliveries. Raises sqlite3.Error.
    """
    rebuilt: list[str] = []
    with (
        contextlib.closing(open_existing(path, "rw", busy_timeout_s)) as source,
        contextlib.closing(open_existing(path, "rw", busy_timeout_s)) as target,
    ):
        for names in _groups(damaged(source)):
            try:
                target.execute("BEGIN IMMEDIATE")
                # another process may have rebuilt it meanwhile
                if any(not _is_whole(source, name) for name in names):
                    _Renewal(source, target, now).run(names)
                    rebuilt += sorted(names)
                target.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                if target.in_transaction:
                    target.execute("ROLLBACK")
                if not is_damage(error):
                    raise
                # it needs unreadable deliveries; other tables may still be rebuilt
                rebuilt = [name for name in rebuilt if name not in names]
    return rebuilt


class RepairLimiter:
    """The repairs that one process makes of a file, one at a time and at most one a minute."""

    def __init__(
        self, path: str, busy_timeout: float, clock: Clock, run_in_thread: Callable[..., Awaitable[list[str]]]
    ) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._lock = asyncio.Lock()
        self._next_at = float("-inf")
        self.done = 0
        """Repairs so far that rebuilt something."""

    async def repair(self, *, since: int) -> bool:
        """Whether something was rebuilt after `done` was `since`: by this call, or by another one meanwhile."""
        async with self._lock:
            if self.done == since and monotonic() >= self._next_at:
                self._next_at = monotonic() + _REPAIR_INTERVAL_S
                try:
                    rebuilt = await self._run_in_thread(
                        lambda: repair(self._path, self._busy_timeout, self._clock.now())
                    )
                except sqlite3.Error as error:
                    _log.warning("the journal %s is damaged, and was not repaired: %s", self._path, error)
                    rebuilt = []
                if rebuilt:
                    self.done += 1
                    _log.error(
                        "the journal %s is damaged; these parts were unreadable and have been rebuilt: %s. Stop every"
                        " process that uses it, then run: sprig-tui journal salvage %s NEW",
                        self._path,
                        ", ".join(rebuilt),
                        self._path,
                    )
            return self.done != since


def damaged(source: sqlite3.Connection) -> list[str]:
    """Unreadable tables and indexes that can be rebuilt."""
    tables = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [name for name in (*tables, *_INDEXES) if name not in _IRREPLACEABLE and not _is_whole(source, name)]


def _groups(names: Sequence[str]) -> list[frozenset[str]]:
    """Names grouped with those that are rebuilt together, in the order of rebuilding."""
    groups = {next((group for group in _TOGETHER if name in group), frozenset((name,))) for name in names}
    return sorted(groups, key=lambda group: (not any(name in group for name in _FIRST), sorted(group)))


def _is_whole(source: sqlite3.Connection, name: str) -> bool:
    try:
        if name in _INDEXES:
            source.execute(
                f"SELECT total(id), total(state) FROM deliveries INDEXED BY {name} WHERE {_INDEXES[name]}"
            ).fetchone()
            return True
        messages = source.execute(f"PRAGMA integrity_check({name})").fetchall()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False
    return [row[0] for row in messages] == ["ok"]


class _Renewal:
    """Rebuilding of tables and indexes in the open transaction of `target`.

    Damaged pages are read through `source` only: a transaction that reads damage cannot write any more.
    """

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection, now: int) -> None:
        self._source = source
        self._target = target
        self._now = now
        self._special: dict[str, Callable[[Sequence[Sequence[Any]]], None]] = {
            "attempts": self._attempts,
            "changes": self._changes,
            "counted_surveys": lambda _: None,
            "counts": self._counts,
            "environments": self._environments,
            "ids": self._identities,
            "lanes": self._lanes,
            "kept_counts": lambda _: None,
            "leases": self._leases,
            "probe": lambda _: None,
            "recent_ids": lambda _: None,
            "sequence": self._sequence,
            "stale_counts": self._stale_counts,
            "tombstone_filter": lambda _: log_loss(self._target),
            "tombstones": self._tombstones,
            "workers": self._workers,
        }

    def run(self, names: frozenset[str]) -> None:
        """Rebuild all of these."""
        marks = ", ".join("?" * len(names))
        where = f"name IN ({marks}) OR tbl_name IN ({marks})"
        made = self._source.execute(
            f"SELECT sql FROM sqlite_master WHERE ({where}) AND sql IS NOT NULL AND name <> 'sqlite_sequence'"
            " ORDER BY type = 'index'",
            (*names, *names),
        ).fetchall()
        rows = {name: self._readable(name) for name in sorted(names) if name not in _INDEXES}
        self._target.execute("PRAGMA writable_schema = ON")
        self._target.execute(f"DELETE FROM sqlite_master WHERE {where}", (*names, *names))
        self._target.execute("PRAGMA writable_schema = RESET")
        for (statement,) in made:
            self._target.execute(statement)
        for name, readable in rows.items():
            self._special.get(name, lambda readable, name=name: self._copy(name, readable))(readable)

    def _readable(self, table: str) -> list[Sequence[Any]]:
        """The rows before the first damage and after the last."""
        if table in ("ids", "recent_ids", "counts", "tombstones", "tombstone_filter", *_STATISTICS):
            return []
        described = self._source.execute(f"PRAGMA table_info({table})").fetchall()
        columns = ", ".join(row[1] for row in described)
        key = [row[1] for row in sorted(described, key=lambda row: row[5]) if row[5]] or ["rowid"]
        statements = [
            f"SELECT {columns} FROM {table} NOT INDEXED ORDER BY {', '.join(f'{column} {order}' for column in key)}"
            for order in ("ASC", "DESC")
        ]
        if table == "environments":  # its index contains all its columns
            statements.append(f"SELECT {columns} FROM environments INDEXED BY sqlite_autoindex_environments_1")
        rows: dict[Sequence[Any], None] = {}
        for statement in statements:
            if self._read_until_damage(statement, rows) and table != "environments":
                break
        return list(rows)

    def _read_until_damage(self, statement: str, rows: dict[Sequence[Any], None]) -> bool:
        try:
            for row in self._source.execute(statement):
                rows[tuple(row)] = None
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not is_damage(error) and not is_bad_text(error):
                raise
            return False
        return True

    def _copy(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self._target.execute(f"INSERT OR IGNORE INTO {table} VALUES({', '.join('?' * len(row))})", row)

    def _walk(self, columns: str, tail: str = "") -> Iterator[Sequence[Any]]:
        """Columns of the readable deliveries, in the order of their ids; `tail` ends each WHERE clause."""
        last = self._source.execute("SELECT max(id) FROM deliveries").fetchone()[0] or 0
        for start in range(1, last + 1, _STRETCH_ROWS):
            waiting = [(start, start + _STRETCH_ROWS - 1)]
            while waiting:
                low, high = waiting.pop()
                try:
                    rows = self._source.execute(
                        f"SELECT {columns} FROM deliveries d NOT INDEXED WHERE d.id BETWEEN ? AND ? {tail}", (low, high)
                    ).fetchall()
                except sqlite3.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    middle = (low + high) // 2
                    waiting += [(middle + 1, high), (low, middle)] if low < high else []
                else:
                    yield from rows

    def _attempts(self, rows: Sequence[Sequence[Any]]) -> None:
        self._copy("attempts", rows)
        last = max((row[0] or 0 for row in self._walk("max(d.attempt)")), default=0)
        # no new request may get the id of one that deliveries refer to
        self._target.execute(
            "INSERT OR IGNORE INTO attempts(id, environment, started_at, status, error, outcome, latency_ms, events,"
            " body_bytes, excerpt) VALUES(?, 0, ?, 0, ?, '', 0, 0, 0, '')",
            (max(last, 1), self._now, ATTEMPT_LOST),
        )

    def _changes(self, _: Sequence[Sequence[Any]]) -> None:
        # later than any earlier record, so that followers reload
        self._target.execute("INSERT INTO changes(seq, ids, n) VALUES(?, '[]', 0)", (self._now,))

    def _counts(self, _: Sequence[Sequence[Any]]) -> None:
        counts: Counter[tuple[int, int]] = Counter()
        for environment, state, number in self._walk("environment, state, count(*)", "GROUP BY environment, state"):
            counts[environment, state] += number
        self._copy("counts", [(*key, number) for key, number in counts.items()])

    def _environments(self, rows: Sequence[Sequence[Any]]) -> None:
        self._copy("environments", rows)
        for number in sorted({row[0] for row in self._walk("DISTINCT environment")}):
            self._target.execute(
                "INSERT OR IGNORE INTO environments(id, name) VALUES(?, ?)", (number, f"lost-{number}")
            )

    def _identities(self, _: Sequence[Sequence[Any]]) -> None:
        names = dict(self._source.execute("SELECT id, name FROM environments").fetchall())
        # a later delivery with the same identity has taken it over
        keys = {
            identity_key(names.get(number, ""), message_id): delivery_id
            for delivery_id, number, message_id in self._walk("id, environment, message_id")
        }
        values = [value for key in sorted(keys) for value in (key, keys[key])]
        insert_rows(self._target, "ids", "(?, ?)", values)

    def _lanes(self, rows: Sequence[Sequence[Any]]) -> None:
        self._copy("lanes", rows)
        self._target.execute(
            "INSERT OR IGNORE INTO lanes(environment, state, cause, since, epoch)"
            " SELECT id, 'paused', ?, ?, ? FROM environments",
            (LANE_LOST, self._now, self._now),
        )

    def _leases(self, rows: Sequence[Sequence[Any]]) -> None:
        """The readable leases, and one with the old id for each other one: no claim is lost or doubled."""
        self._copy("leases", rows)
        known = {row[0] for row in rows}
        lost: dict[tuple[int, int], list[int]] = {}
        for delivery_id, lease, environment in self._walk("id, lease, environment", "AND lease IS NOT NULL"):
            if lease not in known:
                lost.setdefault((lease, environment), []).append(delivery_id)
        until = self._now + _WHOLE_LEASE_MS
        for (lease, environment), ids in lost.items():
            self._target.execute(
                "INSERT OR IGNORE INTO leases(id, environment, owner, until, length, probe, ids, n)"
                " VALUES(?, ?, '', ?, ?, 0, ?, ?)",
                (lease, environment, until, _WHOLE_LEASE_MS, encode_ids(ids), len(ids)),
            )
        last = max([0, *known, *(lease for lease, _ in lost)])
        self._target.execute("DELETE FROM sqlite_sequence WHERE name = 'leases'")
        self._target.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('leases', ?)", (last + _LEASES_AHEAD,))

    def _sequence(self, rows: Sequence[Sequence[Any]]) -> None:
        questions = (
            "SELECT max(id) FROM deliveries",
            "SELECT max(delivery) FROM history",
            "SELECT max(delivery) FROM recent_ids",
            "SELECT max(delivery) FROM ids",
            "SELECT max(last_id) FROM replays",
            "SELECT max(first) FROM packs",
        )
        newest = [0, *(int(row[0]) - 1 for row in rows)]
        newest += [self._source.execute(question).fetchone()[0] or 0 for question in questions]
        self._target.execute("INSERT INTO sequence VALUES(?)", (max(newest) + 1,))

    def _stale_counts(self, _: Sequence[Sequence[Any]]) -> None:
        """All blocks that may have deliveries, also where the ends of their table cannot be read."""
        last = 0
        for question in ("SELECT next_id - 1 FROM sequence", "SELECT max(id) FROM deliveries"):
            with contextlib.suppress(sqlite3.DatabaseError):
                last = max(last, self._source.execute(question).fetchone()[0] or 0)
        mark_stale(self._target, range(last + 1))

    def _tombstones(self, _: Sequence[Sequence[Any]]) -> None:
        """All but those in damaged pages, read from the old table, as there may be very many."""
        gaps: list[int] = []
        for rows in readable_tombstones(self._source, gaps):
            copy_rows(self._target, rows)
        if gaps:
            _log.warning("%s", TOMBSTONES_LOST)

    def _workers(self, _: Sequence[Sequence[Any]]) -> None:
        # workers send a heartbeat soon; until then their leases are kept
        self._target.execute("UPDATE leases SET owner = ''")
