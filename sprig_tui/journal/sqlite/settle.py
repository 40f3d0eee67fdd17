"""Settlement: records the outcome of claimed deliveries, their requests and their lane."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from sprig_tui.journal.payload_codec import DAMAGED_ERROR
from sprig_tui.journal.records import Attempt, Claim, LaneChange, Settlement, State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.sqlite.claim import release
from sprig_tui.journal.sqlite.lanes import change_lane, read_lane
from sprig_tui.journal.sqlite.tables import (
    decode_ids,
    encode_ids,
    environment_number,
    execute_for_ids,
    mark_stale,
    record_changes,
    update_counts,
)


def settle(
    connection: sqlite3.Connection,
    claim: Claim,
    settlements: Sequence[Settlement],
    change: LaneChange | None,
    now: int,
) -> int:
    """Record the outcome of a claim's deliveries; those that it no longer leases are left unchanged."""
    environment = environment_number(connection, claim.environment, claim.endpoint)
    counts: Counter[tuple[int, int]] = Counter()
    written: dict[int, int] = {}
    changed: list[int] = []
    kept: list[int] = []
    done = 0
    for settlement in settlements:
        if not settlement.ids:
            continue
        attempt = None
        if settlement.attempt is not None:
            attempt = written.get(id(settlement.attempt))
            if attempt is None:
                attempt = written[id(settlement.attempt)] = _insert_attempt(connection, environment, settlement.attempt)
        number = _apply_settlement(connection, claim, settlement, attempt)
        if settlement.state is not None:
            done += number
            changed += settlement.ids
            counts[environment, 0] -= number
            counts[environment, STATE_CODES[settlement.state]] += number
        else:
            kept += settlement.ids
    update_counts(connection, counts)
    record_changes(connection, changed)
    mark_stale(connection, kept)
    _shrink_lease(connection, claim.lease, set(changed))
    last = max((s.attempt for s in settlements if s.attempt), key=lambda a: a.started_at, default=None)
    if last is not None and last.status:
        connection.execute(
            "UPDATE lanes SET last_status = ?, last_at = ? WHERE environment = ?",
            (last.status, int(last.started_at + last.latency_ms), environment),
        )
    if change is not None and read_lane(connection, environment).epoch == change.epoch:
        why = change.reason, change.detail
        change_lane(connection, environment, change.state, until=change.until, why=why, now=now)
    return done


def fail_and_release(connection: sqlite3.Connection, claim: Claim, ids: tuple[int, ...], now: int) -> None:
    """Settle the deliveries of a claim whose payloads are damaged as failed, and release the others."""
    settle(connection, claim, (Settlement(ids=ids, state=State.FAILED, error=DAMAGED_ERROR),), None, now)
    release(connection, claim)


def _insert_attempt(connection: sqlite3.Connection, environment: int, attempt: Attempt) -> int:
    cursor = connection.execute(
        "INSERT INTO attempts(environment, started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt,"
        " endpoint) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            environment,
            attempt.started_at,
            attempt.status,
            attempt.error,
            attempt.outcome,
            attempt.latency_ms,
            attempt.events,
            attempt.body_bytes,
            attempt.excerpt,
            attempt.endpoint,
        ),
    )
    return int(cursor.lastrowid or 0)


def _apply_settlement(connection: sqlite3.Connection, claim: Claim, settlement: Settlement, attempt: int | None) -> int:
    ids = settlement.ids
    where = "{among} AND lease = ? AND state = 0"
    lease = (claim.lease,)
    if settlement.state in (None, State.QUEUED) and attempt is not None:
        execute_for_ids(
            connection, f"INSERT INTO history SELECT id, ? FROM deliveries WHERE {where}", (attempt,), ids, lease
        )
    if settlement.state is None:
        # a rejected batch that is being split: its deliveries were sent once more, but no retry is used
        return execute_for_ids(
            connection,
            f"UPDATE deliveries SET attempts = attempts + 1, attempt = coalesce(?, attempt) WHERE {where}",
            (attempt,),
            ids,
            lease,
        ).rowcount
    carried = int(attempt is not None)
    used = int(attempt is not None and settlement.uses_retry)
    starts = int(attempt is not None and settlement.starts_window)
    if settlement.state is State.QUEUED:
        started_at = settlement.attempt.started_at if settlement.attempt else 0
        return execute_for_ids(
            connection,
            "UPDATE deliveries SET lease = NULL, due_at = max(due_at, ?), attempts = attempts + ?, tries = tries + ?,"
            # a window that begins in the future is the result of a clock that was set back
            " first_try = CASE WHEN ? AND (first_try = 0 OR first_try > ?) THEN ? ELSE first_try END,"
            f" attempt = coalesce(?, attempt), error = ? WHERE {where}",
            (settlement.due_at, carried, used, starts, started_at, started_at, attempt, settlement.error),
            ids,
            lease,
        ).rowcount
    return execute_for_ids(
        connection,
        "UPDATE deliveries SET lease = NULL, state = ?, attempts = attempts + ?, attempt = coalesce(?, attempt),"
        f" error = ?, reason = ?, detail = ? WHERE {where}",
        (STATE_CODES[settlement.state], carried, attempt, settlement.error, settlement.reason, settlement.detail),
        ids,
        lease,
    ).rowcount


def _shrink_lease(connection: sqlite3.Connection, lease: int, gone: set[int]) -> None:
    row = connection.execute("SELECT ids FROM leases WHERE id = ?", (lease,)).fetchone()
    if row is None or not gone:
        return
    left = [delivery_id for delivery_id in decode_ids(row[0]) if delivery_id not in gone]
    if left:
        connection.execute("UPDATE leases SET ids = ?, n = ? WHERE id = ?", (encode_ids(left), len(left), lease))
    else:
        connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
