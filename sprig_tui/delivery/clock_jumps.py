"""Clock jumps: steps of the wall clock against the monotonic one, detected while an engine runs.

Retry windows are kept in wall time, since they outlive a process. The wall clock jumps when it is set or when the
machine was suspended. Such a jump must neither use up a retry window nor extend it.
"""

from __future__ import annotations

import logging

from msgspec import Struct

from sprig_tui.clock import Clock, MonotonicClock

MIN_JUMP_MS = 5_000
"""Smaller steps are ignored: time servers make them all the time, and they hardly change a retry window."""

_log = logging.getLogger(__name__)


class ClockJump(Struct, frozen=True):
    """One step of the wall clock."""

    before_ms: int
    """Wall time that was expected when the jump was detected, ms."""
    by_ms: int
    """Size of the jump, ms; negative where the clock was set back."""


class ClockJumpDetector:
    """Jumps since this object was made; `check` is cheap enough for every request."""

    def __init__(self, clock: Clock, timing: MonotonicClock) -> None:
        self._clock = clock
        self._timing = timing
        self._offset = self._measure_offset()
        self.jumps: list[ClockJump] = []

    def check(self) -> ClockJump | None:
        """The jump since the last check, if there was one; it is logged."""
        offset = self._measure_offset()
        by, self._offset = offset - self._offset, offset
        if abs(by) < MIN_JUMP_MS:
            return None
        jump = ClockJump(self._clock.now() - by, by)
        self.jumps.append(jump)
        _log.warning("%s", describe_jump(jump))
        return jump

    def adjust(self, moment: int) -> int:
        """A wall time in ms, noted at any time, in terms of the clock as it is now; 0 stays 0."""
        if not moment or not self.jumps:
            return moment
        now = self._clock.now()
        for jump in self.jumps:
            # after a step back the same times occur twice: only one in the future is surely from before the jump
            if moment > now if jump.by_ms < 0 else moment <= jump.before_ms:
                moment += jump.by_ms
        return moment

    def check_and_adjust(self, moments: tuple[int, ...]) -> tuple[int, ...]:
        """Check for a jump, then adjust these wall times."""
        self.check()
        return tuple(map(self.adjust, moments)) if self.jumps else moments

    def _measure_offset(self) -> int:
        return self._clock.now() - int(self._timing.monotonic() * 1000)


def describe_jump(jump: ClockJump) -> str:
    """Text of a jump, such as `the clock was set back by 4 m 40 s; waits and retry windows go on as before`."""
    from sprig_tui.formatting import format_duration

    span = format_duration(abs(jump.by_ms) // 1000)
    happened = (
        f"the clock went forward by {span} (it was set, or the machine slept)"
        if jump.by_ms > 0
        else f"the clock was set back by {span}"
    )
    return f"{happened}; waits and retry windows go on as before"
