"""Claiming, settling and giving back deliveries, as the lane allows."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from sprig_tui.journal.records import Attempt, Claim, Lane, LaneChange, Settlement, State
from sprig_tui.journal.sqlite.lanes import change_lane, held_until, read_lane
from sprig_tui.journal.sqlite.rows import NUMBERS, count, environment_number, note_changes

PROBE_EVENTS = 100
"""Deliveries that one probe risks at most."""
_SLOT_SLACK_MS = 10_000
"""A pacing slot further ahead than this is the work of a clock that jumped."""

_LOOK_AHEAD = 250
"""Deliveries looked at in one go: about half of what fits a body."""
_DUE = (
    "SELECT json_group_array(json_array(id, size, tries, first_try, due_at))"
    " FROM (SELECT id, size, tries, first_try, due_at FROM deliveries INDEXED BY due"
    " WHERE environment = ? AND state = 0 AND lease IS NULL AND priority = ? AND due_at <= ?"
    " AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?)"
)
"""One row of JSON: stepping through rows would take the interpreter's lock for each."""
_rows = msgspec.json.Decoder(list[tuple[int, int, int, int, int]])


class Taken(Struct, frozen=True):
    """A claim before its payload is read."""

    lease: int
    ids: list[int]
    sizes: list[int]
    attempts: list[int]
    first_attempts: list[int]
    send_at: int
    lane: Lane
    probe: bool
    retry_at: int


class Wanted(Struct, frozen=True):
    """What a worker asks for."""

    environment: str
    events: int
    payload_bytes: int
    lease_ms: int
    rate: float
    owner: str


def take(connection: sqlite3.Connection, wanted: Wanted, now: int) -> Taken:
    """Lease the oldest due deliveries that fit, or say when to ask again."""
    environment = environment_number(connection, wanted.environment)
    state = read_lane(connection, environment)
    until = held_until(state, now)
    if until is not None:
        return _none(state, until)
    give_back_expired(connection, environment, now)
    probe = state.state != "open"
    limit = min(wanted.events, PROBE_EVENTS) if probe else wanted.events
    rows = _due(connection, environment, wanted, limit, now)
    if not rows:
        return _none(state, _next_due(connection, environment, now))
    if probe:
        state = change_lane(connection, environment, "probing", until=now + wanted.lease_ms, cause=state.cause, now=now)
    ids = [row[0] for row in rows]
    lease = connection.execute(
        "INSERT INTO leases(environment, owner, until, length, probe, ids, n) VALUES(?, ?, ?, ?, ?, ?, ?)",
        (environment, wanted.owner, now + wanted.lease_ms, wanted.lease_ms, probe, json.dumps(ids), len(ids)),
    ).lastrowid
    connection.execute(f"UPDATE deliveries SET lease = ? WHERE {_among(ids)}", (lease, *_bounds(ids)))
    return Taken(
        lease=int(lease or 0),
        ids=ids,
        sizes=[row[1] for row in rows],
        attempts=[row[2] for row in rows],
        first_attempts=[row[3] for row in rows],
        send_at=_slot(connection, environment, wanted.rate, now),
        lane=state,
        probe=probe,
        retry_at=0,
    )


def _none(state: Lane, retry_at: int) -> Taken:
    return Taken(0, [], [], [], [], 0, state, False, retry_at)


def _due(
    connection: sqlite3.Connection, environment: int, wanted: Wanted, limit: int, now: int
) -> list[tuple[int, int, int, int]]:
    """(id, size, tries, first try) of what fits: live traffic first, then bulk replays."""
    fitting: list[tuple[int, int, int, int]] = []
    total = -1
    for priority in (0, 1):
        after_due, after_id = -1, 0
        while len(fitting) < limit:
            number = min(_LOOK_AHEAD, limit - len(fitting))
            found = connection.execute(_DUE, (environment, priority, now, after_due, after_id, number)).fetchone()[0]
            rows = _rows.decode(found)
            for delivery_id, size, tries, first_try, _ in rows:
                total += size + 1
                if total > wanted.payload_bytes and fitting:
                    return fitting
                fitting.append((delivery_id, size, tries, first_try))
            if len(rows) < number:
                break
            after_due, after_id = rows[-1][4], rows[-1][0]
    return fitting


