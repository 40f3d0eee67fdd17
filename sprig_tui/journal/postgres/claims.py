"""Claiming deliveries, keeping them and giving them back: each one call of the server."""

from __future__ import annotations

import secrets
from collections.abc import Collection

import asyncpg

from sprig_tui.journal.claiming import (
    MAX_PROBE_EVENTS,
    MAX_RETRY_DEFERRAL_MS,
    SUSPECT_TRIES,
    ClaimRequest,
    max_slot_ahead_ms,
)
from sprig_tui.journal.lane_causes import stored_reason
from sprig_tui.journal.postgres.texts import sanitize_text
from sprig_tui.journal.records import Claim, Lane

_CALL_CLAIM = (
    "SELECT * FROM claim_deliveries($1::integer, $2::text, $3::integer, $4::bigint, $5::bigint,"
    " $6::double precision, $7::bigint, $8::integer, $9::integer, $10::double precision, $11::bigint, $12::bigint,"
    " $13::bigint)"
)


def new_lease_id() -> int:
    """An id that no other lease has, on whatever machine."""
    return 1 + secrets.randbits(62)


async def claim_due(
    connection: asyncpg.Connection, request: ClaimRequest, environment: int, lease: int, now: int
) -> Claim:
    """Lease the oldest due deliveries that fit, or say when to ask again; the payload is read later."""
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
    return Claim(
        lease=row["lease"],
        environment=request.environment,
        ids=tuple(row["ids"]),
        attempts=tuple(row["carried"]),
        retries_used=tuple(row["tried"]),
        first_attempts=tuple(row["first_tries"]),
        sizes=tuple(row["sizes"]),
        payload=b"",
        send_at=row["send_at"],
        lane=lane_from_record(request.environment, row["lane"]),
        endpoint=request.endpoint,
        probe=row["probe"],
        retry_at=row["retry_at"],
    )


def lane_from_record(environment: str, row: asyncpg.Record) -> Lane:
    """A row of `lanes` as a record."""
    told = (row[column] for column in ("state", "cause", "epoch", "reason", "detail", "reason_epoch"))
    reason, detail = stored_reason(*told)
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


async def extend(connection: asyncpg.Connection, claim: Claim, environment: int, lease_ms: int, now: int) -> bool:
    """Keep a lease for so long; False when it is gone."""
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
    """Give back what the claim still holds; a probe without a verdict leaves the lane to the next probe."""
    await connection.execute(
        "SELECT release_lease($1, $2, $3, $4)", claim.lease, environment, claim.lane.epoch, claim.probe
    )


async def release_orphaned(connection: asyncpg.Connection, leases: Collection[int]) -> None:
    """Give back what was leased by claims whose answer was lost, if they were made at all."""
    await connection.execute("SELECT release_lost($1)", list(leases))


async def adopt_queued(connection: asyncpg.Connection, own: int, environment: int, events: int, now: int) -> int:
    """Bind what waits for the environment's own endpoint for another one; returns how many, at most `events`."""
    number: int = await connection.fetchval("SELECT adopt_queued($1, $2, $3, $4)", own, environment, events, now)
    return number


async def count_bound_for(connection: asyncpg.Connection, environment: str, endpoint: str) -> int:
    """How many deliveries are bound for the endpoint of a run with `--endpoint`."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(c.n), 0) FROM counts c JOIN environments e ON e.id = c.environment"
            " WHERE e.name = $1 AND e.endpoint = $2",
            sanitize_text(environment),
            sanitize_text(endpoint),
        )
    )


async def merge_endpoint(connection: asyncpg.Connection, own: int, other: int) -> int:
    """Bind them for the environment's own endpoint, in the caller's transaction; none where one of them is leased."""
    if await connection.fetchval("SELECT EXISTS(SELECT 1 FROM leases WHERE environment = $1)", other):
        return 0
    states = [
        row[0]
        for row in await connection.fetch(
            "UPDATE deliveries SET environment = $1 WHERE environment = $2 AND lease IS NULL RETURNING state",
            own,
            other,
        )
    ]
    number = len(states)
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], '{}')",
        [own] * number + [other] * number,
        states * 2,
        [1] * number + [-1] * number,
    )
    return number
