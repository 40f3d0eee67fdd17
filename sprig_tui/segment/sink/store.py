"""What the look-alike has received: the newest events, and every message id it still remembers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Received(Struct, frozen=True, kw_only=True):
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
        self._most = remember
        self._young: set[str | bytes] = set()
        self._old: set[str | bytes] = set()

    def add(self, message_id: str | bytes) -> bool:
        """Remember an id; False when it was known."""
        if message_id in self._young or message_id in self._old:
            return False
        self._young.add(message_id)
        if self._most is not None and len(self._young) >= max(1, self._most):
            self._old, self._young = self._young, set()
        return True

    def add_all(self, ids: list[bytes]) -> int:
        """Remember many; how many were new."""
        return sum(map(self.add, ids))

    def clear(self) -> None:
        """Forget them all."""
        self._young.clear()
        self._old.clear()


class Store:
    """The newest `keep` events and the ids of many more."""

    def __init__(self, *, keep: int, remember: int | None) -> None:
        self.kept: deque[Received] = deque(maxlen=keep)
        self.ids = MessageIds(remember)

    def add(self, received: Received) -> bool:
        """Keep an event; False when its message id was seen before."""
        if not self.ids.add(received.event["messageId"]):
            return False
        self.kept.append(received)
        return True

    def find(self, *, message_id: str = "", user_id: str = "", key: str = "") -> Iterator[Received]:
        """Kept events, oldest first, that match every filter given; `key` is a masked key or a source's name."""
        for one in self.kept:
            if (
                (not message_id or one.event["messageId"] == message_id)
                and (not user_id or one.event.get("userId") == user_id)
                and (not key or key in (one.key, one.source))
            ):
                yield one

    def clear(self) -> None:
        """Drop every event and forget every id."""
        self.kept.clear()
        self.ids.clear()
