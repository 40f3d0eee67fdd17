"""Claims: leasing due deliveries as the lane allows, renewing and releasing leases."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate, chain, islice, product

import msgspec

from sprig_tui.journal.claim_rules import (
    MAX_LANE_WAIT_MS,
    MAX_RETRY_DEFERRAL_MS,
    PROBE_NOW,
    SUSPECT_TRIES,
    WORKER_TTL_MS,
    ClaimRequest,
    empty_claim,
    max_slot_ahead_ms,
    probe_events,
    state_after_probe,
)
from sprig_tui.journal.entry_payloads import body_sizes, join_bodies
from sprig_tui.journal.records import Claim
from sprig_tui.journal.sqlite.errors import is_damage
from sprig_tui.journal.sqlite.lanes import blocked_until, change_lane, read_lane
from sprig_tui.journal.sqlite.tables import (
    decode_ids,
    encode_ids,
    environment_number,
    execute_for_ids,
    is_file_damaged,
    record_changes,
    update_counts,
)

_MAX_TIME_MS = 1 << 62

_SCAN_ROWS = 250
"""Deliveries read by one statement: about half of what fits a request body."""
_SELECT_DUE = (
    "SELECT json_group_array(json_array(id, size, tries, first_try, due_at, attempts))"
    " FROM (SELECT id, size, tries, first_try, due_at, attempts FROM deliveries INDEXED BY due"
    " WHERE environment = ? AND state = 0 AND lease IS NULL AND priority = ? AND due_at <= ?"
    " AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?)"
)
"""One row of JSON: each row would acquire the GIL."""
_SELECT_DUE_IDS = (
    "SELECT id, due_at FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL"
    " AND priority = ? AND due_at <= ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?"
)
"""Reads only the index."""
_SELECT_ALL_DUE = "SELECT id FROM deliveries INDEXED BY due WHERE state = 0 AND lease IS NULL LIMIT ?"
_MAX_DAMAGED_SCAN_ROWS = 20_000
"""Maximum number of deliveries that a claim from a damaged file scans."""
_SELECT_ANY_DUE = (
    "SELECT 1 FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL AND priority = 0"
    " LIMIT 1"
)
_due_rows_decoder = msgspec.json.Decoder(list[tuple[int, int, int, int, int, int]])


def claim_due(
    connection: sqlite3.Connection, request: ClaimRequest, now: int, skip: AbstractSet[int] = frozenset()
) -> Claim:
    """Lease the oldest due deliveries that fit, or return when to claim again; the payload is read later.

    `skip` are the ids of unreadable rows (see `unreadable_ids`).
    """
    environment = environment_number(connection, request.environment, request.endpoint)
    state = read_lane(connection, environment)
    if state.state == "probing":
        # if the worker that probes is dead, the next one probes
        release_expired(connection, environment, now)
    until = blocked_until(state, now)
    over = bool(until) and until == request.waited_until
    if until is not None and not over and (state.state != "probing" or _has_probe_lease(connection, environment)):
        return empty_claim(state, until, request.endpoint)
    release_expired(connection, environment, now)
    probe = state.state != "open"
    most = min(request.events, probe_events(state)) if probe else request.events
    rows = _select_due(connection, environment, request, most, now, skip)
    if not rows and request.adopt and request.endpoint:
        _adopt_queued(connection, environment, request, now)
        rows = _select_due(connection, environment, request, most, now, skip)
    if not rows:
        return empty_claim(state, _next_lease_end(connection, environment, now), request.endpoint)
    if probe:
        rows = rows[: max(1, probe_events(state) >> max(0, rows[0][2] - SUSPECT_TRIES + 1))]
        until = now + _probe_lease_ms(request.lease_ms)
        state = change_lane(connection, environment, "probing", until=until, why=(state.reason, state.detail), now=now)
    ids, sizes, retries_used, first_attempts, _, attempts = zip(*rows, strict=True)
    (lease,) = _insert_leases(connection, environment, request, [ids], now, probe=probe)
    execute_for_ids(connection, "UPDATE deliveries SET lease = ? WHERE {among}", (lease,), ids)
    return Claim(
        lease=lease,
        environment=request.environment,
        ids=ids,
        attempts=attempts,
        retries_used=retries_used,
        first_attempts=first_attempts,
        sizes=sizes,
        payload=b"",
        send_at=_reserve_slots(connection, environment, request.rate, now, 1)[0],
        lane=state,
        endpoint=request.endpoint,
        probe=probe,
    )


def _adopt_queued(connection: sqlite3.Connection, environment: int, request: ClaimRequest, now: int) -> None:
    """Rebind the next deliveries queued for the environment's own endpoint to the endpoint of the request."""
    own = environment_number(connection, request.environment)
    if read_lane(connection, own).state == "paused":
        return
    release_expired(connection, own, now)
    for priority in (0, 1):
        due_rows = connection.execute(_SELECT_DUE, (own, priority, _MAX_TIME_MS, 0, 0, request.events)).fetchone()[0]
        ids = [row[0] for row in _due_rows_decoder.decode(due_rows)]
        if ids:
            execute_for_ids(connection, "UPDATE deliveries SET environment = ? WHERE {among}", (environment,), ids)
            update_counts(connection, Counter({(own, 0): -len(ids), (environment, 0): len(ids)}))
            record_changes(connection, ids)
            return


