"""What every store goes by when deliveries are claimed: how many, in which company, and how far ahead."""

from __future__ import annotations

from msgspec import Struct

from sprig_tui.journal.records import Claim, Lane, LaneState

MAX_PROBE_EVENTS = 100
"""Deliveries that one probe risks at most."""
SUSPECT_TRIES = 4
"""Tries from which on a delivery may itself be why requests fail: it goes apart from others, in ever smaller probes."""
_MIN_SLOT_HORIZON_MS = 10_000
_MAX_SLOTS_AHEAD = 64
"""A pacing slot further ahead than both of these is the work of a clock that jumped."""

MAX_RETRY_DEFERRAL_MS = 60_000
"""Deliveries that failed go behind the untried, but for no longer: under a steady load there are always some."""


class ClaimRequest(Struct, frozen=True):
    """What a worker asks for; `claim` of the contract tells the terms."""

    environment: str
    events: int
    payload_bytes: int
    lease_ms: int
    rate: float
    owner: str
    claims: int = 1
    """At most so many claims, where several can be had at once."""
    endpoint: str = ""
    """What is bound for this one; empty for what goes to the environment's own."""
    adopt: bool = False
    """With an endpoint: also what waits for the environment's own, which is bound for this one then."""
    waited_until: int = 0
    """The lane's `until` that is over by this worker's monotonic clock, ms; a clock set back prolongs no wait."""


PROBE_NOW = 1
"""The `until` of a lane whose next probe may start at once; 0 would keep a paused one until somebody acts."""


def probe_events(lane: Lane) -> int:
    """Deliveries that a probe of this lane risks at most: one after a pause, since a key or endpoint was refused."""
    return 1 if lane.pauses else MAX_PROBE_EVENTS


def state_after_probe(lane: Lane) -> LaneState:
    """What a lane goes back to when its probe ended without a verdict."""
    return "paused" if lane.pauses else "waiting"


def empty_claim(state: Lane, retry_at: int, endpoint: str = "") -> Claim:
    """An empty claim, and when to ask again."""
    return Claim(
        lease=0,
        environment=state.environment,
        ids=(),
        attempts=(),
        retries_used=(),
        first_attempts=(),
        sizes=(),
        payload=b"",
        send_at=0,
        lane=state,
        endpoint=endpoint,
        retry_at=retry_at,
    )


def max_slot_ahead_ms(rate: float) -> float:
    """How far ahead a pacing slot may be, before it counts as the work of a clock that jumped."""
    return max(_MIN_SLOT_HORIZON_MS, _MAX_SLOTS_AHEAD * 1000.0 / rate) if rate > 0 else 0.0
