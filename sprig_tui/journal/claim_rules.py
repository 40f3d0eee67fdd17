"""Claim rules: what a claim asks for, and the limits of claims, probes, lanes and workers that both stores keep."""

from __future__ import annotations

from msgspec import Struct

from sprig_tui.journal.records import Claim, Lane, LaneState
from sprig_tui.segment.limits import MAX_RETRY_AFTER_MS

MAX_PROBE_EVENTS = 100
"""Maximum number of deliveries in one probe."""
SUSPECT_TRIES = 4
"""After this many tries a delivery is suspected to be the cause: it is sent separately, in shrinking probes."""
_MIN_SLOT_HORIZON_MS = 10_000
_MAX_SLOTS_AHEAD = 64
"""A pacing slot further ahead than both limits is treated as the result of a clock jump."""

MAX_RETRY_DEFERRAL_MS = 60_000
"""Failed deliveries are claimed after untried ones for at most this long, so that a steady load cannot starve them."""


class ClaimRequest(Struct, frozen=True):
    """The limits of one claim; `Journal.claim` documents the rules."""

    environment: str
    events: int
    payload_bytes: int
    lease_ms: int
    rate: float = 0.0
    """Requests per second for the environment over all workers; 0 for no pacing."""
    owner: str = ""
    """Id of the worker; empty where none reports."""
    claims: int = 1
    """Maximum number of claims, for `add_and_claim`."""
    endpoint: str = ""
    """Claims deliveries bound for this endpoint; empty for the environment's own endpoint."""
    adopt: bool = False
    """With an endpoint: also claims deliveries queued for the environment's own endpoint, and rebinds them."""
    waited_until: int = 0
    """The lane's `until`, ms, that has passed by the worker's monotonic clock, whatever the wall clock says."""


PROBE_NOW = 1
"""The `until` of a lane whose next probe may start now; 0 would keep a paused lane until it is resumed by hand."""


def probe_events(lane: Lane) -> int:
    """Maximum number of deliveries in a probe: one after a pause, because a key or an endpoint was rejected."""
    return 1 if lane.pauses else MAX_PROBE_EVENTS


def state_after_probe(lane: Lane) -> LaneState:
    """The state of a lane whose probe ended without a result."""
    return "paused" if lane.pauses else "waiting"


def empty_claim(state: Lane, retry_at: int, endpoint: str = "") -> Claim:
    """A claim without deliveries, and the time to claim again."""
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
    """How far ahead a pacing slot may be before it is treated as the result of a clock jump."""
    return max(_MIN_SLOT_HORIZON_MS, _MAX_SLOTS_AHEAD * 1000.0 / rate) if rate > 0 else 0.0


MAX_LANE_WAIT_MS = MAX_RETRY_AFTER_MS
"""Maximum wait of a lane or a delivery, whatever the clock or Segment says."""
MAX_PAUSE_MS = 3_600_000
"""Maximum time between two probes of a lane that is paused because of a key or an endpoint."""
WORKER_TTL_MS = 30_000
"""A worker without a heartbeat for this long counts as dead; workers send three in that time."""
