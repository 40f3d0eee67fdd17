"""Bursts of keys, faster than a hand types: type-ahead, a macro, or a text that is pasted without brackets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

BURST_GAP_S = 0.02
"""Seconds between two keys of one burst at most: no hand is so fast, and what one write brings is faster."""


class Burst:
    """Keys of which each came within `BURST_GAP_S` of the one before; a key press by hand is a burst of one."""

    def __init__(self) -> None:
        self.keys = 0
        self.newest = 0.0
        """When its newest key was made, on the clock of events."""


class Bursts:
    """The newest burst, and the one of the key that is being handled."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._newest = Burst()
        self.current: Burst | None = None
        """The one of the key that is being handled; None for the mouse and a paste."""
        self._opened_by: WeakKeyDictionary[Screen[Any], Burst] = WeakKeyDictionary()

    def counted(self, event: events.Event) -> Burst | None:
        """The burst that a key belongs to; called once for each, in the order in which they were made."""
        if not isinstance(event, events.Key):
            return None
        if event.time - self._newest.newest > BURST_GAP_S:
            self._newest = Burst()
        self._newest.keys += 1
        self._newest.newest = event.time
        return self._newest

    def opened(self, screen: Screen[Any]) -> None:
        """A screen goes in front."""
        if self.current is not None:
            self._opened_by[screen] = self.current

    @property
    def in_doubt(self) -> bool:
        """Whether the key that is being handled may be one of several; keys without a terminal have no pace."""
        return self.current is not None and not self._app.is_headless

    async def came_alone(self, *, together: int = 1) -> bool:
        """Whether the burst of the key that is being handled has so many keys at most.

        Waits until no more can come.
        """
        burst = self.current
        if burst is None or not self.in_doubt:
            return True
        rest = burst.newest + BURST_GAP_S - Message().time
        if burst.keys <= together and rest > 0:
            await asyncio.sleep(rest)
        return burst.keys <= together

    def came_with_opening(self, screen: Screen[Any]) -> bool:
        """Whether the key that is being handled is of the burst that opened this screen."""
        return self.in_doubt and self._opened_by.get(screen) is self.current
