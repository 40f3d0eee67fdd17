"""Engine snapshot: counts and states at one moment, immutable; for the console and for progress lines."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.delivery.clock_jumps import ClockJump
from sprig_tui.delivery.retry import RetryDecision
from sprig_tui.journal.records import Lane, ReplayJob, State

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

RATE_WINDOW_S = 5
"""The rate is measured over this many whole seconds."""


class LaneSnapshot(Struct, frozen=True, kw_only=True):
    """Lane of one environment in this engine; totals are since the engine started."""

    environment: str
    lane: Lane
    """Latest state read from the journal, shared by all workers."""
    has_key: bool
    in_flight: int = 0
    """Deliveries on the wire."""
    requests: int = 0
    """Requests on the wire."""
    delivered: int = 0
    unconfirmed: int = 0
    """Of `delivered`: answered 2xx with `"success": false` in the body."""
    failed: int = 0
    retried: int = 0
    """Deliveries that were queued again."""
    sent: int = 0
    """Requests that were answered or aborted."""
    rate: float = 0.0
    """Deliveries per second over the last `RATE_WINDOW_S` seconds."""
    last_error: str = ""
    """Latest error of a request, such as `503` or `connection refused`; kept after a success."""
    last_error_at: int = 0
    """Wall time of `last_error`, ms; 0 for never."""
    local_error: str = ""
    """Local problem that stops the lane, such as a full disk; empty for none."""


class EngineSnapshot(Struct, frozen=True, kw_only=True):
    """All lanes, by environment name."""

    environments: dict[str, LaneSnapshot]
    draining: bool = False
    replays: tuple[ReplayJob, ...] = ()
    """Bulk replays that run or are paused, newest first."""
    replay_error: str = ""
    """Local problem that stops bulk replays; empty for none."""
    clock_jumps: tuple[ClockJump, ...] = ()
    """Jumps of the wall clock since the engine started, oldest first."""

    @property
    def rate(self) -> float:
        """Deliveries per second, all environments."""
        return sum(lane.rate for lane in self.environments.values())

    @property
    def in_flight(self) -> int:
        """Deliveries on the wire, all environments."""
        return sum(lane.in_flight for lane in self.environments.values())


class RateMeter:
    """Counter of deliveries, and their rate over the last seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._buckets: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_S + 1)

    def add(self, number: int, now: float) -> None:
        """Count `number` deliveries at `now` (monotonic seconds)."""
        self.total += number
        second = int(now)
        if self._buckets and self._buckets[-1][0] == second:
            number += self._buckets.pop()[1]
        self._buckets.append((second, number))

    def rate(self, now: float) -> float:
        """Deliveries per second. Of the current second, only the part that has passed counts."""
        oldest = int(now) - RATE_WINDOW_S
        counted = [(second, number) for second, number in self._buckets if second > oldest]
        if not counted:
            return 0.0
        # at least a second, so that the first batch does not show as a huge rate
        return sum(number for _, number in counted) / max(1.0, now - counted[0][0])


class LaneTotals:
    """Totals of one lane since the engine started."""

    def __init__(self) -> None:
        self.delivered = RateMeter()
        self.unconfirmed = self.failed = self.retried = 0
        self.last_error, self.last_error_at = "", 0

    def add(self, result: SendResult, decision: RetryDecision, now_ms: int, monotonic: float) -> None:
        """Count what was decided on the result of one request; `monotonic` is in seconds."""
        if result.kind != "delivered":
            self.last_error, self.last_error_at = result.error or str(result.status), now_ms
        for settlement in decision.settlements:
            number = len(settlement.ids)
            if settlement.state is State.DELIVERED:
                self.delivered.add(number, monotonic)
                self.unconfirmed += number if result.unconfirmed else 0
            elif settlement.state is State.FAILED:
                self.failed += number
            elif settlement.state is State.QUEUED:
                self.retried += number