def _next_due(connection: sqlite3.Connection, environment: int, now: int) -> int:
    """When the next delivery of this environment falls due, or a lease on one runs out; 0 for no such time."""
    times = [
        connection.execute(
            "SELECT min(due_at) FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL"
            " AND priority = ?",
            (environment, priority),
        ).fetchone()[0]
        for priority in (0, 1)
    ]
    times.append(
        connection.execute("SELECT min(until) FROM leases WHERE environment = ?", (environment,)).fetchone()[0]
    )
    ahead = [time for time in times if time is not None]
    return max(min(ahead), now) if ahead else 0


def _slot(connection: sqlite3.Connection, environment: int, rate: float, now: int) -> int:
    """The next free moment to send at `rate` requests a second, all workers together."""
    if rate <= 0:
        return now
    taken = connection.execute("SELECT next_slot FROM lanes WHERE environment = ?", (environment,)).fetchone()[0]
    slot = float(now) if taken < now or taken > now + _SLOT_SLACK_MS else taken
    connection.execute("UPDATE lanes SET next_slot = ? WHERE environment = ?", (slot + 1000.0 / rate, environment))
    return int(slot)


def _among(ids: Sequence[int]) -> str:
    """The WHERE clause for these ids: a range where they follow each other, as they mostly do."""
    return "id BETWEEN ? AND ?" if _gapless(ids) else "id IN (SELECT value FROM json_each(?))"


def _bounds(ids: Sequence[int]) -> tuple[int, int] | tuple[str]:
    return (min(ids), max(ids)) if _gapless(ids) else (json.dumps(list(ids)),)


def _gapless(ids: Sequence[int]) -> bool:
    return max(ids) - min(ids) + 1 == len(ids)


def settle(
    connection: sqlite3.Connection,
    claim: Claim,
    settlements: Sequence[Settlement],
    change: LaneChange | None,
    now: int,
) -> int:
    """Record what became of a claim's deliveries; those no longer held by it are left alone."""
    environment = environment_number(connection, claim.environment)
    counts: Counter[tuple[int, int]] = Counter()
    written: dict[int, int] = {}
    changed: list[int] = []
    done = 0
    for settlement in settlements:
        if not settlement.ids:
            continue
        attempt = None
        if settlement.attempt is not None:
            attempt = written.get(id(settlement.attempt))
            if attempt is None:
                attempt = written[id(settlement.attempt)] = _note(connection, environment, settlement.attempt)
        number = _apply(connection, claim, settlement, attempt)
        if settlement.state is not None:
            done += number
            changed += settlement.ids
            counts[environment, 0] -= number
            counts[environment, NUMBERS[settlement.state]] += number
    count(connection, counts)
    note_changes(connection, changed)
    _shrink_lease(connection, claim.lease, set(changed))
    last = max((s.attempt for s in settlements if s.attempt), key=lambda a: a.started_at, default=None)
    if last is not None and last.status:
        connection.execute(
            "UPDATE lanes SET last_status = ?, last_at = ? WHERE environment = ?",
            (last.status, int(last.started_at + last.latency_ms), environment),
        )
    if change is not None and read_lane(connection, environment).epoch == change.epoch:
        change_lane(connection, environment, change.state, until=change.until, cause=change.cause, now=now)
    return done


def _note(connection: sqlite3.Connection, environment: int, attempt: Attempt) -> int:
    cursor = connection.execute(
        "INSERT INTO attempts(environment, started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        ),
    )
    return int(cursor.lastrowid or 0)


