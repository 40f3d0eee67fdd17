"""Retention at the server: each step is one short transaction, which locks only its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from sprig_tui.journal.content import DROPPED_COLUMNS, dropped_content
from sprig_tui.journal.maintenance import chunk_result
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.postgres import maintenance, payloads
from sprig_tui.journal.postgres.connection import ServerPool
from sprig_tui.journal.postgres.forgetting import clean_attempts
from sprig_tui.journal.quotes import REMOVED_WITH_CONTENT
from sprig_tui.journal.retention import (
    FROM_DELIVERIES,
    SCAN_ROWS,
    STATE_KEY,
    STATE_KIND,
    TURN_MS,
    Cutoffs,
    Due,
    RetentionState,
    RetentionStore,
    SlackPage,
    Step,
    count_step,
    state_from,
    widened,
)
from sprig_tui.journal.rows import CONTENT_DROPPED

if TYPE_CHECKING:
    from sprig_tui.journal.postgres.journal import PostgresJournal

StepFunction = Callable[[asyncpg.Connection, RetentionState], Awaitable[Step]]


class PostgresRetention(RetentionStore):
    """Retention of an open journal."""

    # a step locks only what it removes, and most of its time is round trips
    step_rows = (500, 1000)

    def __init__(self, journal: PostgresJournal, server: ServerPool) -> None:
        self._journal = journal
        self._server = server

    async def state(self) -> RetentionState:
        return await self._server.execute(_read_state)

    async def take_turn(self, owner: str) -> RetentionState | None:
        return await self._server.transact(lambda c: _take_turn(c, owner, self._journal.clock.now()))

    async def end_turn(self, owner: str, state: RetentionState | None) -> None:
        await self._server.transact(lambda c: _end_turn(c, owner, state))

    async def due_rows(self, cutoffs: Cutoffs, after: int) -> Due:
        return await self._server.execute(lambda c: _due(c, cutoffs.rows_sql(), cutoffs.rows, after))

    async def due_packs(self, cutoffs: Cutoffs, after: int) -> Due:
        return await self._server.execute(lambda c: _due_packs(c, cutoffs, after))

    async def orphaned_packs(self, first: int, last: int) -> tuple[int, ...]:
        return tuple(await self._server.execute(lambda c: payloads.pack_firsts(c, first, last)))

    async def remove(self, owner: str, cutoffs: Cutoffs, ids: Sequence[int]) -> Step:
        return await self._step(owner, lambda c, state: _remove(c, state, cutoffs, ids))

    async def clean_pack(self, owner: str, cutoffs: Cutoffs, first: int) -> Step:
        return await self._step(owner, lambda c, state: _clean_pack(c, state, cutoffs, first))

    async def tidy_tombstones(self) -> None:
        await self._journal.tidy_tombstones()

    async def unused_attempts(self, before: int) -> list[int]:
        return await self._server.execute(lambda c: maintenance.unused_attempts(c, before))

    async def delete_attempts(self, owner: str, ids: Sequence[int]) -> Step:
        async def delete(connection: asyncpg.Connection, _: RetentionState) -> Step:
            await maintenance.delete_attempts(connection, ids)
            return Step()

        return await self._step(owner, delete)

    async def find_slack(self, ids: tuple[int, int], *, requests: bool) -> Sequence[SlackPage]:  # noqa: ARG002 - VACUUM
        return ()

    async def clear_slack(self, owner: str, pages: Sequence[SlackPage]) -> Step:  # noqa: ARG002 - there are none
        return Step()

    async def give_back_space(self, owner: str) -> Step | None:  # noqa: ARG002 - the server's autovacuum does
        return None

    async def empty_log(self) -> None:
        """Nothing: VACUUM and the server's settings decide about it."""

    async def _step(self, owner: str, work: StepFunction) -> Step:
        now = self._journal.clock.now()

        async def run(connection: asyncpg.Connection) -> Step:
            started = perf_counter()
            await connection.execute("SET LOCAL synchronous_commit = off")  # what a crash undoes is done again
            state = await _read_state(connection, lock=True)
            if state.owner != owner or state.is_held(owner, now):
                return Step(lost=True)
            done = await work(connection, state)
            state.until = now + TURN_MS
            await _store_state(connection, state)
            return msgspec.structs.replace(done, took_ms=(perf_counter() - started) * 1000)

        return await self._server.transact(run)


async def _read_state(connection: asyncpg.Connection, *, lock: bool = False) -> RetentionState:
    value = await connection.fetchval(
        f"SELECT value FROM positions WHERE kind = $1 AND key = $2{' FOR UPDATE' if lock else ''}",
        STATE_KIND,
        STATE_KEY,
    )
    return state_from(bytes(value) if value is not None else None)


