"""Lanes: reading and changing the shared state of an environment's deliveries to an endpoint."""

from __future__ import annotations

import sqlite3
from collections import Counter

from sprig_tui.journal.claim_rules import MAX_LANE_WAIT_MS, MAX_PAUSE_MS
from sprig_tui.journal.pause_reasons import NO_DETAIL, PauseDetail, PauseReason, cause_of, detail_text, manual
from sprig_tui.journal.records import Lane, LaneState
from sprig_tui.journal.rows import LANE_COLUMNS, lane_from_row
from sprig_tui.journal.sqlite.tables import environment_number, mark_stale, update_counts


def read_lane(connection: sqlite3.Connection, environment: int) -> Lane:
    """The lane of an environment by its number."""
    row = connection.execute(
        f"SELECT {LANE_COLUMNS} FROM lanes l JOIN environments e ON e.id = l.environment WHERE l.environment = ?",
        (environment,),
    ).fetchone()
    return lane_from_row(row)


def blocked_until(state: Lane, now: int) -> int | None:
    """The time until which nothing may be claimed (0: until it is resumed by hand); None if claims are allowed.

    A wait longer than the maximum is treated as the result of a clock jump, and is over.
    """
    if state.state == "paused" and not state.until:
        return 0
    longest = MAX_PAUSE_MS if state.state == "paused" else MAX_LANE_WAIT_MS
    if state.state != "open" and now < state.until <= now + longest:
        return state.until
    return None


def set_lane(
    connection: sqlite3.Connection, name: str, endpoint: str, state: LaneState, cause: str, by: str, now: int
) -> Lane:
    """Hold or resume a lane by hand."""
    why = manual(state, cause, by, now)
    return change_lane(connection, environment_number(connection, name, endpoint), state, why=why, now=now)


def change_lane(
    connection: sqlite3.Connection,
    environment: int,
    state: LaneState,
    *,
    now: int,
    until: int = 0,
    why: tuple[PauseReason, PauseDetail] = (PauseReason.NONE, NO_DETAIL),
    count_failure: bool = True,
) -> Lane:
    """Set the state and increment the epoch; with `count_failure` a wait or a pause counts as another failure."""
    before = read_lane(connection, environment)
    reason, detail = (PauseReason.NONE, NO_DETAIL) if state == "open" else why
    connection.execute(
        "UPDATE lanes SET state = ?, until = ?, cause = ?, reason = ?, detail = ?, reason_epoch = epoch + 1,"
        " failures = ?, pauses = ?, since = ?, epoch = epoch + 1 WHERE environment = ?",
        (
            state,
            until,
            cause_of(reason, detail),
            reason.value,
            detail_text(detail),
            0 if state == "open" else before.failures + (state == "waiting" and count_failure),
            0 if state == "open" else before.pauses + (state == "paused" and until > 0 and count_failure),
            0 if state == "open" else before.since or now,
            environment,
        ),
    )
    return read_lane(connection, environment)


def count_bound_for(connection: sqlite3.Connection, name: str, endpoint: str) -> int:
    """Number of deliveries bound for the endpoint of a run with `--endpoint`."""
    return int(
        connection.execute(
            "SELECT coalesce(sum(c.n), 0) FROM counts c JOIN environments e ON e.id = c.environment"
            " WHERE e.name = ? AND e.endpoint = ?",
            (name, endpoint),
        ).fetchone()[0]
    )


def merge_endpoint(connection: sqlite3.Connection, name: str, endpoint: str) -> int:
    """Rebind these deliveries to the environment's own endpoint; none if one of them is leased."""
    own, other = environment_number(connection, name), environment_number(connection, name, endpoint)
    if connection.execute("SELECT 1 FROM leases WHERE environment = ?", (other,)).fetchone():
        return 0
    ids = [row[0] for row in connection.execute("SELECT id FROM deliveries WHERE environment = ?", (other,))]
    mark_stale(connection, ids)
    moved = connection.execute("UPDATE deliveries SET environment = ? WHERE environment = ?", (own, other)).rowcount
    states = connection.execute("SELECT state, n FROM counts WHERE environment = ?", (other,)).fetchall()
    update_counts(
        connection,
        Counter({(place, state): n * sign for place, sign in ((own, 1), (other, -1)) for state, n in states}),
    )
    return moved
