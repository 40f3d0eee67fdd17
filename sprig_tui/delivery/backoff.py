"""How long a lane waits after a failure: Segment's own wish, else exponential with full jitter."""

from __future__ import annotations

from collections.abc import Callable

INITIAL_RETRY_BACKOFF_MS = 500
"""Upper end of the first wait (the official clients' shared rule, facts/segment.md 2)."""
RETRY_BACKOFF_FACTOR = 2
MAX_RETRY_BACKOFF_MS = 60_000
MAX_RETRY_AFTER_MS = 300_000
"""A Retry-After is honoured up to this."""

PROBE_INTERVALS_MS = (60_000, 300_000, 900_000, 3_600_000)
"""How long a lane that is paused over a key or an endpoint waits for its next probe; the last one over and over."""

RandomSource = Callable[[], float]
"""A random number in [0, 1), such as `random.random`."""


def backoff_ms(failures: int, random: RandomSource) -> int:
    """Milliseconds to wait after `failures` earlier failures in a row (0 for the first).

    Full jitter, drawn after the clamp, so that workers that failed together do not come back together.
    """
    # 2 ** 20 is far over the clamp already; a lane that failed a million times must not compute 2 ** 1_000_000
    ceiling = min(MAX_RETRY_BACKOFF_MS, INITIAL_RETRY_BACKOFF_MS * RETRY_BACKOFF_FACTOR ** min(max(failures, 0), 20))
    return int(random() * ceiling)


def retry_after_ms(retry_after_s: float | None) -> int:
    """Segment's Retry-After in milliseconds, capped; 0 where it asked for nothing usable."""
    if retry_after_s is None or not retry_after_s > 0:
        return 0
    return int(min(retry_after_s * 1000.0, MAX_RETRY_AFTER_MS))


def probe_interval_ms(pauses: int) -> int:
    """Milliseconds until a paused lane is probed, after `pauses` earlier pauses in a row (0 for the first)."""
    return PROBE_INTERVALS_MS[min(max(pauses, 0), len(PROBE_INTERVALS_MS) - 1)]