def claim_new(
    connection: sqlite3.Connection, request: ClaimRequest, ids: Sequence[int], bodies: Sequence[bytes], now: int
) -> list[Claim]:
    """Claims of deliveries that are about to be written, in their order; the caller writes the leases."""
    if not ids:
        return []
    environment = environment_number(connection, request.environment, request.endpoint)
    state = read_lane(connection, environment)
    if state.state != "open":
        return []
    release_expired(connection, environment, now)
    if connection.execute(_SELECT_ANY_DUE, (environment,)).fetchone():
        return []
    sizes = tuple(body_sizes(bodies))
    cuts = list(islice(split_into_claims(sizes, request), request.claims))
    leases = _insert_leases(connection, environment, request, [ids[part] for part in cuts], now)
    slots = _reserve_slots(connection, environment, request.rate, now, len(cuts))
    return [
        Claim(
            lease=lease,
            environment=request.environment,
            ids=tuple(ids[part]),
            sizes=sizes[part],
            attempts=(0,) * len(sizes[part]),
            retries_used=(0,) * len(sizes[part]),
            first_attempts=(0,) * len(sizes[part]),
            payload=join_bodies(bodies, part),
            send_at=slot,
            lane=state,
            endpoint=request.endpoint,
        )
        for part, lease, slot in zip(cuts, leases, slots, strict=True)
    ]


def split_into_claims(sizes: Sequence[int], request: ClaimRequest) -> Iterator[slice]:
    """Slices that fit one claim each, with at least one delivery."""
    # end offsets of the bodies joined by commas
    ends = [end + commas for commas, end in enumerate(accumulate(sizes))]
    start = 0
    while start < len(ends):
        begin = ends[start] - sizes[start]
        stop = bisect_right(ends, begin + request.payload_bytes, start + 1, min(start + request.events, len(ends)))
        yield slice(start, stop)
        start = stop


def _insert_leases(
    connection: sqlite3.Connection,
    environment: int,
    request: ClaimRequest,
    groups: Sequence[Sequence[int]],
    now: int,
    *,
    probe: bool = False,
) -> range:
    """A new lease for each group of deliveries."""
    until = now + request.lease_ms
    rows = [(environment, request.owner, until, request.lease_ms, probe, encode_ids(ids), len(ids)) for ids in groups]
    last = connection.execute(
        "INSERT INTO leases(environment, owner, until, length, probe, ids, n) VALUES "
        + ",".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows)),
        [*chain(*rows)],
    ).lastrowid
    end = int(last or 0) + 1
    return range(end - len(rows), end)


def _select_due(
    connection: sqlite3.Connection,
    environment: int,
    request: ClaimRequest,
    limit: int,
    now: int,
    skip: AbstractSet[int],
) -> list[tuple[int, int, int, int, int, int]]:
    """Rows of due deliveries that fit: live traffic before replays, each in the order of the ranges below."""
    fitting: list[tuple[int, int, int, int, int, int]] = []
    is_suspect = False
    total = -1
    oldest = now - MAX_RETRY_DEFERRAL_MS
    for priority, (since, until) in product(
        (0, 1),
        (
            (1, oldest),  # failed long ago
            (0, 0),  # never tried
            (max(oldest + 1, 1), now),  # failed lately
            (max(now + 1, 1), _MAX_TIME_MS),  # failed lately, by a clock that was set back since then
        ),
    ):
        place = (since, 0)
        while len(fitting) < limit:
            number = min(_SCAN_ROWS, limit - len(fitting))
            rows = _next_due_rows(connection, (environment, priority, until, *place), number, skip)
            if rows and not fitting:
                is_suspect = rows[0][2] >= SUSPECT_TRIES
            for row in rows:
                total += row[1] + 1
                if (total > request.payload_bytes and fitting) or (row[2] >= SUSPECT_TRIES) != is_suspect:
                    return fitting
                fitting.append(row)
            if len(rows) < number:
                break
            place = (rows[-1][4], rows[-1][0])
    return fitting


def _next_due_rows(
    connection: sqlite3.Connection, position: tuple[int, int, int, int, int], number: int, skip: AbstractSet[int]
) -> list[tuple[int, int, int, int, int, int]]:
    """The next due rows (id, size, tries, first try, due at, attempts).

    In a damaged file each row is read separately, and those in `skip` are left out.
    """
    if not is_file_damaged(connection):
        return _due_rows_decoder.decode(connection.execute(_SELECT_DUE, (*position, number)).fetchone()[0])
    rows: list[tuple[int, int, int, int, int, int]] = []
    for delivery_id, _ in connection.execute(_SELECT_DUE_IDS, (*position, _MAX_DAMAGED_SCAN_ROWS)).fetchall():
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