async def _store_state(connection: asyncpg.Connection, state: RetentionState) -> None:
    await connection.execute(
        "INSERT INTO positions(kind, key, value) VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO UPDATE SET value = $3",
        STATE_KIND,
        STATE_KEY,
        msgspec.json.encode(state),
    )


async def _take_turn(connection: asyncpg.Connection, owner: str, now: int) -> RetentionState | None:
    # a row to lock: two that begin at once must see each other
    await connection.execute(
        "INSERT INTO positions(kind, key, value) VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO NOTHING",
        STATE_KIND,
        STATE_KEY,
        msgspec.json.encode(RetentionState()),
    )
    state = await _read_state(connection, lock=True)
    if state.is_held(owner, now):
        return None
    state.owner, state.until, state.longest_step_ms = owner, now + TURN_MS, 0.0
    await _store_state(connection, state)
    return state


async def _end_turn(connection: asyncpg.Connection, owner: str, ended: RetentionState | None) -> None:
    state = await _read_state(connection, lock=True)
    if state.owner == owner:
        state.end_turn(ended)
        await _store_state(connection, state)


async def _due(connection: asyncpg.Connection, condition: str, latest: int, after: int) -> Due:
    """The next deliveries above id `after` for which the condition holds; none added at `latest` or later is due."""
    newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    first = await connection.fetchval("SELECT min(id) FROM deliveries WHERE id > $1", after)
    if first is None or not latest:
        return Due((), newest, done=True)
    end = min(first + SCAN_ROWS - 1, newest)
    row = await connection.fetchrow(
        "SELECT min(d.added_at), max(d.added_at),"
        f" coalesce(array_agg(d.id ORDER BY d.id) FILTER (WHERE {condition}), '{{}}') {FROM_DELIVERIES}"
        " WHERE d.id BETWEEN $1 AND $2",
        first,
        end,
    )
    if row[0] is None:  # removed by another process since
        return Due((), end, done=end >= newest)
    return Due(tuple(row[2]), end, done=end >= newest or row[0] >= latest, past=row[1] < latest)


async def _due_packs(connection: asyncpg.Connection, cutoffs: Cutoffs, after: int) -> Due:
    found = await _due(connection, cutoffs.content_sql(), cutoffs.content, after)
    rows = await connection.fetch(
        "SELECT DISTINCT (SELECT max(first) FROM packs WHERE first <= due) FROM unnest($1::bigint[]) due ORDER BY 1",
        list(found.ids),
    )
    return Due(tuple(row[0] for row in rows if row[0] is not None), found.reached, found.done, found.past)


async def _remove(connection: asyncpg.Connection, state: RetentionState, cutoffs: Cutoffs, ids: Sequence[int]) -> Step:
    rows = await connection.fetch(
        f"SELECT {maintenance.REMOVED_COLUMNS} {FROM_DELIVERIES}"
        f" WHERE d.id = ANY ($1::bigint[]) AND {cutoffs.rows_sql()}"
        " ORDER BY d.id FOR UPDATE OF d SKIP LOCKED",
        list(ids),
    )
    if not rows:
        return Step()
    await maintenance.remove_rows(connection, rows)
    by_state = chunk_result(rows).by_state
    state.dirty = widened(state.dirty, rows[0][0], rows[-1][0])
    count_step(state, by_state, content=False)
    return Step(by_state=by_state)


async def _clean_pack(connection: asyncpg.Connection, state: RetentionState, cutoffs: Cutoffs, first: int) -> Step:
    rows = await connection.fetch(
        f"SELECT {DROPPED_COLUMNS} {FROM_DELIVERIES} WHERE d.id >= $1 AND d.id < $2 AND {cutoffs.content_sql()}"
        " ORDER BY d.id FOR UPDATE OF d SKIP LOCKED",
        first,
        await payloads.pack_end(connection, first),
    )
    due = {row[0]: dropped_content(row) for row in rows}
    damaged = 0
    try:
        await payloads.blank(connection, first, due.keys())
    except DamagedPayloadError:
        # the rows are marked all the same: nothing can be read of it
        damaged = 1
    await connection.execute(
        f"UPDATE deliveries d SET answer = '', size = 0, first_try = {CONTENT_DROPPED}, digest = u.digest,"
        " detail = u.detail, error = u.error"
        " FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[]) AS u(id, digest, detail, error)"
        " WHERE d.id = u.id",
        [*due],
        [one.digest for one in due.values()],
        [one.detail for one in due.values()],
        [one.error for one in due.values()],
    )
    await clean_attempts(connection, [*due], REMOVED_WITH_CONTENT)
    by_state = dict(Counter(one.state for one in due.values()))
    count_step(state, by_state, content=True)
    await connection.execute("SELECT close_books('{}', '{}', '{}', $1::bigint[])", sorted(due))
    return Step(by_state=by_state, damaged=damaged)
