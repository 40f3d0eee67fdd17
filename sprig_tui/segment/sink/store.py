"""What the look-alike has received: the newest events, and every message id it still remembers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class ReceivedEvent(Struct, frozen=True, kw_only=True):
    """One accepted event."""

    request: int
    """Number of the request that brought it, from 1."""
    source: str
    """Name of the source its key belongs to; empty where keys are not known."""
    key: str
    """The write key, masked."""
    event: dict[str, Any]
    """The message, enriched."""


class MessageIds:
    """Message ids seen, globally (facts: Segment de-duplicates across sources); at least the last `remember` of them.

    Two generations take turns, so forgetting the oldest costs nothing and memory stays below 2 x `remember` ids.
    """

    def __init__(self, remember: int | None) -> None:
        self._max_ids = remember
        self._newer: set[str | bytes] = set()
        self._older: set[str | bytes] = set()

    def add(self, message_id: str | bytes) -> bool:
        """Remember an id; False when it was known."""
        if message_id in self._newer or message_id in self._older:
            return False
        self._newer.add(message_id)
        if self._max_ids is not None and len(self._newer) >= max(1, self._max_ids):
            self._older, self._newer = self._newer, set()
        return True

    def add_all(self, ids: list[bytes]) -> int:
        """Remember many; how many were new."""
        return sum(map(self.add, ids))

    def clear(self) -> None:
        """Forget them all."""
        self._newer.clear()
        self._older.clear()


class EventStore:
    """The newest `keep` events and the ids of many more."""

    def __init__(self, *, keep: int, remember: int | None) -> None:
        self.events: deque[ReceivedEvent] = deque(maxlen=keep)
        self.ids = MessageIds(remember)

    def add(self, received: ReceivedEvent) -> bool:
        """Keep an event; False when its message id was seen before."""
        if not self.ids.add(received.event["messageId"]):
            return False
        self.events.append(received)
        return True

    def find(self, *, message_id: str = "", user_id: str = "", key: str = "") -> Iterator[ReceivedEvent]:
        """Kept events, oldest first, that match every filter given; `key` is a masked key or a source's name."""
        for one in self.events:
            if (
                (not message_id or one.event["messageId"] == message_id)
                and (not user_id or one.event.get("userId") == user_id)
                and (not key or key in (one.key, one.source))
            ):
                yield one

    def clear(self) -> None:
        """Drop every event and forget every id."""
        self.events.clear()
        self.ids.clear()