def unreadable_ids(connection: sqlite3.Connection) -> frozenset[int]:
    """Due deliveries whose rows cannot be read.

    To be called on a reader: a write transaction that reads damage cannot write any more.
    """
    unreadable = set()
    for (delivery_id,) in connection.execute(_SELECT_ALL_DUE, (_MAX_DAMAGED_SCAN_ROWS,)).fetchall():
        try:
            connection.execute("SELECT size, tries, first_try FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            unreadable.add(delivery_id)
    return frozenset(unreadable)


def first_due_id(connection: sqlite3.Connection, request: ClaimRequest, skip: AbstractSet[int]) -> int | None:
    """The first due delivery of an environment that is not in `skip`; to be called on a reader."""
    row = connection.execute(
        "SELECT id FROM environments WHERE name = ? AND endpoint = ?", (request.environment, request.endpoint)
    ).fetchone()
    if row is None:
        return None
    for priority in (0, 1):
        for delivery_id, _ in connection.execute(
            _SELECT_DUE_IDS, (row[0], priority, _MAX_TIME_MS, -1, 0, _MAX_DAMAGED_SCAN_ROWS)
        ).fetchall():
            if delivery_id not in skip:
                return int(delivery_id)
    return None


def _next_lease_end(connection: sqlite3.Connection, environment: int, now: int) -> int:
    """When the next lease of this environment expires; 0 for none."""
    until = connection.execute("SELECT min(until) FROM leases WHERE environment = ?", (environment,)).fetchone()[0]
    return 0 if until is None else max(until, now)


def _probe_lease_ms(lease_ms: int) -> int:
    """Lease of a probe, at most the maximum wait of a lane."""
    return min(lease_ms, MAX_LANE_WAIT_MS)


def _reserve_slots(connection: sqlite3.Connection, environment: int, rate: float, now: int, number: int) -> list[int]:
    """The next free times to send, for `rate` requests per second over all workers."""
    if rate <= 0:
        return [now] * number
    taken = connection.execute("SELECT next_slot FROM lanes WHERE environment = ?", (environment,)).fetchone()[0]
    slot = float(now) if taken < now or taken > now + max_slot_ahead_ms(rate) else taken
    step = 1000.0 / rate
    connection.execute("UPDATE lanes SET next_slot = ? WHERE environment = ?", (slot + number * step, environment))
    return [int(slot + position * step) for position in range(number)]


def extend(connection: sqlite3.Connection, claim: Claim, lease_ms: int, now: int) -> bool:
    """Renew a lease; False if it is gone."""
    # the length grows too: a lease that ends later than its length allows is treated as the result of a clock jump
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
            (now + _probe_lease_ms(lease_ms), environment, claim.lane.epoch),
        )
    return kept


def release(connection: sqlite3.Connection, claim: Claim) -> None:
    """Release what the claim still leases; after a probe without a result the next claim probes."""
    _release_leases(connection, "WHERE id = :lease", {"lease": claim.lease})
    if claim.probe:
        environment = environment_number(connection, claim.environment, claim.endpoint)
        state = read_lane(connection, environment)
        if state.state == "probing" and state.epoch == claim.lane.epoch:
            change_lane(
                connection,
                environment,
                state_after_probe(state),
                until=PROBE_NOW,
                why=(state.reason, state.detail),
                now=0,
                count_failure=False,
            )


def _has_probe_lease(connection: sqlite3.Connection, environment: int) -> bool:
    rows = connection.execute("SELECT 1 FROM leases WHERE environment = ? AND probe LIMIT 1", (environment,))
    return rows.fetchone() is not None


def release_expired(connection: sqlite3.Connection, environment: int, now: int) -> None:
    """Release expired leases, and those of workers without a heartbeat within WORKER_TTL_MS.

    A lease that was made or renewed within that time is kept, even if its worker has sent no heartbeat.
    """
    _release_leases(
        connection,
        # the second condition ends leases that were made under a clock far ahead
        "WHERE environment = :environment AND (until <= :now OR until > :now + 2 * length"
        " OR (owner <> '' AND until - length <= :alive_since"
        " AND owner NOT IN (SELECT id FROM workers WHERE seen_at > :alive_since AND seen_at < :alive_until)))",
        {
            "environment": environment,
            "now": now,
            "alive_since": now - WORKER_TTL_MS,
            "alive_until": now + WORKER_TTL_MS,
        },
    )


def _release_leases(connection: sqlite3.Connection, condition: str, values: Mapping[str, int]) -> None:
    leases = connection.execute(f"SELECT id, ids FROM leases {condition}", values).fetchall()
    for lease, ids in leases:
        connection.execute(
            "UPDATE deliveries SET lease = NULL WHERE id IN (SELECT value FROM json_each(?)) AND lease = ?",
            (ids, lease),
        )
        connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
        record_changes(connection, decode_ids(ids), counted=False)
