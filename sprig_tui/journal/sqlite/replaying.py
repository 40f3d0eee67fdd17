"""Queueing deliveries again: under the same id, or as new ones."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from sprig_tui.errors import JournalError
from sprig_tui.journal.columns import NUMBERS, STATES
from sprig_tui.journal.contract import NOWHERE_ELSE
from sprig_tui.journal.identity import Known, resend_message_id
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Added, JobState, ReplayJob, State, Withdrawn
from sprig_tui.journal.resending import JOB, LOOK, RESENT, is_copied, is_stood_for, job_of, resent, sendable
from sprig_tui.journal.sqlite.adding import Adding
from sprig_tui.journal.sqlite.claims import give_back_expired
from sprig_tui.journal.sqlite.identities import Identities
from sprig_tui.journal.sqlite.looking import count as count_matches
from sprig_tui.journal.sqlite.packs import payloads
from sprig_tui.journal.sqlite.rows import count, environment_number, note_changes, numbers_text
from sprig_tui.journal.sqlite.where import where
from sprig_tui.reasons import Reason


def requeue(
    connection: sqlite3.Connection,
    ids: Sequence[int],
    now: int,
    *,
    as_new: bool,
    priority: int = 0,
    elsewhere: Mapping[str, str] = NOWHERE_ELSE,
) -> list[Added]:
    """Queue each again; `known` where it is queued already or has nothing that could be sent."""
    if as_new:
        return _as_another(connection, ids, now, priority, elsewhere, fresh=True)
    counts: Counter[tuple[int, int]] = Counter()
    added: dict[int, Added] = {}
    changed: list[int] = []
    copied: list[int] = []
    identities = Identities(connection, [])
    for delivery_id in ids:
        row = connection.execute(
            "SELECT d.state, d.reason, d.size, d.environment, e.name, e.endpoint, d.message_id FROM deliveries d"
            " JOIN environments e ON e.id = d.environment WHERE d.id = ?",
            (delivery_id,),
        ).fetchone()
        if row is None:
            continue
        state, reason, size, environment, name, endpoint, message_id = row
        target = elsewhere.get(name, "")
        standing = identities.find(name, message_id) if endpoint and endpoint != target else None
        if not sendable(STATES[state], reason, size) or is_stood_for(delivery_id, standing, target):
            added.setdefault(delivery_id, Added(delivery_id, "known", STATES[state], reason))
            continue
        if is_copied(endpoint, target):
            copied.append(delivery_id)
            continue
        connection.execute(
            "INSERT OR IGNORE INTO history SELECT id, attempt FROM deliveries WHERE id = ? AND attempt IS NOT NULL",
            (delivery_id,),
        )
        place = environment if endpoint == target else environment_number(connection, name, target)
        connection.execute(
            "UPDATE deliveries SET state = 0, reason = '', detail = '', error = '', tries = 0, first_try = 0,"
            " due_at = 0, priority = ?, environment = ? WHERE id = ?",
            (priority, place, delivery_id),
        )
        counts[environment, state] -= 1
        counts[place, 0] += 1
        changed.append(delivery_id)
        added[delivery_id] = Added(delivery_id, "new", State.QUEUED)
    count(connection, counts)
    note_changes(connection, changed)
    if copied:
        copies = _as_another(connection, copied, now, priority, elsewhere, fresh=False)
        added.update(zip(copied, copies, strict=True))
    return [added[delivery_id] for delivery_id in dict.fromkeys(ids) if delivery_id in added]


def _as_another(
    connection: sqlite3.Connection,
    ids: Sequence[int],
    now: int,
    priority: int,
    elsewhere: Mapping[str, str],
    *,
    fresh: bool,
) -> list[Added]:
    """Queue what each holds as another delivery: under a fresh id, or as a copy that stands for no identity."""
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
        environment, message_id = row[3], row[4]
        if fresh:
            message_id = _unused_message_id(connection, identities, delivery_id, environment, message_id)
        raw, body = stored[delivery_id]
        entry = resent(row, message_id, raw, body, elsewhere.get(environment, ""))
        new_id = adding.append(entry, delivery_id)
        if fresh:
            identities.put(
                Known(
                    new_id,
                    environment,
                    message_id,
                    entry.digest,
                    entry.question_id,
                    entry.updated_at,
                    State.QUEUED,
                    "",
                    entry.endpoint,
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


_WITHDRAW = (
    f"UPDATE deliveries SET state = {NUMBERS[State.WITHHELD]}, reason = '{Reason.WITHDRAWN.value}', detail = '',"
    " error = '', due_at = 0 WHERE id IN (SELECT value FROM json_each(?)) AND state = 0 AND lease IS NULL"
    " RETURNING id, environment"
)


def withdraw(connection: sqlite3.Connection, ids: Sequence[int], now: int) -> Withdrawn:
    """Withhold those that are queued and leased to nobody."""
    wanted = numbers_text(set(ids))
    for (environment,) in connection.execute(
        "SELECT DISTINCT environment FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state = 0"
        " AND lease IS NOT NULL",
        (wanted,),
    ).fetchall():
        give_back_expired(connection, environment, now)
    rows = connection.execute(_WITHDRAW, (wanted,)).fetchall()
    counts: Counter[tuple[int, int]] = Counter()
    for _, environment in rows:
        counts[environment, NUMBERS[State.QUEUED]] -= 1
        counts[environment, NUMBERS[State.WITHHELD]] += 1
    count(connection, counts)
    note_changes(connection, sorted(row[0] for row in rows))
    leased = connection.execute(
        "SELECT count(*) FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state = 0", (wanted,)
    ).fetchone()[0]
    return Withdrawn(len(rows), leased, len(set(ids)) - len(rows) - leased)


# -- jobs --------------------------------------------------------------------------------------------------------------


def extent(connection: sqlite3.Connection, query: Query) -> tuple[int, int]:
    """(newest delivery, how many match): for a reader, since counting may look at every row."""
    last_id = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    return int(last_id), count_matches(connection, query, 0)


def start(
    connection: sqlite3.Connection,
    query: Query,
    now: int,
    *,
    as_new: bool,
    last_id: int,
    total: int,
    elsewhere: Mapping[str, str] = NOWHERE_ELSE,
) -> ReplayJob:
    """Make a job over what `extent` saw."""
    job_id = connection.execute(
        "INSERT INTO replays(filter, query, as_new, state, created_at, cursor, last_id, total,"
        " elsewhere) VALUES(?, ?, ?, 'running', ?, 0, ?, ?, ?)",
        (query.text, msgspec.json.encode(query), as_new, now, last_id, total, json.dumps(dict(elsewhere))),
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
    stored, elsewhere = connection.execute("SELECT query, elsewhere FROM replays WHERE id = ?", (job_id,)).fetchone()
    query = msgspec.json.decode(stored, type=Query)
    sql, values = where(query)
    end = min(job.last_id, job.cursor + LOOK)
    found = connection.execute(
        f"SELECT d.id FROM deliveries d JOIN environments e ON e.id = d.environment WHERE {sql} AND d.id > ?"
        " AND d.id <= ? ORDER BY d.id LIMIT ?",
        (*values, job.cursor, end, limit),
    ).fetchall()
    ids = [row[0] for row in found]
    added = requeue(connection, ids, now, as_new=job.as_new, priority=1, elsewhere=json.loads(elsewhere))
    queued = sum(1 for one in added if one.outcome == "new")
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
