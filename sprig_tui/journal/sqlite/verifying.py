"""Verifying the file: SQLite's own check of its structure, then every payload against its checksum and its owner."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter

from sprig_tui.journal.packing import DAMAGED_ERROR
from sprig_tui.journal.sqlite.faults import is_damage
from sprig_tui.journal.sqlite.repair import damaged
from sprig_tui.journal.verifying import MAX_PROBLEMS, VerifyReport, check_pack

_COUNTED_ROWS = 20_000
"""Deliveries counted in one statement: it sorts them in memory."""


def quick_check(connection: sqlite3.Connection, seconds: float) -> VerifyReport:
    """SQLite's quick check, for a limited time, and what was found damaged on the way."""
    deadline = time.monotonic() + seconds
    complete = True
    problems: list[str] = []
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        problems += _check_structure(connection, "quick_check(3)")
    except sqlite3.OperationalError:  # interrupted
        complete = False
    finally:
        connection.set_progress_handler(None, 0)
    try:
        found = connection.execute(
            "SELECT count(*) FROM deliveries WHERE state = 2 AND state >= 2 AND error = ?", (DAMAGED_ERROR,)
        ).fetchone()[0]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        problems.append(f"deliveries cannot be read: {error}")
    else:
        if found:
            problems.append(f"{found:,} deliveries failed because their stored payload is damaged")
    return VerifyReport(problems=tuple(problems), complete=complete)


def verify(connection: sqlite3.Connection) -> VerifyReport:
    """Everything."""
    problems = _check_structure(connection, f"integrity_check({MAX_PROBLEMS})")
    if problems:
        problems += _unreadable(connection)
    deliveries = packs = 0
    at = 0
    while len(problems) < MAX_PROBLEMS:
        try:
            row = connection.execute(
                "SELECT first, raws, bodies, (SELECT min(n.first) FROM packs n WHERE n.first > p.first) FROM packs p"
                " WHERE first > ? ORDER BY first LIMIT 1",
                (at,),
            ).fetchone()
        except sqlite3.DatabaseError as error:
            _raise_unless_damage(error)
            problems.append(f"the payloads from delivery {at + 1:,} on cannot be read: {error}")
            break
        if row is None:
            break
        packs += 1
        first, raws, bodies, after = row
        try:
            owners = {
                one[0]: (one[1], one[2])
                for one in connection.execute(
                    "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                    " WHERE d.id >= ? AND d.id < ?",
                    (first, after if after is not None else 1 << 62),
                )
            }
        except sqlite3.DatabaseError as error:
            _raise_unless_damage(error)
            problems.append(f"deliveries from {first:,} on cannot be read: {error}")
        else:
            deliveries += len(owners)
            problems += check_pack(first, raws, bodies, owners)
        at = first
    problems += _check_counts(connection)
    return VerifyReport(deliveries=deliveries, packs=packs, problems=tuple(problems[:MAX_PROBLEMS]))


def _check_structure(connection: sqlite3.Connection, check: str) -> list[str]:
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}").fetchall()]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        found = [str(error)]
    return [] if found == ["ok"] else [" ".join(one.split()) for one in found]


def _unreadable(connection: sqlite3.Connection) -> list[str]:
    try:
        return [f"{name} cannot be read; send, run and listen make it anew" for name in damaged(connection)]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        return [f"the list of the tables cannot be read: {error}"]


def _check_counts(connection: sqlite3.Connection) -> list[str]:
    """Where the kept counts are not what the rows say."""
    try:
        kept = Counter({row[:2]: row[2] for row in connection.execute("SELECT environment, state, n FROM counts")})
        there: Counter[tuple[int, int]] = Counter()
        newest = connection.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0]
        for low in range(1, newest + 1, _COUNTED_ROWS):
            for environment, state, number in connection.execute(
                "SELECT environment, state, count(*) FROM deliveries WHERE id BETWEEN ? AND ?"
                " GROUP BY environment, state",
                (low, low + _COUNTED_ROWS - 1),
            ):
                there[environment, state] += number
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        return [f"the counts cannot be compared: {error}"]
    return [] if +kept == +there else ["the kept counts are not what the deliveries come to"]


def _raise_unless_damage(error: sqlite3.DatabaseError) -> None:
    if not is_damage(error):
        raise error
