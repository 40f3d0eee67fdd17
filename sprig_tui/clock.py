"""Wall clock and monotonic clock. Injected, so that tests can control time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """Wall clock. Journals store its time, so it must agree between processes."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """Wall clock of the operating system."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


MAX_WAIT_S = 300.0
"""Longest single wait in the engine; longer ones are split, so that clock changes are noticed."""


class MonotonicClock(Protocol):
    """Monotonic time and waits on it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most `seconds`; True if it was set."""
        ...


class SystemMonotonicClock:
    """Monotonic clock of the operating system."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most `seconds`; True if it was set."""
        import asyncio  # `preview` needs the wall clock alone

        try:
            async with asyncio.timeout(min(max(seconds, 0.0), MAX_WAIT_S)):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
