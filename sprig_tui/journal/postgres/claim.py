"""Claims and settlements: each is one call of a server function."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

import asyncpg
import msgspec

from sprig_tui.journal.claim_rules import (
    MAX_PROBE_EVENTS,
    MAX_RETRY_DEFERRAL_MS,
    SUSPECT_TRIES,
    ClaimRequest,
    max_slot_ahead_ms,
)
from sprig_tui.journal.pause_reasons import cause_of, detail_text, manual, stored_reason
from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.records import Attempt, Claim, Lane, LaneChange, LaneState, Settlement, State
from sprig_tui.journal.rows import STATE_CODES

_CALL_CLAIM = (
    "SELECT *, EXISTS(SELECT 1 FROM forget_receipts WHERE ended_at = 0) AS forgetting"
    " FROM claim_deliveries($1::integer, $2::text, $3::integer, $4::bigint, $5::bigint,"
    " $6::double precision, $7::bigint, $8::integer, $9::integer, $10::double precision, $11::bigint, $12::bigint,"
    " $13::bigint)"
)


def new_lease_id() -> int:
    """A random id, unique among all machines."""
    return 1 + secrets.randbits(62)


async def claim_due(
    connection: asyncpg.Connection, request: ClaimRequest, environment: int, lease: int, now: int
) -> tuple[Claim, bool]:
    """Lease the oldest due deliveries that fit, or return when to claim again; the payload is read later.

    The second result is whether persons are being forgotten: then some of the deliveries may be theirs.
    """
    row = await connection.fetchrow(
        _CALL_CLAIM,
        environment,
        sanitize_text(request.owner),
        request.events,
        request.payload_bytes,
        request.lease_ms,
        request.rate,
        now,
        MAX_PROBE_EVENTS,
        SUSPECT_TRIES,
        max_slot_ahead_ms(request.rate),
        lease,
        MAX_RETRY_DEFERRAL_MS,
        request.waited_until,
    )
    claim = Claim(
        lease=row["lease"],
        environment=request.environment,
        ids=tuple(row["ids"]),
        attempts=tuple(row["carried"]),
        retries_used=tuple(row["tried"]),
        first_attempts=tuple(row["first_tries"]),
        sizes=tuple(row["sizes"]),
        payload=b"",
        send_at=row["send_at"],
        lane=_lane_from_record(request.environment, row["lane"]),
        endpoint=request.endpoint,
        probe=row["probe"],
        retry_at=row["retry_at"],
    )
    return claim, row["forgetting"]


def _lane_from_record(environment: str, row: asyncpg.Record) -> Lane:
    """A row of `lanes` as a record."""
    columns = (row[column] for column in ("state", "cause", "epoch", "reason", "detail", "reason_epoch"))
    reason, detail = stored_reason(*columns)
    return Lane(
        environment=environment,
        state=row["state"],
        until=row["until"],
        reason=reason,
        detail=detail,
        failures=row["failures"],
        since=row["since"],
        epoch=row["epoch"],
        last_status=row["last_status"],
        last_at=row["last_at"],
        pauses=row["pauses"],
    )


async def set_lane(
    connection: asyncpg.Connection, name: str, environment: int, state: LaneState, cause: str, by: str, now: int
) -> Lane:
    """Hold or resume a lane by hand."""
    reason, detail = manual(state, sanitize_text(cause), sanitize_text(by), now)
    row = await connection.fetchrow(
        "SELECT * FROM set_lane($1, $2, $3, $4, $5, $6)",
        environment,
        state,
        cause_of(reason, detail),
        now,
        reason.value,
        detail_text(detail),
    )
    return _lane_from_record(name, row)


async def extend(connection: asyncpg.Connection, claim: Claim, environment: int, lease_ms: int, now: int) -> bool:
    """Renew a lease; False if it is gone."""
    kept: bool = await connection.fetchval(
        "SELECT extend_lease($1, $2, $3, $4, $5, $6)",
        claim.lease,
        environment,
        claim.lane.epoch,
        claim.probe,
        lease_ms,
        now,
    )
    return kept


async def release(connection: asyncpg.Connection, claim: Claim, environment: int) -> None:
    """Release what the claim still leases; after a probe without a result the next claim probes."""
    await connection.execute(
        "SELECT release_lease($1, $2, $3, $4)", claim.lease, environment, claim.lane.epoch, claim.probe
    )


async def release_orphaned(connection: asyncpg.Connection, leases: Collection[int]) -> None:
    """Release leases of claims whose response was lost, if the server made them."""
    await connection.execute("SELECT release_lost($1)", list(leases))


async def adopt_queued(connection: asyncpg.Connection, own: int, environment: int, events: int, now: int) -> int:
    """Rebind at most `events` deliveries queued for the own endpoint to another one; returns how many."""
    number: int = await connection.fetchval("SELECT adopt_queued($1, $2, $3, $4)", own, environment, events, now)
    return number


async def count_bound_for(connection: asyncpg.Connection, environment: str, endpoint: str) -> int:
    """Number of deliveries bound for the endpoint of a run with `--endpoint`."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(c.n), 0) FROM counts c JOIN environments e ON e.id = c.environment"
            " WHERE e.name = $1 AND e.endpoint = $2",
            sanitize_text(environment),
            sanitize_text(endpoint),
        )
    )


