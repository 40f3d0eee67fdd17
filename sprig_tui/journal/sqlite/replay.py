"""Replay: queues deliveries again under the same message id or as new ones; withdrawal; replay jobs."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sprig_tui.errors import JournalError
from sprig_tui.journal.base import NO_OVERRIDES
from sprig_tui.journal.dedup import StoredIdentity, resend_message_id
from sprig_tui.journal.query import Query
from sprig_tui.journal.query_sql import compile_query
from sprig_tui.journal.records import AddResult, ReplayJob, ReplayState, State, WithdrawResult
from sprig_tui.journal.resend import (
    JOB_COLUMNS,
    MAX_SCAN_ROWS,
    RESEND_COLUMNS,
    has_other_delivery,
    is_resendable,
    job_from_row,
    needs_copy,
    resend_entry,
)
from sprig_tui.journal.rows import REPLAY_MARK, STATE_CODES, STATES_BY_CODE
from sprig_tui.journal.sqlite.add import AddOperation
from sprig_tui.journal.sqlite.candidate_ranges import CandidateRanges
from sprig_tui.journal.sqlite.claim import release_expired
from sprig_tui.journal.sqlite.forgotten_persons import forgotten_persons
from sprig_tui.journal.sqlite.identity_index import IdentityIndex
from sprig_tui.journal.sqlite.payloads import read_payloads
from sprig_tui.journal.sqlite.read import DIALECT, count_matches
from sprig_tui.journal.sqlite.tables import (
    encode_ids,
    environment_number,
    named_values,
    record_changes,
    update_counts,
)
from sprig_tui.journal.stored_query import decode_query, encode_query
from sprig_tui.reasons import Reason


def requeue(
    connection: sqlite3.Connection,
    ids: Sequence[int],
    now: int,
    *,
    as_new: bool,
    priority: int = 0,
    overrides: Mapping[str, str] = NO_OVERRIDES,
) -> list[AddResult]:
    """Queue each again; `known` if it is queued already or has nothing to send."""
    if as_new:
        return _queue_copies(connection, ids, now, priority, overrides, new_ids=True)
    counts: Counter[tuple[int, int]] = Counter()
    added: dict[int, AddResult] = {}
    changed: list[int] = []
    copied: list[int] = []
    identities = IdentityIndex(connection, [])
    for delivery_id in ids:
        row = connection.execute(
            "SELECT d.state, d.reason, d.size, d.environment, e.name, e.endpoint, d.message_id FROM deliveries d"
            " JOIN environments e ON e.id = d.environment WHERE d.id = ?",
            (delivery_id,),
        ).fetchone()
        if row is None:
            continue
        state, reason, size, environment, name, endpoint, message_id = row
        target = overrides.get(name, "")
        holder = identities.find(name, message_id) if endpoint and endpoint != target else None
        if not is_resendable(STATES_BY_CODE[state], reason, size) or has_other_delivery(delivery_id, holder, target):
            added.setdefault(delivery_id, AddResult(delivery_id, "known", STATES_BY_CODE[state], reason))
            continue
        if needs_copy(endpoint, target):
            copied.append(delivery_id)
            continue
        connection.execute(
            f"INSERT OR IGNORE INTO history SELECT id, {REPLAY_MARK} FROM deliveries WHERE id = :id"
            " UNION ALL SELECT id, attempt FROM deliveries WHERE id = :id AND attempt IS NOT NULL",
            {"id": delivery_id},
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
        added[delivery_id] = AddResult(delivery_id, "new", State.QUEUED)
    update_counts(connection, counts)
    record_changes(connection, changed)
    if copied:
        copies = _queue_copies(connection, copied, now, priority, overrides, new_ids=False)
        added.update(zip(copied, copies, strict=True))
    return [added[delivery_id] for delivery_id in dict.fromkeys(ids) if delivery_id in added]


def _queue_copies(
    connection: sqlite3.Connection,
    ids: Sequence[int],
    now: int,
    priority: int,
    overrides: Mapping[str, str],
    *,
    new_ids: bool,
) -> list[AddResult]:
    """Queue the payload of each as another delivery: under a new message id, or as a copy without an identity."""
    adding = AddOperation(connection, now, priority=priority)
    added: list[AddResult] = []
    identities = IdentityIndex(connection, [])
    rows = {delivery_id: connection.execute(_SELECT_RESEND, (delivery_id,)).fetchone() for delivery_id in ids}
    fit = [
        delivery_id
        for delivery_id, row in rows.items()
        if row and is_resendable(STATES_BY_CODE[row[0]], row[1], row[2])
    ]
    stored = read_payloads(connection, fit)
    persons = forgotten_persons(connection)
    if persons is not None:
        stored = {
            one: payload for one, payload in stored.items() if not persons.matcher.matches(rows[one][7], *payload)
        }
    for delivery_id in ids:
        row = rows[delivery_id]
        if row is None:
            continue
        if delivery_id not in stored:
            added.append(AddResult(delivery_id, "known", STATES_BY_CODE[row[0]], row[1]))
            continue
        environment, message_id = row[3], row[4]
        if new_ids:
            message_id = _unused_message_id(connection, identities, delivery_id, environment, message_id)
        raw, body = stored[delivery_id]
        entry = resend_entry(row, message_id, raw, body, overrides.get(environment, ""))
        new_id = adding.append(entry, delivery_id)
        if new_ids:
            identities.put(
                StoredIdentity(
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
        added.append(AddResult(new_id, "new", State.QUEUED))
    adding.write()
    identities.save()
    return added


_SELECT_RESEND = f"SELECT {RESEND_COLUMNS} FROM deliveries d JOIN environments e ON e.id = d.environment WHERE d.id = ?"


def _unused_message_id(
    connection: sqlite3.Connection, identities: IdentityIndex, delivery_id: int, environment: str, message_id: str
) -> str:
    """The next free message id for a replay as new: the count alone is wrong once earlier ones are pruned."""
    number = connection.execute("SELECT count(*) FROM deliveries WHERE origin = ?", (delivery_id,)).fetchone()[0] + 1
    while identities.find(environment, resend_message_id(message_id, number)) is not None:
        number += 1
    return resend_message_id(message_id, number)


_WITHDRAW_QUEUED = (
    f"UPDATE deliveries SET state = {STATE_CODES[State.WITHHELD]}, reason = '{Reason.WITHDRAWN.value}', detail = '',"
    " error = '', due_at = 0 WHERE id IN (SELECT value FROM json_each(?)) AND state = 0 AND lease IS NULL"
    " RETURNING id, environment"
)


def withdraw(connection: sqlite3.Connection, ids: Sequence[int], now: int) -> WithdrawResult:
    """Withhold those that are queued and not leased."""
    encoded_ids = encode_ids(set(ids))
    for (environment,) in connection.execute(
        "SELECT DISTINCT environment FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state = 0"
        " AND lease IS NOT NULL",
        (encoded_ids,),
    ).fetchall():
        release_expired(connection, environment, now)
    rows = connection.execute(_WITHDRAW_QUEUED, (encoded_ids,)).fetchall()
    counts: Counter[tuple[int, int]] = Counter()
    for _, environment in rows:
        counts[environment, STATE_CODES[State.QUEUED]] -= 1
        counts[environment, STATE_CODES[State.WITHHELD]] += 1
    update_counts(connection, counts)
    record_changes(connection, sorted(row[0] for row in rows))
    leased = connection.execute(
        "SELECT count(*) FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state = 0", (encoded_ids,)
    ).fetchone()[0]
    return WithdrawResult(len(rows), leased, len(set(ids)) - len(rows) - leased)


# -- jobs --------------------------------------------------------------------------------------------------------------


def replay_extent(connection: sqlite3.Connection, query: Query) -> tuple[int, int]:
    """(newest delivery, how many match); to be called on a reader, because counting may scan every row."""
    last_id = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    return int(last_id), count_matches(connection, query, 0)


def start_replay(
    connection: sqlite3.Connection,
    query: Query,
    now: int,
    *,
    as_new: bool,
    last_id: int,
    total: int,
    overrides: Mapping[str, str] = NO_OVERRIDES,
) -> ReplayJob:
    """Create a job over the deliveries that `replay_extent` counted."""
    job_id = connection.execute(
        "INSERT INTO replays(filter, query, as_new, state, created_at, cursor, last_id, total,"
        " elsewhere) VALUES(?, ?, ?, 'running', ?, 0, ?, ?, ?)",
        (query.text, encode_query(query), as_new, now, last_id, total, json.dumps(dict(overrides))),
    ).lastrowid
    return read_job(connection, int(job_id or 0))


def read_job(connection: sqlite3.Connection, job_id: int) -> ReplayJob:
    """A job by its id.

    Raises:
        JournalError: there is no such job.
    """
    row = connection.execute(f"SELECT {JOB_COLUMNS} FROM replays WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise JournalError(f"there is no replay job {job_id}")
    return job_from_row(row)


def read_jobs(connection: sqlite3.Connection) -> list[ReplayJob]:
    """Every job, newest first."""
    return [
        job_from_row(row)
        for row in connection.execute(f"SELECT {JOB_COLUMNS} FROM replays ORDER BY id DESC").fetchall()
    ]


def step_replay(connection: sqlite3.Connection, job_id: int, limit: int, now: int) -> ReplayJob:
    """Queue the next deliveries of a running job, behind live traffic."""
    job = read_job(connection, job_id)
    if job.state != "running":
        return job
    stored, elsewhere = connection.execute("SELECT query, elsewhere FROM replays WHERE id = ?", (job_id,)).fetchone()
    end = min(job.last_id, job.cursor + MAX_SCAN_ROWS)
    ids = _matching_ids(connection, decode_query(stored), job.cursor + 1, end, limit)
    added = requeue(connection, ids, now, as_new=job.as_new, priority=1, overrides=json.loads(elsewhere))
    queued = sum(1 for result in added if result.outcome == "new")
    cursor = ids[-1] if len(ids) == limit else end
    done = cursor >= job.last_id
    connection.execute(
        "UPDATE replays SET cursor = ?, queued = queued + ?, skipped = skipped + ?, state = ? WHERE id = ?",
        (cursor, queued, len(ids) - queued, "done" if done else "running", job_id),
    )
    return read_job(connection, job_id)


def _matching_ids(connection: sqlite3.Connection, query: Query, low: int, high: int, limit: int) -> list[int]:
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    statement = (
        f"SELECT d.id FROM deliveries d JOIN environments e ON e.id = d.environment WHERE ({sql})"
        " AND d.id BETWEEN :low AND :high ORDER BY d.id LIMIT :limit"
    )
    ids: list[int] = []
    for first, last in CandidateRanges(connection, query).within(low, high):
        rows = connection.execute(statement, named_values(values, low=first, high=last, limit=limit - len(ids)))
        ids += [row[0] for row in rows.fetchall()]
        if len(ids) == limit:
            break
    return ids


def set_replay_state(connection: sqlite3.Connection, job_id: int, state: ReplayState) -> ReplayJob:
    """Pause, resume or cancel a job, unless it is done or cancelled."""
    connection.execute("UPDATE replays SET state = ? WHERE id = ? AND state IN ('running', 'paused')", (state, job_id))
    return read_job(connection, job_id)