def _apply(connection: sqlite3.Connection, claim: Claim, settlement: Settlement, attempt: int | None) -> int:
    ids = settlement.ids
    held = f"{_among(ids)} AND lease = ? AND state = 0"
    where = (*_bounds(ids), claim.lease)
    if settlement.state in (None, State.QUEUED) and attempt is not None:
        connection.execute(f"INSERT INTO history SELECT id, ? FROM deliveries WHERE {held}", (attempt, *where))
    if settlement.state is None:
        # a refused batch that is being split: each of its events was carried once more, but no retry is used up
        return connection.execute(
            f"UPDATE deliveries SET attempts = attempts + 1, attempt = coalesce(?, attempt) WHERE {held}",
            (attempt, *where),
        ).rowcount
    used = int(attempt is not None and settlement.counts)
    if settlement.state is State.QUEUED:
        started_at = settlement.attempt.started_at if settlement.attempt else 0
        return connection.execute(
            "UPDATE deliveries SET lease = NULL, due_at = max(due_at, ?), attempts = attempts + ?, tries = tries + ?,"
            " first_try = CASE WHEN first_try = 0 AND ? THEN ? ELSE first_try END, attempt = coalesce(?, attempt),"
            f" error = ? WHERE {held}",
            (settlement.due_at, used, used, used, started_at, attempt, settlement.error, *where),
        ).rowcount
    return connection.execute(
        "UPDATE deliveries SET lease = NULL, state = ?, attempts = attempts + ?, attempt = coalesce(?, attempt),"
        f" error = ? WHERE {held}",
        (NUMBERS[settlement.state], used, attempt, settlement.error, *where),
    ).rowcount


def _shrink_lease(connection: sqlite3.Connection, lease: int, gone: set[int]) -> None:
    row = connection.execute("SELECT ids FROM leases WHERE id = ?", (lease,)).fetchone()
    if row is None or not gone:
        return
    left = [delivery_id for delivery_id in json.loads(row[0]) if delivery_id not in gone]
    if left:
        connection.execute("UPDATE leases SET ids = ?, n = ? WHERE id = ?", (json.dumps(left), len(left), lease))
    else:
        connection.execute("DELETE FROM leases WHERE id = ?", (lease,))


def extend(connection: sqlite3.Connection, claim: Claim, until: int) -> bool:
    """Keep a lease until then; False when it is gone."""
    kept = connection.execute("UPDATE leases SET until = ? WHERE id = ?", (until, claim.lease)).rowcount == 1
    if kept and claim.probe:
        environment = environment_number(connection, claim.environment)
        connection.execute(
            "UPDATE lanes SET until = ? WHERE environment = ? AND state = 'probing' AND epoch = ?",
            (until, environment, claim.lane.epoch),
        )
    return kept


def release(connection: sqlite3.Connection, claim: Claim) -> None:
    """Give back what the claim still holds; a probe without a verdict leaves the lane to the next probe."""
    _give_back(connection, "WHERE id = ?", (claim.lease,))
    if claim.probe:
        environment = environment_number(connection, claim.environment)
        state = read_lane(connection, environment)
        if state.state == "probing" and state.epoch == claim.lane.epoch:
            change_lane(connection, environment, "waiting", cause=state.cause, now=0, failed=False)


def give_back_expired(connection: sqlite3.Connection, environment: int, now: int) -> None:
    """Make deliveries due again whose worker showed no sign of life for the length of its lease."""
    _give_back(
        connection,
        # the second bound ends leases made by a clock that stood far ahead
        "WHERE environment = ? AND (until <= ? OR until > ? + 2 * length)",
        (environment, now, now),
    )


def _give_back(connection: sqlite3.Connection, where: str, values: Sequence[int]) -> None:
    leases = connection.execute(f"SELECT id, ids FROM leases {where}", values).fetchall()
    for lease, ids in leases:
        connection.execute(
            "UPDATE deliveries SET lease = NULL WHERE id IN (SELECT value FROM json_each(?)) AND lease = ?",
            (ids, lease),
        )
        connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
        note_changes(connection, json.loads(ids))
