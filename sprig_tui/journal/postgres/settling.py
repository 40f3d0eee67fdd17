"""Settling: what became of claimed deliveries, told to the server in one call."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from sprig_tui.journal.columns import STATE_CODES
from sprig_tui.journal.lane_causes import cause_of, detail_text
from sprig_tui.journal.postgres.texts import sanitize_text
from sprig_tui.journal.records import Attempt, Claim, LaneChange, Settlement

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
        _encode_json(told),
        _encode_json([_attempt_fields(attempt) for attempt in attempts]),
        change.epoch if change else None,
        change.state if change else None,
        change.until if change else 0,
        sanitize_text(cause_of(change.reason, change.detail)) if change else "",
        change.reason.value if change else "",
        sanitize_text(detail_text(change.detail)) if change else "",
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
