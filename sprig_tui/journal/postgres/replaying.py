"""Queueing deliveries again: under the same id, or as new ones. Everything here runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from sprig_tui.errors import JournalError
from sprig_tui.journal.columns import STATES
from sprig_tui.journal.identity import key_of, resend_message_id
from sprig_tui.journal.postgres.adding import Plan, Unseen, lookup, numbered, store
from sprig_tui.journal.postgres.looking import count
from sprig_tui.journal.postgres.packs import payloads
from sprig_tui.journal.postgres.where import where
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Added, JobState, ReplayJob, State
from sprig_tui.journal.resending import JOB, LOOK, RESENT, job_of, resent, sendable

_RESENT = (
    f"SELECT {RESENT}, d.id, e.id AS number FROM deliveries d JOIN environments e ON e.id = d.environment"
    " WHERE d.id = ANY ($1::bigint[]) ORDER BY d.id"
)


async def requeue(
    connection: asyncpg.Connection, ids: Sequence[int], now: int, *, as_new: bool, priority: int = 0
) -> list[Added]:
    """Queue each again; `known` where it is queued already or has nothing that could be sent."""
    if as_new:
        return await _as_new(connection, ids, now, priority)
    rows = await connection.fetch(
        "SELECT id, state, reason, size, environment FROM deliveries WHERE id = ANY ($1::bigint[]) ORDER BY id"
        " FOR UPDATE",
        list(ids),
    )
    there = {row[0]: row for row in rows}
    again: dict[int, asyncpg.Record] = {}
    added: list[Added] = []
    for delivery_id in ids:
        row = there.get(delivery_id)
        if row is None:
            continue
        if delivery_id in again:
            added.append(Added(delivery_id, "known", State.QUEUED))
        elif sendable(STATES[row[1]], row[2], row[3]):
            again[delivery_id] = row
            added.append(Added(delivery_id, "new", State.QUEUED))
        else:
            added.append(Added(delivery_id, "known", STATES[row[1]], row[2]))
    if again:
        changed = list(again)
        await connection.execute(
            "INSERT INTO history SELECT id, attempt FROM deliveries"
            " WHERE id = ANY ($1::bigint[]) AND attempt IS NOT NULL ON CONFLICT DO NOTHING",
            changed,
        )
        await connection.execute(
            "UPDATE deliveries SET state = 0, reason = '', detail = '', error = '', tries = 0, first_try = 0,"
            " due_at = 0, priority = $2 WHERE id = ANY ($1::bigint[])",
            changed,
            priority,
        )
        environments = [row[4] for row in again.values()]
        await connection.execute(
            "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[])",
            environments * 2,
            [row[1] for row in again.values()] + [0] * len(again),
            [-1] * len(again) + [1] * len(again),
            changed,
        )
    return added


async def _as_new(connection: asyncpg.Connection, ids: Sequence[int], now: int, priority: int) -> list[Added]:
    rows = {row["id"]: row for row in await connection.fetch(_RESENT, list(ids))}
    fit = [key for key, row in rows.items() if sendable(STATES[row[0]], row[1], row[2])]
    stored = await payloads(connection, fit) if fit else {}
    made = {
        row[0]: row[1]
        for row in await connection.fetch(
            "SELECT origin, count(*) FROM deliveries WHERE origin = ANY ($1::bigint[]) GROUP BY origin", fit
        )
    }
    known = await lookup(connection, {key_of(rows[one][3], _next_id(rows[one], made)) for one in fit})
    while True:
        plan = Plan(known)
        added: list[Added] = []
        try:
            for delivery_id in ids:
                if delivery_id not in rows:
                    continue
                row = rows[delivery_id]
                if delivery_id not in stored:
                    added.append(Added(delivery_id, "known", STATES[row[0]], row[1]))
                    continue
                message_id = _unused_message_id(plan, row, made)
                planned = plan.append(resent(row, message_id, *stored[delivery_id]), delivery_id)
                added.append(Added(planned.id, "new", State.QUEUED))
        except Unseen as unseen:
            known |= await lookup(connection, unseen.keys)
            continue
        first = await store(connection, plan, {row[3]: row["number"] for row in rows.values()}, now, priority=priority)
        return numbered(added, first)


def _next_id(row: asyncpg.Record, made: dict[int, int]) -> str:
    return resend_message_id(row[4], made.get(row["id"], 0) + 1)


def _unused_message_id(plan: Plan, row: asyncpg.Record, made: dict[int, int]) -> str:
    """The next message id for a new sending: not by count alone, for some of those sent before may be pruned."""
    number = made.get(row["id"], 0) + 1
    while plan.identities.find(row[3], resend_message_id(row[4], number)) is not None:
        number += 1
    return resend_message_id(row[4], number)


# -- jobs --------------------------------------------------------------------------------------------------------------


async def start(connection: asyncpg.Connection, query: Query, now: int, *, as_new: bool) -> ReplayJob:
    """Make a job over everything that matches now."""
    last_id = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    total = await count(connection, query, 0)
    job_id = await connection.fetchval(
        "INSERT INTO replays(filter, query, as_new, state, created_at, cursor, last_id, total)"
        " VALUES ($1, $2, $3, 'running', $4, 0, $5, $6) RETURNING id",
        query.text,
        msgspec.json.encode(query),
        as_new,
        now,
        last_id,
        total,
    )
    return job_of(await _read(connection, job_id))


async def jobs(connection: asyncpg.Connection) -> list[ReplayJob]:
    """Every job, newest first."""
    return [job_of(row) for row in await connection.fetch(f"SELECT {JOB} FROM replays ORDER BY id DESC")]


async def step(connection: asyncpg.Connection, job_id: int, limit: int, now: int) -> ReplayJob:
    """Re-queue the next stretch of a running job, behind live traffic; two drivers take turns."""
    row = await _read(connection, job_id, lock=True)
    job = job_of(row)
    if job.state != "running":
        return job
    end = min(job.last_id, job.cursor + LOOK)
    values: list[Any] = [job.cursor, end, limit]
    condition = where(msgspec.json.decode(row[10], type=Query), values)
    found = await connection.fetch(
        f"SELECT d.id FROM deliveries d JOIN environments e ON e.id = d.environment WHERE {condition}"
        " AND d.id > $1::bigint AND d.id <= $2::bigint ORDER BY d.id LIMIT $3::bigint",
        *values,
    )
    ids = [one[0] for one in found]
    added = await requeue(connection, ids, now, as_new=job.as_new, priority=1)
    queued = sum(1 for one in added if one.outcome == "new")
    cursor = ids[-1] if len(ids) == limit else end
    await connection.execute(
        "UPDATE replays SET cursor = $1, queued = queued + $2, skipped = skipped + $3, state = $4 WHERE id = $5",
        cursor,
        queued,
        len(ids) - queued,
        "done" if cursor >= job.last_id else "running",
        job_id,
    )
    return job_of(await _read(connection, job_id))


async def set_state(connection: asyncpg.Connection, job_id: int, state: JobState) -> ReplayJob:
    """Pause, resume or cancel; a job that is over stays so."""
    await connection.execute(
        "UPDATE replays SET state = $1 WHERE id = $2 AND state IN ('running', 'paused')", state, job_id
    )
    return job_of(await _read(connection, job_id))


async def _read(connection: asyncpg.Connection, job_id: int, *, lock: bool = False) -> asyncpg.Record:
    row = await connection.fetchrow(
        f"SELECT {JOB} FROM replays WHERE id = $1" + (" FOR UPDATE" if lock else ""), job_id
    )
    if row is None:
        raise JournalError(f"there is no replay job {job_id}")
    return row
