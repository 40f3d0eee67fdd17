"""Lane wait: how long a lane still waits, by a clock that never jumps.

The journal keeps the end of a wait as wall time, which every process can read. A clock that is set back afterwards
would prolong it by as much, so each worker counts down by itself from when it first saw that end.
"""

from __future__ import annotations


class LaneWait:
    """The end of the wait that was seen last."""

    def __init__(self) -> None:
        self._until = 0
        self._ends_at = 0.0

    def update(self, until: int, now: int, monotonic: float) -> None:
        """The journal says that the lane waits `until` this wall time (ms; 0 for no wait); `now` is the wall time."""
        if until != self._until:
            self._until = until
            self._ends_at = monotonic + max(0, until - now) / 1000

    def expired_at(self, monotonic: float) -> int:
        """The wall time at which the wait was to end, ms, once it is over by the monotonic clock; else 0."""
        return self._until if self._until and monotonic >= self._ends_at else 0
