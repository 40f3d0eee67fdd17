"""Profile API of the fake Segment: the events of one user, from the newest events that the sink keeps."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, json_reply
from sprig_tui.segment.sink.store import EventStore
from sprig_tui.segment.sink.workspace.model import Record, Workspace
from sprig_tui.segment.sink.workspace.query import one_text, read_query, texts
from sprig_tui.segment.sink.workspace.tracking_plan import plan_reason
from sprig_tui.segment.timestamps import parse_instant

PREFIX = "/v1/spaces/"
_MAX_EVENTS = 100
_DEFAULT_EVENTS = 10


class ProfileRoutes:
    """Handler of `GET /v1/spaces/{space}/collections/users/profiles/user_id:{id}/events` (facts: Profile API)."""

    def __init__(self, workspace: Workspace, store: EventStore) -> None:
        self._workspace = workspace
        self._store = store

    def handle(self, request: SinkRequest) -> SinkReply:
        """Answer one request; the token is the user name of Basic authorization."""
        if _user_name(request.headers.get("authorization", "")) != self._workspace.space_token:
            return _error(401, "unauthorized", "The token is missing or invalid.")
        parts = request.path.removeprefix(PREFIX).split("/", 4)
        if len(parts) != 5 or parts[1:4] != ["collections", "users", "profiles"] or not parts[4].endswith("/events"):
            return _error(404, "not_found", "The resource was not found.")
        if request.method != "GET" or parts[0] != self._workspace.space:
            return _error(404, "not_found", "The space was not found.")
        try:
            query = read_query(request.query)
        except ValueError as error:
            return _error(400, "bad_request", str(error))
        kind, _, user = parts[4].removesuffix("/events").partition(":")
        events = [event for event in self._events(user) if kind == "user_id"]
        if not events:
            return _error(404, "not_found", "The resource was not found.")
        return self._answer(events, query)

    def _events(self, user: str) -> list[Record]:
        """The user's events, oldest first. A query is in lower case, so ids are compared so."""
        found = []
        for received in self._store.events:
            source = self._workspace.source_named(received.source)
            if source is None or str(received.event.get("userId", "")).lower() != user.lower():
                continue
            if not plan_reason(self._workspace, source["id"], received.event):
                found.append(_shown(received.event, source["id"]))
        return found

    def _answer(self, events: list[Record], query: Mapping[str, Any]) -> SinkReply:
        wanted = {name for text in texts(query.get("include")) for name in text.split(",")}
        start, end = _instant_ms(query, "start"), _instant_ms(query, "end")
        limit = one_text(query.get("limit")) or str(_DEFAULT_EVENTS)
        if not limit.isdigit() or not 1 <= int(limit[:9]) <= _MAX_EVENTS:
            return _error(400, "bad_request", f"limit must be from 1 to {_MAX_EVENTS}")
        kept = []
        for event in events:
            parsed = parse_instant(event["timestamp"])
            at = parsed.ms if parsed is not None else 0
            if (
                (start is None or at >= start)
                and (end is None or at < end)
                and (not wanted or event.get("event") in wanted)
            ):
                kept.append((at, event))
        kept.sort(key=lambda pair: pair[0], reverse=one_text(query.get("sort")).lower() != "asc")
        first = _offset(one_text(query.get("next")))
        page = [event for _, event in kept[first : first + int(limit)]]
        more = len(kept) > first + int(limit)
        cursor = {"url": "", "has_more": more, "next": f"o{first + int(limit)}" if more else "", "limit": int(limit)}
        return json_reply({"data": page, "cursor": cursor})


def _shown(event: Mapping[str, Any], source_id: str) -> Record:
    return {
        "type": event.get("type"),
        "event": event.get("event"),
        "message_id": event.get("messageId"),
        "source_id": source_id,
        "timestamp": event.get("timestamp"),
        "properties": event.get("properties", {}),
        "context": event.get("context", {}),
        "external_ids": [{"id": event.get("userId"), "type": "user_id", "collection": "users", "encoding": "none"}],
    }


def _instant_ms(query: Mapping[str, Any], name: str) -> int | None:
    parsed = parse_instant(one_text(query.get(name)))
    return parsed.ms if parsed is not None else None


def _offset(text: str) -> int:
    return int(text[1:]) if text[:1] == "o" and text[1:].isdigit() and len(text) < 9 else 0


def _user_name(authorization: str) -> str:
    scheme, _, token = authorization.strip().partition(" ")
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[0] if scheme.lower() == "basic" else ""


def _error(status: int, code: str, message: str) -> SinkReply:
    return json_reply({"error": {"code": code, "message": message}}, status)
