"""Settling: what became of claimed deliveries, told to the server in one call."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from sprig_tui.journal.columns import NUMBERS
from sprig_tui.journal.lane_causes import cause_of, detail_text
from sprig_tui.journal.postgres.texts import storable
from sprig_tui.journal.records import Attempt, Claim, LaneChange, Settlement

_CALL = (
    "SELECT settle_deliveries($1::bigint, $2::integer, $3::bigint, $4::jsonb, $5::jsonb, $6::bigint, $7::text,"
    " $8::bigint, $9::text, $10::text, $11::text)"
)
_LARGEST = (1 << 31) - 1


async def settle(
    connection: asyncpg.Connection,
    claim: Claim,
    environment: int,
    settlements: Sequence[Settlement],
    change: LaneChange | None,
    now: int,
) -> int:
    """Record what became of a claim's deliveries; those no longer held by it are left alone."""
    attempts: list[Attempt] = []
    positions: dict[int, int] = {}
    told = []
    for settlement in settlements:
        if not settlement.ids:
            continue
        position = None
        if settlement.attempt is not None:
            position = positions.get(id(settlement.attempt))
            if position is None:
                position = positions[id(settlement.attempt)] = len(attempts)
                attempts.append(settlement.attempt)
        told.append(
            {
                "ids": settlement.ids,
                "state": None if settlement.state is None else NUMBERS[settlement.state],
                "due_at": settlement.due_at,
                "counts": settlement.counts,
                "starts_window": settlement.starts_window,
                "error": storable(settlement.error),
                "attempt": position,
            }
        )
    done: int = await connection.fetchval(
        _CALL,
        claim.lease,
        environment,
        now,
        _json(told),
        _json([_storable(attempt) for attempt in attempts]),
        change.epoch if change else None,
        change.state if change else None,
        change.until if change else 0,
        storable(cause_of(change.reason, change.detail)) if change else "",
        change.reason.value if change else "",
        storable(detail_text(change.detail)) if change else "",
    )
    return done


def _storable(attempt: Attempt) -> dict[str, object]:
    return {
        "started_at": attempt.started_at,
        "status": attempt.status,
        "error": storable(attempt.error),
        "outcome": storable(attempt.outcome),
        "latency_ms": attempt.latency_ms,
        "events": attempt.events,
        "body_bytes": min(attempt.body_bytes, _LARGEST),
        "excerpt": storable(attempt.excerpt),
        "endpoint": storable(attempt.endpoint),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
