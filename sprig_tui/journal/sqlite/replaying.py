"""Queueing deliveries again: under the same id, or as new ones."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec

from sprig_tui.errors import JournalError
from sprig_tui.journal.columns import STATES
from sprig_tui.journal.identity import Known, resend_message_id
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Added, JobState, ReplayJob, State
from sprig_tui.journal.resending import JOB, LOOK, RESENT, job_of, resent, sendable
from sprig_tui.journal.sqlite.adding import Adding
from sprig_tui.journal.sqlite.identities import Identities
from sprig_tui.journal.sqlite.looking import count as count_matches
from sprig_tui.journal.sqlite.packs import payloads
from sprig_tui.journal.sqlite.rows import count, note_changes
from sprig_tui.journal.sqlite.where import where


def requeue(
    connection: sqlite3.Connection, ids: Sequence[int], now: int, *, as_new: bool, priority: int = 0
) -> list[Added]:
    """Queue each again; `known` where it is queued already or has nothing that could be sent."""
    if as_new:
        return _as_new(connection, ids, now, priority)
    counts: Counter[tuple[int, int]] = Counter()
    added: list[Added] = []
    changed: list[int] = []
    for delivery_id in ids:
        row = connection.execute(
            "SELECT state, reason, size, environment FROM deliveries WHERE id = ?", (delivery_id,)
        ).fetchone()
        if row is None:
            continue
        state, reason, size, environment = row
        if not sendable(STATES[state], reason, size):
            added.append(Added(delivery_id, "known", STATES[state], reason))
            continue
        connection.execute(
            "INSERT OR IGNORE INTO history SELECT id, attempt FROM deliveries WHERE id = ? AND attempt IS NOT NULL",
            (delivery_id,),
        )
        connection.execute(
            "UPDATE deliveries SET state = 0, reason = '', detail = '', error = '', tries = 0, first_try = 0,"
            " due_at = 0, priority = ? WHERE id = ?",
            (priority, delivery_id),
        )
        counts[environment, state] -= 1
        counts[environment, 0] += 1
        changed.append(delivery_id)
        added.append(Added(delivery_id, "new", State.QUEUED))
    count(connection, counts)
    note_changes(connection, changed)
    return added


def _as_new(connection: sqlite3.Connection, ids: Sequence[int], now: int, priority: int) -> list[Added]:
    adding = Adding(connection, now, priority=priority)
    added: list[Added] = []
    identities = Identities(connection, [])
    rows = {delivery_id: connection.execute(_RESENT, (delivery_id,)).fetchone() for delivery_id in ids}
    fit = [delivery_id for delivery_id, row in rows.items() if row and sendable(STATES[row[0]], row[1], row[2])]
    stored = payloads(connection, fit)
    for delivery_id in ids:
        row = rows[delivery_id]
        if row is None:
            continue
        if delivery_id not in stored:
            added.append(Added(delivery_id, "known", STATES[row[0]], row[1]))
            continue
        message_id = _unused_message_id(connection, identities, delivery_id, row[3], row[4])
        raw, body = stored[delivery_id]
        entry = resent(row, message_id, raw, body)
        new_id = adding.append(entry, delivery_id)
        identities.put(
            Known(
                new_id,
                entry.environment,
                message_id,
                entry.digest,
                entry.question_id,
                entry.updated_at,
                State.QUEUED,
                "",
            )
        )
        added.append(Added(new_id, "new", State.QUEUED))
    adding.write()
    identities.save()
    return added


_RESENT = f"SELECT {RESENT} FROM deliveries d JOIN environments e ON e.id = d.environment WHERE d.id = ?"


def _unused_message_id(
    connection: sqlite3.Connection, identities: Identities, delivery_id: int, environment: str, message_id: str
) -> str:
    """The next message id for a new sending: not by count alone, for some of those sent before may be pruned."""
    number = connection.execute("SELECT count(*) FROM deliveries WHERE origin = ?", (delivery_id,)).fetchone()[0] + 1
    while identities.find(environment, resend_message_id(message_id, number)) is not None:
        number += 1
    return resend_message_id(message_id, number)


# -- jobs --------------------------------------------------------------------------------------------------------------


def extent(connection: sqlite3.Connection, query: Query) -> tuple[int, int]:
    """(newest delivery, how many match): for a reader, since counting may look at every row."""
    last_id = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    return int(last_id), count_matches(connection, query, 0)


def start(
    connection: sqlite3.Connection, query: Query, now: int, *, as_new: bool, last_id: int, total: int
) -> ReplayJob:
    """Make a job over what `extent` saw."""
    job_id = connection.execute(
        "INSERT INTO replays(filter, query, as_new, state, created_at, cursor, last_id, total)"
        " VALUES(?, ?, ?, 'running', ?, 0, ?, ?)",
        (query.text, msgspec.json.encode(query), as_new, now, last_id, total),
    ).lastrowid
    return read(connection, int(job_id or 0))


def read(connection: sqlite3.Connection, job_id: int) -> ReplayJob:
    """A job by its id.

    Raises:
        JournalError: there is no such job.
    """
    row = connection.execute(f"SELECT {JOB} FROM replays WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise JournalError(f"there is no replay job {job_id}")
    return job_of(row)


def jobs(connection: sqlite3.Connection) -> list[ReplayJob]:
    """Every job, newest first."""
    return [job_of(row) for row in connection.execute(f"SELECT {JOB} FROM replays ORDER BY id DESC").fetchall()]


def step(connection: sqlite3.Connection, job_id: int, limit: int, now: int) -> ReplayJob:
    """Re-queue the next stretch of a running job, behind live traffic."""
    job = read(connection, job_id)
    if job.state != "running":
        return job
    query = msgspec.json.decode(
        connection.execute("SELECT query FROM replays WHERE id = ?", (job_id,)).fetchone()[0], type=Query
    )
    sql, values = where(query)
    end = min(job.last_id, job.cursor + LOOK)
    found = connection.execute(
        f"SELECT d.id FROM deliveries d JOIN environments e ON e.id = d.environment WHERE {sql} AND d.id > ?"
        " AND d.id <= ? ORDER BY d.id LIMIT ?",
        (*values, job.cursor, end, limit),
    ).fetchall()
    ids = [row[0] for row in found]
    queued = sum(1 for one in requeue(connection, ids, now, as_new=job.as_new, priority=1) if one.outcome == "new")
    cursor = ids[-1] if len(ids) == limit else end
    done = cursor >= job.last_id
    connection.execute(
        "UPDATE replays SET cursor = ?, queued = queued + ?, skipped = skipped + ?, state = ? WHERE id = ?",
        (cursor, queued, len(ids) - queued, "done" if done else "running", job_id),
    )
    return read(connection, job_id)


def set_state(connection: sqlite3.Connection, job_id: int, state: JobState) -> ReplayJob:
    """Pause, resume or cancel; a job that is over stays so."""
    connection.execute("UPDATE replays SET state = ? WHERE id = ? AND state IN ('running', 'paused')", (state, job_id))
    return read(connection, job_id)
