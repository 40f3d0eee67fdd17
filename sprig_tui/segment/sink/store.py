"""What the look-alike counts."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

MAX_KEYS = 1_000
"""Keys counted apart; more are counted together, so that made-up keys cannot fill the memory."""


class KeyStats(Struct, kw_only=True):
    """Counts for one write key."""

    source: str = ""
    requests: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0


class RequestRecord(Struct, frozen=True, kw_only=True):
    """One tracking request and what became of it."""

    number: int
    """From 1, over all connections."""
    connection: int
    at: int
    """When its body was complete, ms since 1970 UTC."""
    path: str
    status: int
    """The answer's status; 0 where none was sent."""
    fault: str = ""
    """The fault rule that struck, as text; empty for none."""
    source: str = ""
    key: str = ""
    """Masked; empty where none could be read."""
    retry_count: str = ""
    """The X-Retry-Count header; empty where absent."""
    body_bytes: int = 0
    """After decompression."""
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reason: str = ""
    """Why it was refused, or the first reason for which an event was rejected."""


class Stats(Struct, kw_only=True):
    """Counts since the start; `accepted + duplicates + sum(rejected)` is `events`."""

    started_at: int = 0
    """ms since 1970 UTC."""
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """By HTTP status, or by `reset`, `close`, `hang` where no answer was sent."""
    paths: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Events in requests that were taken in."""
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By Segment's discard reason; these got a 200."""
    wire_bytes: int = 0
    body_bytes: int = 0
    largest_body: int = 0
    """Bytes after decompression."""
    retry_counts: Counter[str] = field(default_factory=Counter)
    """X-Retry-Count values seen; requests without one are not counted."""
    faults: Counter[str] = field(default_factory=Counter)
    """By rule."""
    keys: dict[str, KeyStats] = field(default_factory=dict)
    """By masked key."""
    connections: int = 0
    open_connections: int = 0
    bad_requests: int = 0
    """What was not HTTP, broke off, or took too long."""

    def count(self, record: RequestRecord, wire_bytes: int, ending: str, rejected: Counter[str]) -> None:
        """Add one tracking request."""
        self.requests += 1
        self.statuses[str(record.status) if record.status else ending] += 1
        self.paths[record.path] += 1
        self.events += record.events
        self.accepted += record.accepted
        self.duplicates += record.duplicates
        self.rejected.update(rejected)
        self.wire_bytes += wire_bytes
        self.body_bytes += record.body_bytes
        self.largest_body = max(self.largest_body, record.body_bytes)
        if record.retry_count:
            self.retry_counts[record.retry_count[:20]] += 1
        if record.fault:
            self.faults[record.fault] += 1
        if record.key:
            self._count_key(record)

    def _count_key(self, record: RequestRecord) -> None:
        name = record.key if record.key in self.keys or len(self.keys) < MAX_KEYS else "others"
        key = self.keys.setdefault(name, KeyStats(source=record.source))
        key.requests += 1
        key.accepted += record.accepted
        key.duplicates += record.duplicates
        key.rejected += record.rejected


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
