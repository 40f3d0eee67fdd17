"""Wall clock and monotonic clock. Injected, so that tests can control time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """Tells the wall time; journals store it, so it must agree between processes."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own wall clock."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


MAX_WAIT_S = 300.0
"""Seconds; nothing in the engine waits longer without looking again."""


class MonotonicClock(Protocol):
    """Monotonic time and waits on it."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so long; True when it was set."""
        ...


class SystemMonotonicClock:
    """The machine's own monotonic clock."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so long; True when it was set."""
        import asyncio  # `preview` needs the wall clock alone

        try:
            async with asyncio.timeout(min(max(seconds, 0.0), MAX_WAIT_S)):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
