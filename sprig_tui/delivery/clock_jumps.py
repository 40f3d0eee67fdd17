"""Clock jumps: steps of the wall clock against the monotonic one, noticed while an engine runs.

Retry windows are told by the wall clock, since they outlive a process. A clock that is set, or a machine that slept,
moves it by a step that nobody waited for; such a step must neither use up a window nor stretch it.
"""

from __future__ import annotations

from msgspec import Struct

from sprig_tui.clock import Clock, MonotonicClock

MIN_JUMP_MS = 5_000
"""Smaller steps are what time servers do all day; they change no window that anybody would notice."""


class ClockJump(Struct, frozen=True):
    """One step of the wall clock."""

    before_ms: int
    """Wall time that was due when it was noticed, ms."""
    by_ms: int
    """How far it went, ms; negative where the clock was set back."""


class ClockJumpDetector:
    """The steps since this was made; `look` is cheap enough for every request."""

    def __init__(self, clock: Clock, timing: MonotonicClock) -> None:
        self._clock = clock
        self._timing = timing
        self._offset = self._measure_offset()
        self.jumps: list[ClockJump] = []

    def check(self) -> ClockJump | None:
        """The jump since the last look, if there was one."""
        offset = self._measure_offset()
        by, self._offset = offset - self._offset, offset
        if abs(by) < MIN_JUMP_MS:
            return None
        jump = ClockJump(self._clock.now() - by, by)
        self.jumps.append(jump)
        return jump

    def adjust(self, moment: int) -> int:
        """A wall time in ms, noted at any time, as the clock of now would have told it; 0 stays 0."""
        if not moment or not self.jumps:
            return moment
        now = self._clock.now()
        for jump in self.jumps:
            # after a step back the same times come twice: only one that is still to come is surely from before it
            if moment > now if jump.by_ms < 0 else moment <= jump.before_ms:
                moment += jump.by_ms
        return moment

    def _measure_offset(self) -> int:
        return self._clock.now() - int(self._timing.monotonic() * 1000)


def describe_jump(jump: ClockJump) -> str:
    """A jump in words, such as `the clock was set back by 4 m 40 s; waits and retry windows go on as before`."""
    from sprig_tui.formatting import format_duration

    span = format_duration(abs(jump.by_ms) // 1000)
    happened = (
        f"the clock went forward by {span} (it was set, or the machine slept)"
        if jump.by_ms > 0
        else f"the clock was set back by {span}"
    )
    return f"{happened}; waits and retry windows go on as before"
