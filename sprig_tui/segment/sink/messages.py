"""A request as the look-alike got it, and a reply with the ways in which it may be spoiled."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct


class SinkRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request, its body still encoded as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Lower-case names; of a repeated header the last."""
    body: bytes | None
    """None: longer than the route's limit, and not read."""
    connection: int
    """Which connection it came on, from 1."""


class SinkReply(Struct, frozen=True, kw_only=True):
    """What is sent back. The fields from `ending` on are there to break it on purpose."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    """Close the connection after it."""
    ending: Literal["answer", "reset", "close", "hang"] = "answer"
    """`reset`, `close`, `hang`: nothing of the reply is sent. Hanging lasts until the client goes."""
    delay_s: float = 0.0
    """Wait before the first byte."""
    trickle_s: float = 0.0
    """Pause after every byte of the body."""
    padding: int = 0
    """Bytes that follow the body, to make it huge without holding it."""
    missing: int = 0
    """Bytes promised by Content-Length that never come; then the connection is closed."""


def json_reply(value: object, status: int = 200, *, close: bool = False) -> SinkReply:
    """A reply that holds `value` as JSON."""
    return SinkReply(status=status, body=msgspec.json.encode(value), close=close)


def error_reply(status: int, message: str, code: str = "invalid_request", *, close: bool = False) -> SinkReply:
    """An error as Segment's clients expect it; the real body is not documented (facts: HTTP API, responses)."""
    return json_reply({"success": False, "code": code, "message": message}, status, close=close)


SUCCESS_REPLY = json_reply({"success": True})
