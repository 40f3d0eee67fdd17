"""Admin routes of the fake Segment: `/events`, `/stats`, `/health`."""

from __future__ import annotations

from urllib.parse import parse_qs

import msgspec

from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, error_reply, json_reply
from sprig_tui.segment.sink.store import EventStore, Stats

ADMIN_PATHS = {"/events": ("GET", "DELETE"), "/stats": ("GET",), "/health": ("GET",)}
_DEFAULT_LIMIT = 100
_MAX_LIMIT = 10_000


class AdminRoutes:
    """Handler of the routes in `ADMIN_PATHS`."""

    def __init__(self, store: EventStore, stats: Stats) -> None:
        self._store = store
        self._stats = stats

    def handle(self, request: SinkRequest) -> SinkReply:
        """`GET /events` takes `messageId`, `userId`, `key` (masked, or the source's name), `limit` and `offset`.

        `DELETE /events` drops the kept events and the known message ids; the counts stay.
        """
        if request.path == "/health":
            return json_reply({"ok": True})
        if request.path == "/stats":
            return json_reply(self._stats)
        if request.method == "DELETE":
            dropped = len(self._store.events)
            self._store.clear()
            return json_reply({"dropped": dropped})
        return self._events(request.query)

    def _events(self, query: str) -> SinkReply:
        given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        unknown = sorted(given.keys() - {"messageId", "userId", "key", "limit", "offset"})
        if unknown:
            return error_reply(400, f"unknown filter {unknown[0][:40]!r}: use messageId, userId, key, limit, offset")
        limit, offset = _parse_number(given.get("limit", str(_DEFAULT_LIMIT))), _parse_number(given.get("offset", "0"))
        if limit is None or offset is None:
            return error_reply(400, "limit and offset are whole numbers from 0")
        events = list(
            self._store.find(
                message_id=given.get("messageId", ""), user_id=given.get("userId", ""), key=given.get("key", "")
            )
        )
        page = [msgspec.to_builtins(event) for event in events[offset : offset + min(limit, _MAX_LIMIT)]]
        return json_reply({"total": len(events), "events": page})


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
