"""Requests to the fake Segment, and its replies with the faults that they may have."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct


class SinkRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request, with its body still encoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Lower-case names; of a repeated header the last."""
    body: bytes | None
    """None if it is longer than the route's limit and was not read."""
    connection: int
    """Number of its connection, from 1."""
    target: str = ""
    """Path and query as they were sent, still encoded."""


class SinkReply(Struct, frozen=True, kw_only=True):
    """One HTTP reply. The fields from `ending` on are faults."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    """Close the connection after it."""
    ending: Literal["answer", "reset", "close", "hang"] = "answer"
    """With `reset`, `close` and `hang` nothing is sent; `hang` lasts until the client disconnects."""
    delay_s: float = 0.0
    """Wait before the first byte."""
    trickle_s: float = 0.0
    """Pause after every byte of the body."""
    padding: int = 0
    """Bytes that follow the body, to make it huge without using memory."""
    missing: int = 0
    """Bytes announced by Content-Length but not sent; then the connection is closed."""


def json_reply(value: object, status: int = 200, *, close: bool = False) -> SinkReply:
    """A reply with `value` as JSON."""
    return SinkReply(status=status, body=msgspec.json.encode(value), close=close)


def error_reply(status: int, message: str, code: str = "invalid_request", *, close: bool = False) -> SinkReply:
    """An error as Segment's clients expect it; the real body is not documented (facts: HTTP API, responses)."""
    return json_reply({"success": False, "code": code, "message": message}, status, close=close)


SUCCESS_REPLY = json_reply({"success": True})
