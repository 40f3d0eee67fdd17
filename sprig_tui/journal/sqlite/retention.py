"""Retention in the file: each step is one short transaction of the writer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from sprig_tui.clock import Clock
from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.content import DROPPED_COLUMNS, DroppedContent, dropped_content
from sprig_tui.journal.maintenance import chunk_result
from sprig_tui.journal.payload_codec import DamagedPayloadError
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
from sprig_tui.journal.sqlite import maintenance, payloads, slack
from sprig_tui.journal.sqlite.connection import empty_wal
from sprig_tui.journal.sqlite.forgetting import clean_attempts
from sprig_tui.journal.sqlite.tables import encode_ids, record_changes

if TYPE_CHECKING:
    from sprig_tui.journal.sqlite.journal import SQLiteJournal

VACUUM_STEP_PAGES = 128
"""Pages given back in one transaction, half a megabyte."""


class SQLiteRetention(RetentionStore):
    """Retention of an open journal."""

    step_rows = (10, 150)

    def __init__(self, journal: SQLiteJournal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def state(self) -> RetentionState:
        return await self._journal.read(_read_state)

    async def take_turn(self, owner: str) -> RetentionState | None:
        return await self._journal.write(lambda c: _take_turn(c, owner, self._clock.now()))

    async def end_turn(self, owner: str, state: RetentionState | None) -> None:
        await self._journal.write(lambda c: _end_turn(c, owner, state))

    async def due_rows(self, cutoffs: Cutoffs, after: int) -> Due:
        return await self._journal.read(lambda c: _due(c, cutoffs.rows_sql(), cutoffs.rows, after))

    async def due_packs(self, cutoffs: Cutoffs, after: int) -> Due:
        return await self._journal.read(lambda c: _due_packs(c, cutoffs, after))

    async def orphaned_packs(self, first: int, last: int) -> tuple[int, ...]:
        return await self._journal.read(lambda c: tuple(payloads.pack_firsts(c, first, last)))

    async def remove(self, owner: str, cutoffs: Cutoffs, ids: Sequence[int]) -> Step:
        return await self._step(owner, lambda c, state: _remove(c, state, cutoffs, ids))

    async def clean_pack(self, owner: str, cutoffs: Cutoffs, first: int) -> Step:
        prepared = await self._journal.read(lambda c: _prepare_pack(c, cutoffs, first))
        return await self._step(owner, lambda c, state: _clean_pack(c, state, cutoffs, first, prepared))

    async def tidy_tombstones(self) -> None:
        await self._journal.tidy_tombstones()

    async def unused_attempts(self, before: int) -> list[int]:
        return await self._journal.read(lambda c: maintenance.unused_attempts(c, before))

    async def delete_attempts(self, owner: str, ids: Sequence[int]) -> Step:
        def delete(connection: sqlite3.Connection, _: RetentionState) -> Step:
            maintenance.delete_attempts(connection, ids)
            return Step()

        return await self._step(owner, delete)

    async def find_slack(self, ids: tuple[int, int], *, requests: bool) -> Sequence[SlackPage]:
        ranges = {"deliveries": ids, "packs": ids}
        if requests:
            ranges["attempts"] = slack.ALL_IDS
        return await slack.find_pages(self._journal.path, self._journal.read, ranges)

    async def clear_slack(self, owner: str, pages: Sequence[SlackPage]) -> Step:
        def clear(connection: sqlite3.Connection, _: RetentionState) -> Step:
            slack.clear_slack(connection, pages)
            return Step()

        try:
            return await self._step(owner, clear)
        except JournalCorruptError:
            return Step()  # damaged pages stay as they are

    async def give_back_space(self, owner: str) -> Step | None:
        free, vacuum = await self._journal.read(_free_pages)
        if not free or not vacuum:
            return None

        def release(connection: sqlite3.Connection, _: RetentionState) -> Step:
            maintenance.vacuum_step(connection, VACUUM_STEP_PAGES)
            return Step()

        return await self._step(owner, release)

    async def empty_log(self) -> None:
        await asyncio.to_thread(empty_wal, self._journal.path)

    async def _step(self, owner: str, work: Callable[[sqlite3.Connection, RetentionState], Step]) -> Step:
        def run(connection: sqlite3.Connection) -> Step:
            started, now = perf_counter(), self._clock.now()
            state = _read_state(connection)
            if state.owner != owner or state.is_held(owner, now):
                return Step(lost=True)
            done = work(connection, state)
            state.until = now + TURN_MS
            _store_state(connection, state)
            return msgspec.structs.replace(done, took_ms=(perf_counter() - started) * 1000)

        # what a power cut undoes is done again
        return await self._journal.write(run, durable=False)


def _read_state(connection: sqlite3.Connection) -> RetentionState:
    row = connection.execute(
        "SELECT value FROM positions WHERE kind = ? AND key = ?", (STATE_KIND, STATE_KEY)
    ).fetchone()
    return state_from(row[0] if row else None)


def _store_state(connection: sqlite3.Connection, state: RetentionState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO positions(kind, key, value) VALUES(?, ?, ?)",
        (STATE_KIND, STATE_KEY, msgspec.json.encode(state)),
    )


def _take_turn(connection: sqlite3.Connection, owner: str, now: int) -> RetentionState | None:
    state = _read_state(connection)
    if state.is_held(owner, now):
        return None
    state.owner, state.until, state.longest_step_ms = owner, now + TURN_MS, 0.0
    _store_state(connection, state)
    return state


def _end_turn(connection: sqlite3.Connection, owner: str, ended: RetentionState | None) -> None:
    state = _read_state(connection)
    if state.owner == owner:
        state.end_turn(ended)
        _store_state(connection, state)


def _due(connection: sqlite3.Connection, condition: str, latest: int, after: int) -> Due:
    """The next deliveries above id `after` for which the condition holds; none added at `latest` or later is due."""
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    first = connection.execute("SELECT min(id) FROM deliveries WHERE id > ?", (after,)).fetchone()[0]
    if first is None or not latest:
        return Due((), newest, done=True)
    end = min(first + SCAN_ROWS - 1, newest)
    rows = connection.execute(
        f"SELECT d.id, d.added_at, {condition} {FROM_DELIVERIES} WHERE d.id BETWEEN ? AND ?", (first, end)
    ).fetchall()
    added = [row[1] for row in rows]
    done, past = end >= newest or min(added) >= latest, max(added) < latest
    return Due(tuple(sorted(row[0] for row in rows if row[2])), end, done, past)


def _due_packs(connection: sqlite3.Connection, cutoffs: Cutoffs, after: int) -> Due:
    found = _due(connection, cutoffs.content_sql(), cutoffs.content, after)
    firsts: list[int] = []
    end = 0
    for delivery_id in found.ids:
        if delivery_id >= end:
            pack = connection.execute("SELECT max(first) FROM packs WHERE first <= ?", (delivery_id,)).fetchone()[0]
            if pack is None:
                continue
            firsts.append(pack)
            end = payloads.pack_end(connection, pack)
    return Due(tuple(firsts), found.reached, found.done, found.past)


def _remove(connection: sqlite3.Connection, state: RetentionState, cutoffs: Cutoffs, ids: Sequence[int]) -> Step:
    rows = connection.execute(
        f"SELECT {maintenance.REMOVED_COLUMNS} {FROM_DELIVERIES} WHERE d.id IN (SELECT value FROM json_each(?))"
        f" AND {cutoffs.rows_sql()} ORDER BY d.id",
        (encode_ids(ids),),
    ).fetchall()
    if not rows:
        return Step()
    maintenance.remove_rows(connection, rows)
    by_state = chunk_result(rows).by_state
    state.dirty = widened(state.dirty, rows[0][0], rows[-1][0])
    count_step(state, by_state, content=False)
    return Step(by_state=by_state)


def _due_in_pack(connection: sqlite3.Connection, cutoffs: Cutoffs, first: int) -> dict[int, DroppedContent]:
    """Deliveries of a pack whose content is kept no longer, and what is left of them."""
    rows = connection.execute(
        f"SELECT {DROPPED_COLUMNS} {FROM_DELIVERIES} WHERE d.id >= ? AND d.id < ? AND {cutoffs.content_sql()}",
        (first, payloads.pack_end(connection, first)),
    ).fetchall()
    return {row[0]: dropped_content(row) for row in rows}


def _prepare_pack(connection: sqlite3.Connection, cutoffs: Cutoffs, first: int) -> payloads.BlankedPack | None:
    """The pack as it is going to be, made before the lock is taken: packing takes most of the time."""
    try:
        return payloads.blank_pack(connection, first, _due_in_pack(connection, cutoffs, first).keys())
    except DamagedPayloadError:
        return None


def _clean_pack(
    connection: sqlite3.Connection,
    state: RetentionState,
    cutoffs: Cutoffs,
    first: int,
    prepared: payloads.BlankedPack | None,
) -> Step:
    connection.execute("PRAGMA secure_delete = ON")
    due = _due_in_pack(connection, cutoffs, first)
    damaged = 0
    try:
        payloads.blank(connection, first, due.keys(), prepared)
    except DamagedPayloadError:
        # the rows are marked all the same: nothing can be read of it
        damaged = 1
    connection.executemany(
        f"UPDATE deliveries SET answer = '', size = 0, first_try = {CONTENT_DROPPED}, digest = ?, detail = ?, error = ?"
        " WHERE id = ?",
        [(one.digest, one.detail, one.error, one.id) for one in due.values()],
    )
    clean_attempts(connection, [*due], REMOVED_WITH_CONTENT)
    record_changes(connection, sorted(due))
    by_state = dict(Counter(one.state for one in due.values()))
    count_step(state, by_state, content=True)
    return Step(by_state=by_state, damaged=damaged)


def _free_pages(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Number of unused pages, and whether the file can give them back."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return int(free), connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
