"""Clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio

NOW_MS = 1_790_000_000_000
"""2026-09-21T14:13:20Z."""


class ManualClock:
    """Wall clock in milliseconds since 1970."""

    def __init__(self, ms: int = NOW_MS) -> None:
        self.ms = ms

    def now(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class InstantTiming:
    """Monotonic clock on which every wait is over at once."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self.now_s += seconds
        await asyncio.sleep(0)
        return event.is_set()
