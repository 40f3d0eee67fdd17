"""Replay in the caller's transaction: queues deliveries again, under the same message id or as new; replay jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import asyncpg

from sprig_tui.errors import JournalError
from sprig_tui.journal.base import NO_OVERRIDES
from sprig_tui.journal.dedup import identity_key, resend_message_id
from sprig_tui.journal.forgetting import KeyedPersons
from sprig_tui.journal.postgres.add import InsertPlan, UnknownKeys, find_identities, store_plan, with_real_ids
from sprig_tui.journal.postgres.candidate_ranges import CandidateRanges
from sprig_tui.journal.postgres.payloads import read_payloads
from sprig_tui.journal.postgres.read import SELECT_ID, RangeStatement, count_matches
from sprig_tui.journal.postgres.tables import environment_number
from sprig_tui.journal.query import Query
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
from sprig_tui.journal.rows import REPLAY_MARK, STATES_BY_CODE
from sprig_tui.journal.stored_query import decode_query, encode_query
from sprig_tui.journal.tombstones import Tombstone
from sprig_tui.reasons import Reason

_SELECT_RESEND = (
    f"SELECT {RESEND_COLUMNS}, d.id FROM deliveries d JOIN environments e ON e.id = d.environment"
    " WHERE d.id = ANY ($1::bigint[]) ORDER BY d.id"
)


async def requeue(
    connection: asyncpg.Connection,
    ids: Sequence[int],
    now: int,
    *,
    as_new: bool,
    priority: int = 0,
    overrides: Mapping[str, str] = NO_OVERRIDES,
    persons: KeyedPersons | None = None,
) -> list[AddResult]:
    """Queue each again; `known` if it is queued already, has nothing to send, or is of a forgotten person."""
    if as_new:
        return await _queue_copies(connection, ids, now, priority, overrides, persons, new_ids=True)
    rows = await connection.fetch(
        "SELECT d.id, d.state, d.reason, d.size, d.environment, e.name, e.endpoint, d.message_id FROM deliveries d"
        " JOIN environments e ON e.id = d.environment WHERE d.id = ANY ($1::bigint[]) ORDER BY d.id FOR UPDATE OF d",
        list(ids),
    )
    rows_by_id = {row[0]: row for row in rows}
    moved = {row[0]: identity_key(row[5], row[7]) for row in rows if row[6] and row[6] != overrides.get(row[5], "")}
    holders = await find_identities(connection, set(moved.values())) if moved else {}
    again: list[asyncpg.Record] = []
    copied: list[int] = []
    added: dict[int, AddResult] = {}
    for delivery_id in dict.fromkeys(ids):
        row = rows_by_id.get(delivery_id)
        if row is None:
            continue
        target = overrides.get(row[5], "")
        known = holders.get(moved.get(delivery_id, -1))
        if isinstance(known, Tombstone):
            known = known.identity(row[5], row[7])
        if known is not None and known.message_id != row[7]:
            known = None  # two identities collide on one key
        if not is_resendable(STATES_BY_CODE[row[1]], row[2], row[3]) or has_other_delivery(delivery_id, known, target):
            added[delivery_id] = AddResult(delivery_id, "known", STATES_BY_CODE[row[1]], row[2])
        elif needs_copy(row[6], target):
            copied.append(delivery_id)
        else:
            again.append(row)
            added[delivery_id] = AddResult(delivery_id, "new", State.QUEUED)
    if copied:
        # before the counts are updated: the lock on ids has to be taken first
        copies = await _queue_copies(connection, copied, now, priority, overrides, persons, new_ids=False)
        added.update(zip(copied, copies, strict=True))
    if again:
        await _requeue_rows(connection, again, priority, overrides)
    return [added[delivery_id] for delivery_id in dict.fromkeys(ids) if delivery_id in added]


async def _requeue_rows(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], priority: int, overrides: Mapping[str, str]
) -> None:
    """Queue these again; their rows are locked."""
    changed = [row[0] for row in rows]
    targets = {row[5]: overrides.get(row[5], "") for row in rows}
    numbers = {name: await environment_number(connection, name, endpoint) for name, endpoint in targets.items()}
    places = [numbers[row[5]] for row in rows]
    await connection.execute(
        f"INSERT INTO history SELECT unnest($1::bigint[]), {REPLAY_MARK} UNION ALL SELECT id, attempt FROM deliveries"
        " WHERE id = ANY ($1::bigint[]) AND attempt IS NOT NULL ON CONFLICT DO NOTHING",
        changed,
    )
    await connection.execute(
        "UPDATE deliveries d SET state = 0, reason = '', detail = '', error = '', tries = 0, first_try = 0,"
        " due_at = 0, priority = $2, environment = u.place FROM unnest($1::bigint[], $3::integer[]) AS u(id, place)"
        " WHERE d.id = u.id",
        changed,
        priority,
        places,
    )
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[])",
        [row[4] for row in rows] + places,
        [row[1] for row in rows] + [0] * len(rows),
        [-1] * len(rows) + [1] * len(rows),
        changed,
    )


async def _queue_copies(
    connection: asyncpg.Connection,
    ids: Sequence[int],
    now: int,
    priority: int,
    overrides: Mapping[str, str],
    persons: KeyedPersons | None,
    *,
    new_ids: bool,
) -> list[AddResult]:
    """Queue the payload of each as another delivery: under a new message id, or as a copy without an identity."""
    rows = {row["id"]: row for row in await connection.fetch(_SELECT_RESEND, list(ids))}
    fit = [key for key, row in rows.items() if is_resendable(STATES_BY_CODE[row[0]], row[1], row[2])]
    stored = await read_payloads(connection, fit) if fit else {}
    if persons is not None:
        is_theirs = persons.matcher.matches
        stored = {one: payload for one, payload in stored.items() if not is_theirs(rows[one][7], *payload)}
        fit = list(stored)
    made = {
        row[0]: row[1]
        for row in await connection.fetch(
            "SELECT origin, count(*) FROM deliveries WHERE origin = ANY ($1::bigint[]) GROUP BY origin", fit
        )
    }
    targets = {row[3]: overrides.get(row[3], "") for row in rows.values()}
    numbers = {
        (name, endpoint): await environment_number(connection, name, endpoint) for name, endpoint in targets.items()
    }
    known = await find_identities(
        connection,
        {identity_key(rows[delivery_id][3], _next_message_id(rows[delivery_id], made)) for delivery_id in fit},
    )
    while True:
        plan = InsertPlan(known)
        added: list[AddResult] = []
        try:
            for delivery_id in ids:
                if delivery_id not in rows:
                    continue
                row = rows[delivery_id]
                if delivery_id not in stored:
                    added.append(AddResult(delivery_id, "known", STATES_BY_CODE[row[0]], row[1]))
                    continue
                message_id = _unused_message_id(plan, row, made) if new_ids else row[4]
                entry = resend_entry(row, message_id, *stored[delivery_id], targets[row[3]])
                planned = plan.append(entry, delivery_id, identified=new_ids)
                added.append(AddResult(planned.id, "new", State.QUEUED))
        except UnknownKeys as unknown:
            known |= await find_identities(connection, unknown.keys)
            continue
        version = persons.version if persons is not None else 0
        first = await store_plan(connection, plan, numbers, now, priority=priority, forget_version=version)
        return with_real_ids(added, first)


async def withdraw(connection: asyncpg.Connection, ids: Sequence[int], now: int) -> WithdrawResult:
    """Withhold those that are queued and not leased."""
    unique_ids = sorted(set(ids))
    row = await connection.fetchrow(
        "SELECT * FROM withdraw_deliveries($1::bigint[], $2::text, $3::bigint)", unique_ids, Reason.WITHDRAWN.value, now
    )
    return WithdrawResult(row["withdrawn"], row["held"], len(unique_ids) - row["withdrawn"] - row["held"])


def _next_message_id(row: asyncpg.Record, made: dict[int, int]) -> str:
    return resend_message_id(row[4], made.get(row["id"], 0) + 1)


def _unused_message_id(plan: InsertPlan, row: asyncpg.Record, made: dict[int, int]) -> str:
    """The next free message id for a replay as new: the count alone is wrong once earlier ones are pruned."""
    number = made.get(row["id"], 0) + 1
    while plan.identities.find(row[3], resend_message_id(row[4], number)) is not None:
        number += 1
    return resend_message_id(row[4], number)


# -- jobs --------------------------------------------------------------------------------------------------------------


async def start_replay(
    connection: asyncpg.Connection,
    query: Query,
    now: int,
    *,
    as_new: bool,
    overrides: Mapping[str, str] = NO_OVERRIDES,
) -> ReplayJob:
    """Create a job over all deliveries that match now."""
    last_id = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    total = await count_matches(connection, query, 0)
    job_id = await connection.fetchval(
        "INSERT INTO replays(filter, query, as_new, state, created_at, cursor, last_id, total, elsewhere)"
        " VALUES ($1, $2, $3, 'running', $4, 0, $5, $6, $7) RETURNING id",
        query.text,
        encode_query(query),
        as_new,
        now,
        last_id,
        total,
        json.dumps(dict(overrides)),
    )
    return job_from_row(await _read_job_row(connection, job_id))


async def read_jobs(connection: asyncpg.Connection) -> list[ReplayJob]:
    """Every job, newest first."""
    return [job_from_row(row) for row in await connection.fetch(f"SELECT {JOB_COLUMNS} FROM replays ORDER BY id DESC")]


async def step_replay(
    connection: asyncpg.Connection, job_id: int, limit: int, now: int, persons: KeyedPersons | None = None
) -> ReplayJob:
    """Queue the next deliveries of a running job, behind live traffic; processes take turns."""
    row = await _read_job_row(connection, job_id, lock=True)
    job = job_from_row(row)
    if job.state != "running":
        return job
    end = min(job.last_id, job.cursor + MAX_SCAN_ROWS)
    ids = await _matching_ids(connection, decode_query(row[10]), job.cursor + 1, end, limit)
    overrides = json.loads(row["elsewhere"])
    added = await requeue(connection, ids, now, as_new=job.as_new, priority=1, overrides=overrides, persons=persons)
    queued = sum(1 for result in added if result.outcome == "new")
    cursor = ids[-1] if len(ids) == limit else end
    await connection.execute(
        "UPDATE replays SET cursor = $1, queued = queued + $2, skipped = skipped + $3, state = $4 WHERE id = $5",
        cursor,
        queued,
        len(ids) - queued,
        "done" if cursor >= job.last_id else "running",
        job_id,
    )
    return job_from_row(await _read_job_row(connection, job_id))


async def _matching_ids(connection: asyncpg.Connection, query: Query, low: int, high: int, limit: int) -> list[int]:
    statement = RangeStatement(SELECT_ID, query, order="ORDER BY d.id")
    candidates = await CandidateRanges.of_query(connection, query)
    ids: list[int] = []
    for first, last in await candidates.within(low, high):
        ids += [row[0] for row in await connection.fetch(*statement.within(first, last, limit - len(ids)))]
        if len(ids) == limit:
            break
    return ids


async def set_replay_state(connection: asyncpg.Connection, job_id: int, state: ReplayState) -> ReplayJob:
    """Pause, resume or cancel a job, unless it is done or cancelled."""
    await connection.execute(
        "UPDATE replays SET state = $1 WHERE id = $2 AND state IN ('running', 'paused')", state, job_id
    )
    return job_from_row(await _read_job_row(connection, job_id))


async def _read_job_row(connection: asyncpg.Connection, job_id: int, *, lock: bool = False) -> asyncpg.Record:
    row = await connection.fetchrow(
        f"SELECT {JOB_COLUMNS} FROM replays WHERE id = $1" + (" FOR UPDATE" if lock else ""), job_id
    )
    if row is None:
        raise JournalError(f"there is no replay job {job_id}")
    return row
