"""Counts and received events of the fake Segment."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

MAX_KEYS = 1_000
"""Keys with counts of their own; the others share one, so that random keys cannot fill the memory."""


class KeyStats(Struct, kw_only=True):
    """Counts for one write key."""

    source: str = ""
    requests: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0


class RequestRecord(Struct, frozen=True, kw_only=True):
    """One tracking request and its result."""

    number: int
    """From 1, over all connections."""
    connection: int
    at: int
    """Time at which its body was complete, ms since 1970 UTC."""
    path: str
    status: int
    """Status of the reply; 0 if none was sent."""
    fault: str = ""
    """The fault rule that applied, as text; empty for none."""
    source: str = ""
    key: str = ""
    """Masked; empty if none could be read."""
    retry_count: str = ""
    """The X-Retry-Count header; empty if absent."""
    body_bytes: int = 0
    """After decompression."""
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reason: str = ""
    """Why the request, or the first of its events, was rejected."""


class Stats(Struct, kw_only=True):
    """Counts since the start; `accepted + duplicates + sum(rejected)` is `events`."""

    started_at: int = 0
    """ms since 1970 UTC."""
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """By HTTP status, or by `reset`, `close`, `hang` if no reply was sent."""
    paths: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Events in requests that were processed."""
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By Segment's discard reason; the requests got a 200."""
    wire_bytes: int = 0
    body_bytes: int = 0
    largest_body: int = 0
    """Bytes after decompression."""
    retry_counts: Counter[str] = field(default_factory=Counter)
    """By X-Retry-Count; requests without one are not counted."""
    faults: Counter[str] = field(default_factory=Counter)
    """By rule."""
    keys: dict[str, KeyStats] = field(default_factory=dict)
    """By masked key."""
    connections: int = 0
    open_connections: int = 0
    bad_requests: int = 0
    """Requests that were not HTTP, were incomplete, or took too long."""

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
    """Number of its request, from 1."""
    source: str
    """Name of the source of its key; empty if the sink has no list of keys."""
    key: str
    """The write key, masked."""
    event: dict[str, Any]
    """The message, enriched."""


class MessageIds:
    """At least the last `remember` message ids of all sources (facts: Segment de-duplicates across sources).

    They are kept in two generations: dropping the older one is cheap, and memory stays below 2 x `remember` ids.
    """

    def __init__(self, remember: int | None) -> None:
        self._max_ids = remember
        self._newer: set[str | bytes] = set()
        self._older: set[str | bytes] = set()

    def add(self, message_id: str | bytes) -> bool:
        """Add an id; False if it was known."""
        if message_id in self._newer or message_id in self._older:
            return False
        self._newer.add(message_id)
        if self._max_ids is not None and len(self._newer) >= max(1, self._max_ids):
            self._older, self._newer = self._newer, set()
        return True

    def add_all(self, ids: list[bytes]) -> int:
        """Add many; returns how many were new."""
        return sum(map(self.add, ids))

    def clear(self) -> None:
        """Remove all ids."""
        self._newer.clear()
        self._older.clear()


class EventStore:
    """The newest `keep` events and the ids of many more."""

    def __init__(self, *, keep: int, remember: int | None) -> None:
        self.events: deque[ReceivedEvent] = deque(maxlen=keep)
        self.ids = MessageIds(remember)

    def add(self, received: ReceivedEvent) -> bool:
        """Keep an event; False if its message id is known."""
        if not self.ids.add(received.event["messageId"]):
            return False
        self.events.append(received)
        return True

    def find(self, *, message_id: str = "", user_id: str = "", key: str = "") -> Iterator[ReceivedEvent]:
        """Kept events, oldest first, that match every filter given; `key` is a masked key or a source's name."""
        for received in self.events:
            if (
                (not message_id or received.event["messageId"] == message_id)
                and (not user_id or received.event.get("userId") == user_id)
                and (not key or key in (received.key, received.source))
            ):
                yield received

    def clear(self) -> None:
        """Remove all events and ids."""
        self.events.clear()
        self.ids.clear()