async def merge_endpoint(connection: asyncpg.Connection, own: int, other: int) -> int:
    """Rebind these deliveries to the own endpoint, in the caller's transaction; none if one of them is leased."""
    if await connection.fetchval("SELECT EXISTS(SELECT 1 FROM leases WHERE environment = $1)", other):
        return 0
    moved = await connection.fetch(
        "UPDATE deliveries SET environment = $1 WHERE environment = $2 AND lease IS NULL RETURNING id, state",
        own,
        other,
    )
    number = len(moved)
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], '{}', $4::bigint[])",
        [own] * number + [other] * number,
        [row[1] for row in moved] * 2,
        [1] * number + [-1] * number,
        [row[0] for row in moved],
    )
    return number


_CALL_SETTLE = (
    "SELECT settle_deliveries($1::bigint, $2::integer, $3::bigint, $4::jsonb, $5::jsonb, $6::bigint, $7::text,"
    " $8::bigint, $9::text, $10::text, $11::text)"
)
_MAX_INTEGER = (1 << 31) - 1


async def settle(
    connection: asyncpg.Connection,
    claim: Claim,
    environment: int,
    settlements: Sequence[Settlement],
    change: LaneChange | None,
    now: int,
) -> int:
    """Record the outcome of a claim's deliveries; those that it no longer leases are left unchanged.

    In the caller's transaction, if one of the settlements withholds.
    """
    attempts: list[Attempt] = []
    positions: dict[int, int] = {}
    parameters = []
    for settlement in settlements:
        if not settlement.ids:
            continue
        position = None
        if settlement.attempt is not None:
            position = positions.get(id(settlement.attempt))
            if position is None:
                position = positions[id(settlement.attempt)] = len(attempts)
                attempts.append(settlement.attempt)
        parameters.append(
            {
                "ids": settlement.ids,
                "state": None if settlement.state is None else STATE_CODES[settlement.state],
                "due_at": settlement.due_at,
                "counts": settlement.uses_retry,
                "starts_window": settlement.starts_window,
                "error": sanitize_text(settlement.error),
                "attempt": position,
            }
        )
    done: int = await connection.fetchval(
        _CALL_SETTLE,
        claim.lease,
        environment,
        now,
        _encode_json(parameters),
        _encode_json([_attempt_fields(attempt) for attempt in attempts]),
        change.epoch if change else None,
        change.state if change else None,
        change.until if change else 0,
        sanitize_text(cause_of(change.reason, change.detail)) if change else "",
        change.reason.value if change else "",
        sanitize_text(detail_text(change.detail)) if change else "",
    )
    for settlement in settlements:
        if settlement.reason:
            # the function does not know reasons; those of other deliveries are not empty
            await connection.execute(
                "UPDATE deliveries SET reason = $2, detail = $3 WHERE id = ANY($1::bigint[]) AND state = $4"
                " AND lease IS NULL AND reason = ''",
                list(settlement.ids),
                settlement.reason,
                sanitize_text(settlement.detail),
                STATE_CODES[State.WITHHELD],
            )
    return done


def _attempt_fields(attempt: Attempt) -> dict[str, object]:
    return {
        "started_at": attempt.started_at,
        "status": attempt.status,
        "error": sanitize_text(attempt.error),
        "outcome": sanitize_text(attempt.outcome),
        "latency_ms": attempt.latency_ms,
        "events": attempt.events,
        "body_bytes": min(attempt.body_bytes, _MAX_INTEGER),
        "excerpt": sanitize_text(attempt.excerpt),
        "endpoint": sanitize_text(attempt.endpoint),
    }


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
