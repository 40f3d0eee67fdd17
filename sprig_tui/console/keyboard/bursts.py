"""Key bursts, faster than a hand types: type-ahead, a macro, or a text pasted without brackets."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

MAX_BURST_GAP_S = 0.02
"""Seconds between two keys of one burst at most: no hand is so fast. Keys of one read have one time (`driver`)."""


class Burst:
    """Keys that each came within `MAX_BURST_GAP_S` of the one before; a single key press is a burst of one."""

    def __init__(self) -> None:
        self.keys = 0
        self.last_key_at = 0.0
        """Time of its newest key, on the clock of events."""


class BurstTracker:
    """Assigns keys to bursts; knows the newest burst and that of the key being handled."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._newest_burst = Burst()
        self.current: Burst | None = None
        """Burst of the key being handled; None for the mouse and a paste."""
        self._opening_bursts: WeakKeyDictionary[Screen[Any], Burst] = WeakKeyDictionary()
        self._announced: dict[float, int] = {}
        """Keys on their way, by the time of their read."""
        self._lock = threading.Lock()

    def announce(self, read_at: float, keys: int) -> None:
        """Note keys that were read, before the app gets the first of them; called by the thread that reads.

        The app may come to a key late, and the others of its burst may still wait behind it then.
        """
        with self._lock:
            self._announced[read_at] = self._announced.get(read_at, 0) + keys

    def count_key(self, event: events.Event) -> Burst | None:
        """The burst of a key; called once for each key, in order."""
        if not isinstance(event, events.Key):
            return None
        if event.time - self._newest_burst.last_key_at > MAX_BURST_GAP_S:
            self._newest_burst = Burst()
        self._newest_burst.keys += 1
        with self._lock:
            if event.time in self._announced:
                self._announced[event.time] -= 1
                # of earlier reads all keys have come, or never will
                self._announced = {at: keys for at, keys in self._announced.items() if at >= event.time and keys > 0}
        self._newest_burst.last_key_at = event.time
        return self._newest_burst

    def on_screen_opened(self, screen: Screen[Any]) -> None:
        """Note the burst that opened a screen."""
        if self.current is not None:
            self._opening_bursts[screen] = self.current

    @property
    def may_be_burst(self) -> bool:
        """Whether the key being handled may be part of a burst; never for keys without a terminal, as in tests."""
        return self.current is not None and not self._app.is_headless

    async def is_single_key(self, *, max_keys: int = 1) -> bool:
        """Whether the burst of the key being handled has at most `max_keys` keys.

        Waits until no more can follow.
        """
        burst = self.current
        if burst is None or not self.may_be_burst:
            return True
        rest = burst.last_key_at + MAX_BURST_GAP_S - Message().time
        if self._keys_of(burst) <= max_keys and rest > 0:
            await asyncio.sleep(rest)
        return self._keys_of(burst) <= max_keys

    def _keys_of(self, burst: Burst) -> int:
        """Keys of a burst, with those on their way."""
        with self._lock:
            return burst.keys + sum(
                keys for at, keys in self._announced.items() if at - burst.last_key_at <= MAX_BURST_GAP_S
            )

    def is_of_opening_burst(self, screen: Screen[Any]) -> bool:
        """Whether the key being handled belongs to the burst that opened this screen."""
        return self.may_be_burst and self._opening_bursts.get(screen) is self.current
