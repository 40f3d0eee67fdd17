"""Columns and state codes shared by both stores, and the conversion of rows to records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sprig_tui.journal.pause_reasons import stored_reason
from sprig_tui.journal.records import Attempt, Counts, Delivery, Lane, State

STATES_BY_CODE = (State.QUEUED, State.DELIVERED, State.FAILED, State.WITHHELD)
"""By the number that is stored for each."""
STATE_CODES = {state: number for number, state in enumerate(STATES_BY_CODE)}

REPLAY_MARK = 0
"""In `history`, the number of an attempt that no request has: the delivery was queued again. Versions that do not know
the mark ignore it."""
IS_UNLEASED = "+d.lease IS NULL"
"""Condition on a delivery `d`; without the sign a part of a search by environment reads its whole queue in SQLite."""
IS_HELD = (
    f"d.state = 0 AND {IS_UNLEASED}"
    # without the sign SQLite reads the whole queue of the environment for each part of a search
    " AND +d.environment IN (SELECT l.environment FROM lanes l WHERE l.state = 'paused' AND l.until = 0)"
)
"""Condition on a delivery `d`: see `Lane.is_held`."""
IS_REPLAYED = f"EXISTS (SELECT 1 FROM history h WHERE h.delivery = d.id AND h.attempt = {REPLAY_MARK})"
"""Condition on a delivery `d`."""

_TAKES_ITS_PLACE = "n.origin = d.id AND n.state <> 3 AND (d.state = 3 OR n.environment = d.environment)"
"""Condition on a delivery `n` that was made of the failed or withheld delivery `d`, and is or will be sent instead."""
IS_REPAIRED = f"d.state >= 2 AND EXISTS (SELECT 1 FROM deliveries n WHERE {_TAKES_ITS_PLACE})"
"""Condition on a delivery `d`."""
REPAIRED_BY = (
    f"CASE WHEN d.state >= 2 THEN coalesce((SELECT max(n.id) FROM deliveries n WHERE {_TAKES_ITS_PLACE}), 0) ELSE 0 END"
)
"""The newest delivery that takes the place of a delivery `d`; 0 for none."""

CONTENT_DROPPED = -1
"""The `first_try` of an ended delivery whose content was dropped: its retry window is over, so the column is free.

Its `size` is 0, so that no version sends it again.
"""

SELECT_DELIVERY = f"""
SELECT d.id, e.name, d.message_id, d.state, d.reason, d.detail, d.survey_id, d.survey_name, d.user_id,
  d.question_type, d.answer, d.answered_at, d.added_at, d.due_at, d.attempts, coalesce(a.status, 0), d.error,
  coalesce(a.latency_ms, 0.0), a.started_at, d.source, d.line, d.lease, d.size, d.edited, d.origin,
  coalesce(a.endpoint, ''), e.endpoint, {IS_REPLAYED}, d.first_try, {IS_HELD}, {REPAIRED_BY}
FROM deliveries d JOIN environments e ON e.id = d.environment LEFT JOIN attempts a ON a.id = d.attempt
"""
ATTEMPT_COLUMNS = "started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt, endpoint"
LANE_COLUMNS = (
    "e.name, l.state, l.until, l.cause, l.failures, l.since, l.epoch, l.last_status, l.last_at, l.pauses,"
    " l.reason, l.detail, l.reason_epoch"
)


def delivery_from_row(row: Sequence[Any]) -> Delivery:
    """A row of SELECT_DELIVERY as a record."""
    latency, started_at, added_at = row[17], row[18], row[12]
    return Delivery(
        id=row[0],
        environment=row[1],
        message_id=row[2],
        state=STATES_BY_CODE[row[3]],
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
        endpoint=row[25],
        bound_for=row[26],
        replayed=bool(row[27]),
        content_dropped=row[28] == CONTENT_DROPPED,
        held=bool(row[29]),
        repaired_by=row[30],
    )


def attempt_from_row(row: Sequence[Any]) -> Attempt:
    """A row of ATTEMPT_COLUMNS as a record."""
    return Attempt(
        started_at=row[0],
        status=row[1],
        error=row[2],
        outcome=row[3],
        latency_ms=row[4],
        events=row[5],
        body_bytes=row[6],
        excerpt=row[7],
        endpoint=row[8],
    )


SELECT_FORGOTTEN_COUNTS = (
    "SELECT e.name, d.state, count(*) FROM deliveries d JOIN environments e ON e.id = d.environment"
    " WHERE d.reason = 'forgotten' GROUP BY e.name, d.state"
)
"""Reads only the index of these rows."""


SELECT_REPAIRED_COUNTS = (
    "SELECT e.name, d.state, count(*) FROM deliveries d JOIN environments e ON e.id = d.environment"
    # without the sign the planner may read all failed and withheld deliveries, and not those with a link alone
    " WHERE +d.state >= 2 AND d.id IN (SELECT l.origin FROM deliveries l WHERE l.origin IS NOT NULL)"
    f" AND {IS_REPAIRED} GROUP BY e.name, d.state"
)
"""Takes as long as there are links between deliveries."""


def states_from_rows(rows: Iterable[Sequence[Any]]) -> dict[str, dict[State, int]]:
    """Rows of (environment, state, number) as a record."""
    found: dict[str, dict[State, int]] = {}
    for name, state, number in rows:
        states = found.setdefault(name, {})
        states[STATES_BY_CODE[state]] = states.get(STATES_BY_CODE[state], 0) + number
    return found


def counts_from_rows(
    rows: Iterable[Sequence[Any]], leased: dict[str, int], forgotten_rows: Iterable[Sequence[Any]] = ()
) -> Counts:
    """Rows of (environment, endpoint it is bound for, state, number) and of SELECT_FORGOTTEN_COUNTS as a record."""
    by_environment: dict[str, dict[State, int]] = {}
    elsewhere: Counter[str] = Counter()
    for name, endpoint, state, number in rows:
        states = by_environment.setdefault(name, {})
        states[STATES_BY_CODE[state]] = states.get(STATES_BY_CODE[state], 0) + number
        if endpoint and STATES_BY_CODE[state] is State.QUEUED and number:
            elsewhere[name] += number
    return Counts(by_environment, leased, dict(elsewhere), states_from_rows(forgotten_rows))


def lane_from_row(row: Sequence[Any]) -> Lane:
    """A row of LANE_COLUMNS as a record."""
    reason, detail = stored_reason(row[1], row[3], row[6], row[10], row[11], row[12])
    return Lane(
        environment=row[0],
        state=row[1],
        until=row[2],
        reason=reason,
        detail=detail,
        failures=row[4],
        since=row[5],
        epoch=row[6],
        last_status=row[7],
        last_at=row[8],
        pauses=row[9],
    )
