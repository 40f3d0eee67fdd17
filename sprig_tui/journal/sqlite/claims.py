"""Claiming deliveries, keeping them and giving them back, as the lane allows."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate, chain, islice, product

import msgspec

from sprig_tui.journal.claiming import (
    OFTEN,
    PATIENCE_MS,
    WHEN_DUE,
    Wanted,
    nothing,
    probe_events,
    resting_state,
    slot_ahead_ms,
)
from sprig_tui.journal.contract import MAX_LANE_WAIT_MS, WORKER_TTL_MS
from sprig_tui.journal.records import Claim
from sprig_tui.journal.sqlite.faults import is_damage
from sprig_tui.journal.sqlite.lanes import change_lane, held_until, read_lane
from sprig_tui.journal.sqlite.rows import (
    count,
    environment_number,
    is_careful,
    note_changes,
    numbers_text,
    on_these,
    read_numbers,
)

_FAR_AHEAD = 1 << 62

_LOOK_AHEAD = 250
"""Deliveries looked at in one go: about half of what fits a body."""
_DUE = (
    "SELECT json_group_array(json_array(id, size, tries, first_try, due_at, attempts))"
    " FROM (SELECT id, size, tries, first_try, due_at, attempts FROM deliveries INDEXED BY due"
    " WHERE environment = ? AND state = 0 AND lease IS NULL AND priority = ? AND due_at <= ?"
    " AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?)"
)
"""One row of JSON: stepping through rows would take the interpreter's lock for each."""
_DUE_BY_INDEX = (
    "SELECT id, due_at FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL"
    " AND priority = ? AND due_at <= ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?"
)
"""The index alone: no row is looked at."""
_ALL_DUE = "SELECT id FROM deliveries INDEXED BY due WHERE state = 0 AND lease IS NULL LIMIT ?"
_LOOK_DAMAGED = 20_000
"""Deliveries that a claim from a damaged file looks at."""
_ANY_DUE = (
    "SELECT 1 FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL AND priority = 0"
    " LIMIT 1"
)
_rows = msgspec.json.Decoder(list[tuple[int, int, int, int, int, int]])


def take(connection: sqlite3.Connection, wanted: Wanted, now: int, skip: AbstractSet[int] = frozenset()) -> Claim:
    """Lease the oldest due deliveries that fit, or say when to ask again; the payload is read later.

    `skip` are those whose rows cannot be read (see `unreadable`).
    """
    environment = environment_number(connection, wanted.environment, wanted.endpoint)
    state = read_lane(connection, environment)
    if state.state == "probing":
        # whoever probes may be gone: then it is for the next
        give_back_expired(connection, environment, now)
    until = held_until(state, now)
    over = bool(until) and until == wanted.waited_until
    if until is not None and not over and (state.state != "probing" or _is_probed(connection, environment)):
        return nothing(state, until, wanted.endpoint)
    give_back_expired(connection, environment, now)
    probe = state.state != "open"
    most = min(wanted.events, probe_events(state)) if probe else wanted.events
    rows = _due(connection, environment, wanted, most, now, skip)
    if not rows and wanted.adopt and wanted.endpoint:
        _adopt(connection, environment, wanted, now)
        rows = _due(connection, environment, wanted, most, now, skip)
    if not rows:
        return nothing(state, _next_lease_end(connection, environment, now), wanted.endpoint)
    if probe:
        rows = rows[: max(1, probe_events(state) >> max(0, rows[0][2] - OFTEN + 1))]
        until = now + _probing_ms(wanted.lease_ms)
        state = change_lane(connection, environment, "probing", until=until, why=(state.reason, state.detail), now=now)
    ids, sizes, retries_used, first_attempts, _, attempts = zip(*rows, strict=True)
    (lease,) = _leases(connection, environment, wanted, [ids], now, probe=probe)
    on_these(connection, "UPDATE deliveries SET lease = ? WHERE {among}", (lease,), ids)
    return Claim(
        lease=lease,
        environment=wanted.environment,
        ids=ids,
        attempts=attempts,
        retries_used=retries_used,
        first_attempts=first_attempts,
        sizes=sizes,
        payload=b"",
        send_at=_slots(connection, environment, wanted.rate, now, 1)[0],
        lane=state,
        endpoint=wanted.endpoint,
        probe=probe,
    )


def _adopt(connection: sqlite3.Connection, environment: int, wanted: Wanted, now: int) -> None:
    """Bind the next deliveries that wait for the environment's own endpoint for another one instead."""
    own = environment_number(connection, wanted.environment)
    if read_lane(connection, own).state == "paused":
        return
    give_back_expired(connection, own, now)
    for priority in (0, 1):
        found = connection.execute(_DUE, (own, priority, _FAR_AHEAD, 0, 0, wanted.events)).fetchone()[0]
        ids = [row[0] for row in _rows.decode(found)]
        if ids:
            on_these(connection, "UPDATE deliveries SET environment = ? WHERE {among}", (environment,), ids)
            count(connection, Counter({(own, 0): -len(ids), (environment, 0): len(ids)}))
            note_changes(connection, ids)
            return


