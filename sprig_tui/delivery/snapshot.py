"""What the engine looks like at one moment, for the console and for progress; immutable."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from sprig_tui.delivery.clock_jumps import ClockJump
from sprig_tui.journal.records import Lane, ReplayJob

_MAX_CATCH_UP_INTERVALS = 2.0
"""Intervals by which a late request may be made up for: timers fire late, and a strict pace would add that up."""


class Pacer:
    """Spaces requests `1 / rate` seconds apart; 0 means no pace."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Take the next slot; returns the seconds to wait for it. `now` is monotonic, in seconds."""
        if not self._interval:
            return 0.0
        slot = max(self._next, now - _MAX_CATCH_UP_INTERVALS * self._interval)
        self._next = slot + self._interval
        return max(0.0, slot - now)


RATE_WINDOW_S = 5
"""The rate is told over this many whole seconds."""


class LaneSnapshot(Struct, frozen=True, kw_only=True):
    """One environment as this engine sees it; totals are since the engine started."""

    environment: str
    lane: Lane
    """As the journal told it last, so it holds over all workers."""
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
    """Deliveries that went back to the queue."""
    sent: int = 0
    """Requests answered or broken off."""
    rate: float = 0.0
    """Deliveries per second over the last seconds."""
    last_error: str = ""
    """Newest refusal or failure of a request, such as `503` or `connection refused`; stays after a success."""
    last_error_at: int = 0
    """When, ms since 1970; 0 for never."""
    local_error: str = ""
    """Why the lane stands still on our side, such as a full disk; empty when it does not."""


class EngineSnapshot(Struct, frozen=True, kw_only=True):
    """All lanes, by environment name."""

    environments: dict[str, LaneSnapshot]
    draining: bool = False
    replays: tuple[ReplayJob, ...] = ()
    """Bulk replays that run or are paused, newest first."""
    replay_error: str = ""
    """Why bulk replays stand still on our side; empty when they do not."""
    clock_jumps: tuple[ClockJump, ...] = ()
    """Steps of the wall clock that the engine noticed, oldest first."""

    @property
    def rate(self) -> float:
        """Deliveries per second, all environments."""
        return sum(lane.rate for lane in self.environments.values())

    @property
    def in_flight(self) -> int:
        """Deliveries on the wire, all environments."""
        return sum(lane.in_flight for lane in self.environments.values())


class RateMeter:
    """Counts deliveries, and tells their rate over the last seconds."""

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
        """Deliveries per second; the running second counts as the part of it that is over."""
        oldest = int(now) - RATE_WINDOW_S
        counted = [(second, number) for second, number in self._buckets if second > oldest]
        if not counted:
            return 0.0
        # never less than a second, so that the first batch does not look like a flood
        return sum(number for _, number in counted) / max(1.0, now - counted[0][0])
