"""How long a lane waits after a failure: Segment's own wish, else exponential with full jitter."""

from __future__ import annotations

from collections.abc import Callable

FIRST_MS = 500
"""Upper end of the first wait (the official clients' shared rule, facts/segment.md 2)."""
GROWTH = 2
LONGEST_MS = 60_000
LONGEST_ASKED_MS = 300_000
"""A Retry-After is honoured up to this."""

PROBES_AFTER_MS = (60_000, 300_000, 900_000, 3_600_000)
"""How long a lane that is paused over a key or an endpoint waits for its next probe; the last one over and over."""

Draw = Callable[[], float]
"""A random number in [0, 1), such as `random.random`."""


def backoff_ms(failures: int, draw: Draw) -> int:
    """Milliseconds to wait after `failures` earlier failures in a row (0 for the first).

    Full jitter, drawn after the clamp, so that workers that failed together do not come back together.
    """
    # 2 ** 20 is far over the clamp already; a lane that failed a million times must not compute 2 ** 1_000_000
    ceiling = min(LONGEST_MS, FIRST_MS * GROWTH ** min(max(failures, 0), 20))
    return int(draw() * ceiling)


def asked_ms(retry_after_s: float | None) -> int:
    """Segment's Retry-After in milliseconds, capped; 0 where it asked for nothing usable."""
    if retry_after_s is None or not retry_after_s > 0:
        return 0
    return int(min(retry_after_s * 1000.0, LONGEST_ASKED_MS))


def probe_after_ms(pauses: int) -> int:
    """Milliseconds until a paused lane is probed, after `pauses` earlier pauses in a row (0 for the first)."""
    return PROBES_AFTER_MS[min(max(pauses, 0), len(PROBES_AFTER_MS) - 1)]