def take_new(
    connection: sqlite3.Connection, wanted: Wanted, ids: Sequence[int], bodies: Sequence[bytes], now: int
) -> list[Claim]:
    """Claims of deliveries that are about to be written, in their order; the caller writes their leases with them."""
    if not ids:
        return []
    environment = environment_number(connection, wanted.environment, wanted.endpoint)
    state = read_lane(connection, environment)
    if state.state != "open":
        return []
    give_back_expired(connection, environment, now)
    if connection.execute(_ANY_DUE, (environment,)).fetchone():
        return []
    sizes = tuple(map(len, bodies))
    cuts = list(islice(parts(sizes, wanted), wanted.claims))
    leases = _leases(connection, environment, wanted, [ids[part] for part in cuts], now)
    slots = _slots(connection, environment, wanted.rate, now, len(cuts))
    return [
        Claim(
            lease=lease,
            environment=wanted.environment,
            ids=tuple(ids[part]),
            sizes=sizes[part],
            attempts=(0,) * len(sizes[part]),
            retries_used=(0,) * len(sizes[part]),
            first_attempts=(0,) * len(sizes[part]),
            payload=b",".join(bodies[part]),
            send_at=slot,
            lane=state,
            endpoint=wanted.endpoint,
        )
        for part, lease, slot in zip(cuts, leases, slots, strict=True)
    ]


def parts(sizes: Sequence[int], wanted: Wanted) -> Iterator[slice]:
    """Stretches that fit a claim each, and hold one delivery at least."""
    # where each would end, were all of them joined by commas
    ends = [end + commas for commas, end in enumerate(accumulate(sizes))]
    start = 0
    while start < len(ends):
        begin = ends[start] - sizes[start]
        stop = bisect_right(ends, begin + wanted.payload_bytes, start + 1, min(start + wanted.events, len(ends)))
        yield slice(start, stop)
        start = stop


def _leases(
    connection: sqlite3.Connection,
    environment: int,
    wanted: Wanted,
    groups: Sequence[Sequence[int]],
    now: int,
    *,
    probe: bool = False,
) -> range:
    """A new lease for each of these groups of deliveries."""
    until = now + wanted.lease_ms
    rows = [(environment, wanted.owner, until, wanted.lease_ms, probe, numbers_text(ids), len(ids)) for ids in groups]
    last = connection.execute(
        "INSERT INTO leases(environment, owner, until, length, probe, ids, n) VALUES "
        + ",".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows)),
        [*chain(*rows)],
    ).lastrowid
    end = int(last or 0) + 1
    return range(end - len(rows), end)


def _due(
    connection: sqlite3.Connection, environment: int, wanted: Wanted, limit: int, now: int, skip: AbstractSet[int]
) -> list[tuple[int, int, int, int, int, int]]:
    """The rows of what fits: live traffic before replays; each line in its parts."""
    fitting: list[tuple[int, int, int, int, int, int]] = []
    often = False
    total = -1
    patient = now - PATIENCE_MS
    for priority, (since, until) in product(
        (0, 1),
        (
            (1, patient),  # failed long ago
            (0, 0),  # never tried
            (max(patient + 1, 1), now),
            (max(now + 1, 1), _FAR_AHEAD),  # failed lately, by a clock that was set back since
        ),
    ):
        place = (since, 0)
        while len(fitting) < limit:
            number = min(_LOOK_AHEAD, limit - len(fitting))
            rows = _stretch(connection, (environment, priority, until, *place), number, skip)
            if rows and not fitting:
                often = rows[0][2] >= OFTEN
            for row in rows:
                total += row[1] + 1
                if (total > wanted.payload_bytes and fitting) or (row[2] >= OFTEN) != often:
                    return fitting
                fitting.append(row)
            if len(rows) < number:
                break
            place = (rows[-1][4], rows[-1][0])
    return fitting


def _stretch(
    connection: sqlite3.Connection, where: tuple[int, int, int, int, int], number: int, skip: AbstractSet[int]
) -> list[tuple[int, int, int, int, int, int]]:
    """The next due rows (id, size, tries, first try, due at, attempts).

    Of a damaged file, those that are not to be skipped, each by itself.
    """
    if not is_careful(connection):
        return _rows.decode(connection.execute(_DUE, (*where, number)).fetchone()[0])
    rows: list[tuple[int, int, int, int, int, int]] = []
    for delivery_id, _ in connection.execute(_DUE_BY_INDEX, (*where, _LOOK_DAMAGED)).fetchall():
        if delivery_id in skip:
            continue
        row = connection.execute(
            "SELECT size, tries, first_try, due_at, attempts FROM deliveries WHERE id = ?", (delivery_id,)
        ).fetchone()
        if row is not None:
            rows.append((delivery_id, *row))
        if len(rows) == number:
            break
    return rows


