"""Rows of the tables as records, and the small registers: environments, ids, counts, changes."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sprig_tui.journal.records import Attempt, Delivery, Lane, State

STATES = (State.QUEUED, State.DELIVERED, State.FAILED, State.WITHHELD)
"""By the number that stands for them in the file."""
NUMBERS = {state: number for number, state in enumerate(STATES)}

DELIVERY = """
SELECT d.id, e.name, d.message_id, d.state, d.reason, d.detail, d.survey_id, d.survey_name, d.user_id,
  d.question_type, d.answer, d.answered_at, d.added_at, d.due_at, d.attempts, coalesce(a.status, 0), d.error,
  coalesce(a.latency_ms, 0.0), a.started_at, d.source, d.line, d.lease, d.size, d.edited, d.origin
FROM deliveries d JOIN environments e ON e.id = d.environment LEFT JOIN attempts a ON a.id = d.attempt
"""
ATTEMPT = "started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt"
LANE = "e.name, l.state, l.until, l.cause, l.failures, l.since, l.epoch, l.last_status, l.last_at"


def delivery(row: Sequence[Any]) -> Delivery:
    """A row of DELIVERY as a record."""
    latency, started_at, added_at = row[17], row[18], row[12]
    return Delivery(
        id=row[0],
        environment=row[1],
        message_id=row[2],
        state=STATES[row[3]],
        reason=row[4],
        detail=row[5],
        survey_id=row[6],
        survey_name=row[7],
        user_id=row[8],
        question_type=row[9],
        answer=row[10],
        answered_at=row[11],
        added_at=added_at,
        due_at=row[13],
        attempts=row[14],
        status=row[15],
        error=row[16],
        latency_ms=latency,
        settled_at=int(started_at + latency) if started_at else (added_at if row[3] else 0),
        source=row[19],
        line=row[20],
        leased=row[21] is not None,
        size=row[22],
        edited=bool(row[23]),
        origin_id=row[24] or 0,
    )


def attempt(row: Sequence[Any]) -> Attempt:
    """A row of ATTEMPT as a record."""
    return Attempt(
        started_at=row[0],
        status=row[1],
        error=row[2],
        outcome=row[3],
        latency_ms=row[4],
        events=row[5],
        body_bytes=row[6],
        excerpt=row[7],
    )


def lane(row: Sequence[Any]) -> Lane:
    """A row of LANE as a record."""
    return Lane(
        environment=row[0],
        state=row[1],
        until=row[2],
        cause=row[3],
        failures=row[4],
        since=row[5],
        epoch=row[6],
        last_status=row[7],
        last_at=row[8],
    )


def environment_number(connection: sqlite3.Connection, name: str) -> int:
    """The number that stands for an environment; made on first use (inside the caller's transaction)."""
    row = connection.execute("SELECT id FROM environments WHERE name = ?", (name,)).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO environments(name) VALUES(?)", (name,))
        number = int(cursor.lastrowid or 0)
        connection.execute("INSERT INTO lanes(environment) VALUES(?)", (number,))
        return number
    return int(row[0])


def count(connection: sqlite3.Connection, changed: Counter[tuple[int, int]]) -> None:
    """Add to the kept counts: (environment number, state number) -> difference."""
    for (environment, state), difference in changed.items():
        if difference:
            connection.execute(
                "INSERT INTO counts VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + ?3",
                (environment, state, difference),
            )


def note_changes(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Tell followers that these deliveries changed; only the last few thousand notes are kept."""
    told = list(ids)
    if told:
        seq = connection.execute(
            "INSERT INTO changes(ids, n) VALUES(?, ?)", (json.dumps(told, separators=(",", ":")), len(told))
        ).lastrowid
        if seq is not None and seq % 256 == 0:
            connection.execute("DELETE FROM changes WHERE seq < ?", (seq - 4096,))


def among(ids: Sequence[int]) -> str:
    """The WHERE clause for these ids: a range where they follow each other, as they mostly do."""
    return "id BETWEEN ? AND ?" if _gapless(ids) else "id IN (SELECT value FROM json_each(?))"


def bounds(ids: Sequence[int]) -> tuple[int, int] | tuple[str]:
    """The parameters of `among`."""
    return (min(ids), max(ids)) if _gapless(ids) else (json.dumps(list(ids)),)


def _gapless(ids: Sequence[int]) -> bool:
    return max(ids) - min(ids) + 1 == len(ids)


def insert(connection: sqlite3.Connection, table: str, columns: int, values: Sequence[Any]) -> None:
    """Insert rows, given as their values one after the other, by statements of many rows each.

    An executemany would let go of the interpreter's lock at every row. SQLite takes 32,766 values in a statement; few
    sizes keep the statements in its cache.
    """
    start = 0
    one = "(" + ",".join("?" * columns) + ")"
    for size in (1000, 100, 10, 1):
        statement = f"INSERT INTO {table} VALUES " + ",".join([one] * size)
        while len(values) - start >= size * columns:
            connection.execute(statement, values[start : start + size * columns])
            start += size * columns
