"""A lane's own pace: keeps the extra requests of a split batch under the environment's rate.

The journal gives each claim its moment over all workers; a claim that is split needs more requests than the one it
was given a moment for, and those are counted here.
"""

from __future__ import annotations

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