def unreadable(connection: sqlite3.Connection) -> frozenset[int]:
    """Due deliveries whose rows cannot be read.

    For a reader: a write transaction that meets damage can write no more.
    """
    found = set()
    for (delivery_id,) in connection.execute(_ALL_DUE, (_LOOK_DAMAGED,)).fetchall():
        try:
            connection.execute("SELECT size, tries, first_try FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            found.add(delivery_id)
    return frozenset(found)


def first_due(connection: sqlite3.Connection, wanted: Wanted, skip: AbstractSet[int]) -> int | None:
    """The first delivery due for an environment that is not to be skipped; for a reader."""
    row = connection.execute(
        "SELECT id FROM environments WHERE name = ? AND endpoint = ?", (wanted.environment, wanted.endpoint)
    ).fetchone()
    if row is None:
        return None
    for priority in (0, 1):
        for delivery_id, _ in connection.execute(
            _DUE_BY_INDEX, (row[0], priority, _FAR_AHEAD, -1, 0, _LOOK_DAMAGED)
        ).fetchall():
            if delivery_id not in skip:
                return int(delivery_id)
    return None


def _next_lease_end(connection: sqlite3.Connection, environment: int, now: int) -> int:
    """When a lease on a delivery of this environment runs out; 0 for no such time."""
    until = connection.execute("SELECT min(until) FROM leases WHERE environment = ?", (environment,)).fetchone()[0]
    return 0 if until is None else max(until, now)


def _probing_ms(lease_ms: int) -> int:
    """How long a probe may hold its lane without a sign of life: no hold may look longer than the longest wait."""
    return min(lease_ms, MAX_LANE_WAIT_MS)


def _slots(connection: sqlite3.Connection, environment: int, rate: float, now: int, number: int) -> list[int]:
    """The next free moments to send at `rate` requests a second, all workers together."""
    if rate <= 0:
        return [now] * number
    taken = connection.execute("SELECT next_slot FROM lanes WHERE environment = ?", (environment,)).fetchone()[0]
    slot = float(now) if taken < now or taken > now + slot_ahead_ms(rate) else taken
    step = 1000.0 / rate
    connection.execute("UPDATE lanes SET next_slot = ? WHERE environment = ?", (slot + number * step, environment))
    return [int(slot + position * step) for position in range(number)]


def extend(connection: sqlite3.Connection, claim: Claim, lease_ms: int, now: int) -> bool:
    """Keep a lease for so long; False when it is gone."""
    # its length grows with it: a lease that reaches further than its length allows counts as a clock's mistake
    kept = (
        connection.execute(
            "UPDATE leases SET until = ?, length = max(length, ?) WHERE id = ?", (now + lease_ms, lease_ms, claim.lease)
        ).rowcount
        == 1
    )
    if kept and claim.probe:
        environment = environment_number(connection, claim.environment, claim.endpoint)
        connection.execute(
            "UPDATE lanes SET until = ? WHERE environment = ? AND state = 'probing' AND epoch = ?",
            (now + _probing_ms(lease_ms), environment, claim.lane.epoch),
        )
    return kept


def release(connection: sqlite3.Connection, claim: Claim) -> None:
    """Give back what the claim still holds; a probe without a verdict leaves the lane to the next probe."""
    _give_back(connection, "WHERE id = ?", (claim.lease,))
    if claim.probe:
        environment = environment_number(connection, claim.environment, claim.endpoint)
        state = read_lane(connection, environment)
        if state.state == "probing" and state.epoch == claim.lane.epoch:
            change_lane(
                connection,
                environment,
                resting_state(state),
                until=WHEN_DUE,
                why=(state.reason, state.detail),
                now=0,
                failed=False,
            )


def _is_probed(connection: sqlite3.Connection, environment: int) -> bool:
    found = connection.execute("SELECT 1 FROM leases WHERE environment = ? AND probe LIMIT 1", (environment,))
    return found.fetchone() is not None


def give_back_expired(connection: sqlite3.Connection, environment: int, now: int) -> None:
    """Make deliveries due again whose lease has run out, or whose worker has not been heard of for WORKER_TTL_MS.

    A lease that was made or kept within that time stands, also where its worker never reported.
    """
    _give_back(
        connection,
        # the second bound ends leases made by a clock that stood far ahead
        "WHERE environment = ?1 AND (until <= ?2 OR until > ?2 + 2 * length OR (owner <> '' AND until - length <= ?3"
        " AND owner NOT IN (SELECT id FROM workers WHERE seen_at > ?3 AND seen_at < ?4)))",
        (environment, now, now - WORKER_TTL_MS, now + WORKER_TTL_MS),
    )


def _give_back(connection: sqlite3.Connection, where: str, values: Sequence[int]) -> None:
    leases = connection.execute(f"SELECT id, ids FROM leases {where}", values).fetchall()
    for lease, ids in leases:
        connection.execute(
            "UPDATE deliveries SET lease = NULL WHERE id IN (SELECT value FROM json_each(?)) AND lease = ?",
            (ids, lease),
        )
        connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
        note_changes(connection, read_numbers(ids))
