"""Exchange of one request and its response, between the ASGI application and the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from sprig_tui.server.framing import RequestHead
from sprig_tui.server.responses import HTTPRejectionError

SLOW_BYTES_PER_S = 10_000
"""Body bytes per second below which a client is evicted first when the connection limit is reached."""


class Exchange:
    """One request and its response.

    The application has `scope`, `receive` and `send`. The connection feeds bytes of the body, and `write` writes the
    response.
    """

    def __init__(
        self,
        head: RequestHead,
        scope: dict[str, Any],
        *,
        write: Callable[[Exchange, bytes, bool], None],
        on_body_taken: Callable[[], None],
    ) -> None:
        self.head = head
        self.scope = scope
        self.status = 0
        """Status of the response; 0 before it starts."""
        self.request_complete = False
        """Whether the whole request has arrived."""
        self.response_done = False
        """Whether the application has sent the whole response."""
        self.closes_connection = False
        """Whether the response has `Connection: close`."""
        self.buffered = 0
        """Bytes of the body that the application has not read yet."""
        self.waiting_since = 0.0
        """Time since which the application waits for the client (monotonic s); 0 while it does not."""
        self.started_at = time.monotonic()
        """Arrival of the headers (monotonic s)."""
        self._received = 0
        """Bytes of the body so far."""
        self._write = write
        self._on_body_taken = on_body_taken
        self._chunks: list[bytes] = []
        self._changed = asyncio.Event()
        self._disconnected = False
        self._failure: HTTPRejectionError | None = None
        self._expects_continue = head.expects_continue
        self._response_start: dict[str, Any] = {}

    # -- the connection's side ------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Add bytes of the body."""
        self._expects_continue = False
        self._chunks.append(data)
        self.buffered += len(data)
        self._received += len(data)
        self._changed.set()

    def end_request(self) -> None:
        """Mark the request as complete."""
        self.request_complete = True
        self._expects_continue = False
        self._changed.set()

    def slow_since(self) -> float:
        """Time since which the client sends less than `SLOW_BYTES_PER_S` (monotonic s); 0 if it does not."""
        return min(self.waiting_since, self.started_at + self._received / SLOW_BYTES_PER_S)

    def disconnect(self) -> None:
        """Notify the application that the client disconnected."""
        self._disconnected = True
        self._changed.set()

    def reject(self, error: HTTPRejectionError) -> bool:
        """Reject the request while its body is incomplete; False if that is too late."""
        if self.request_complete or self.status or self._disconnected:
            return False
        self._failure = error
        self._changed.set()
        return True

    # -- the application's side -----------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """The next part of the body, or `http.disconnect`; raises HTTPRejectionError for an invalid body."""
        if self._expects_continue and not self._disconnected:
            self._expects_continue = False
            self._write(self, b"HTTP/1.1 100 Continue\r\n\r\n", False)
        if not (self._chunks or self.request_complete or self._disconnected or self._failure or self.response_done):
            self._changed.clear()
            self.waiting_since = time.monotonic()
            try:
                await self._changed.wait()
            finally:
                self.waiting_since = 0.0
        if self._failure is not None:
            raise self._failure
        if self._disconnected or self.response_done:
            return {"type": "http.disconnect"}
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.buffered = 0
        if not self.request_complete:
            self._on_body_taken()
        return {"type": "http.request", "body": data, "more_body": not (self.request_complete and not self._chunks)}

    async def send(self, message: dict[str, Any]) -> None:
        """Start the response, or send a part of its body."""
        if message["type"] == "http.response.start":
            self._response_start = message
            self.status = message["status"]
            return
        if self.response_done:
            return
        body: bytes = message.get("body", b"")
        last = not message.get("more_body", False)
        if self._response_start:
            head, self._response_start = self._encode_head(self._response_start), {}
            body = head if self.head.method == "HEAD" else head + body
        elif self.head.method == "HEAD":
            body = b""
        self.response_done = last
        self._write(self, body, last)

    def _encode_head(self, start: dict[str, Any]) -> bytes:
        lines = [_STATUS_LINES.get(self.status) or b"HTTP/1.1 %d \r\n" % self.status]
        has_length = False
        for name, value in start.get("headers", ()):
            has_length = has_length or name == b"content-length"
            if name == b"connection":
                self.closes_connection = self.closes_connection or value == b"close"
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        self.closes_connection = self.closes_connection or not (
            has_length and self.request_complete and self.head.keep_alive
        )
        self.closes_connection = self.closes_connection or self.head.version == "1.0"
        lines.append(_date())
        lines.append(b"connection: close\r\n\r\n" if self.closes_connection else b"\r\n")
        return b"".join(lines)


class _DateHeader:
    """The Date header line, formatted once per second."""

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def __call__(self) -> bytes:
        now = int(time.time())
        if now != self._second:
            from email.utils import formatdate

            self._second, self._line = now, f"date: {formatdate(now, usegmt=True)}\r\n".encode()
        return self._line


def raw_response(error: HTTPRejectionError) -> bytes:
    """The bytes of a rejection that the connection sends without the application, with `Connection: close`."""
    body = error.to_json()
    extra = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in error.headers.items())
    line = _STATUS_LINES.get(error.status) or b"HTTP/1.1 %d \r\n" % error.status
    kind = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return b"%b%b%b%bconnection: close\r\n\r\n%b" % (line, kind, extra, _date(), body)


def _status_lines() -> dict[int, bytes]:
    from http import HTTPStatus

    return {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}


_date = _DateHeader()
_STATUS_LINES = _status_lines()
