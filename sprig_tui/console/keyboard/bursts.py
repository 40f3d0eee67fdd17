"""Key bursts, faster than a hand types: type-ahead, a macro, or a text pasted without brackets."""

from __future__ import annotations

import asyncio
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

    def count_key(self, event: events.Event) -> Burst | None:
        """The burst of a key; called once for each key, in order."""
        if not isinstance(event, events.Key):
            return None
        if event.time - self._newest_burst.last_key_at > MAX_BURST_GAP_S:
            self._newest_burst = Burst()
        self._newest_burst.keys += 1
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
        if burst.keys <= max_keys and rest > 0:
            await asyncio.sleep(rest)
        return burst.keys <= max_keys

    def is_of_opening_burst(self, screen: Screen[Any]) -> bool:
        """Whether the key being handled belongs to the burst that opened this screen."""
        return self.may_be_burst and self._opening_bursts.get(screen) is self.current
