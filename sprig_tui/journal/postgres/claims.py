"""Claiming deliveries, keeping them and giving them back: each one call of the server."""

from __future__ import annotations

import secrets
from collections.abc import Collection

import asyncpg

from sprig_tui.journal.claiming import OFTEN, PATIENCE_MS, PROBE_EVENTS, Wanted, slot_ahead_ms
from sprig_tui.journal.lane_causes import stored_reason
from sprig_tui.journal.postgres.texts import storable
from sprig_tui.journal.records import Claim, Lane

_CALL = (
    "SELECT * FROM claim_deliveries($1::integer, $2::text, $3::integer, $4::bigint, $5::bigint,"
    " $6::double precision, $7::bigint, $8::integer, $9::integer, $10::double precision, $11::bigint, $12::bigint,"
    " $13::bigint)"
)


def new_lease() -> int:
    """An id that no other lease has, on whatever machine."""
    return 1 + secrets.randbits(62)


async def take(connection: asyncpg.Connection, wanted: Wanted, environment: int, lease: int, now: int) -> Claim:
    """Lease the oldest due deliveries that fit, or say when to ask again; the payload is read later."""
    row = await connection.fetchrow(
        _CALL,
        environment,
        storable(wanted.owner),
        wanted.events,
        wanted.payload_bytes,
        wanted.lease_ms,
        wanted.rate,
        now,
        PROBE_EVENTS,
        OFTEN,
        slot_ahead_ms(wanted.rate),
        lease,
        PATIENCE_MS,
        wanted.waited_until,
    )
    return Claim(
        lease=row["lease"],
        environment=wanted.environment,
        ids=tuple(row["ids"]),
        attempts=tuple(row["carried"]),
        retries_used=tuple(row["tried"]),
        first_attempts=tuple(row["first_tries"]),
        sizes=tuple(row["sizes"]),
        payload=b"",
        send_at=row["send_at"],
        lane=lane_of(wanted.environment, row["lane"]),
        endpoint=wanted.endpoint,
        probe=row["probe"],
        retry_at=row["retry_at"],
    )


def lane_of(environment: str, row: asyncpg.Record) -> Lane:
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


async def release_lost(connection: asyncpg.Connection, leases: Collection[int]) -> None:
    """Give back what was leased by claims whose answer was lost, if they were made at all."""
    await connection.execute("SELECT release_lost($1)", list(leases))


async def adopt(connection: asyncpg.Connection, own: int, environment: int, events: int, now: int) -> int:
    """Bind what waits for the environment's own endpoint for another one; returns how many, at most `events`."""
    number: int = await connection.fetchval("SELECT adopt_queued($1, $2, $3, $4)", own, environment, events, now)
    return number


async def bound_for(connection: asyncpg.Connection, environment: str, endpoint: str) -> int:
    """How many deliveries are bound for the endpoint of a run with `--endpoint`."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(c.n), 0) FROM counts c JOIN environments e ON e.id = c.environment"
            " WHERE e.name = $1 AND e.endpoint = $2",
            storable(environment),
            storable(endpoint),
        )
    )


async def make_own(connection: asyncpg.Connection, own: int, other: int) -> int:
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
