"""Exchange: one request and its response, between the application (ASGI) and the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from sprig_tui.server.framing import RequestHead
from sprig_tui.server.responses import HTTPRejectionError

SLOW_BYTES_PER_S = 10_000
"""Bytes of a body a second; a sender that brings fewer gives way to others where all connections are taken."""


class Exchange:
    """The application's side: `scope`, `receive`, `send`. The connection feeds it, and writes what it is told."""

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
        """Of the response; 0 before it starts."""
        self.request_complete = False
        """Whether the whole request is here."""
        self.response_done = False
        """Whether the whole response was handed over."""
        self.closes_connection = False
        """Whether the response says that the connection ends."""
        self.buffered = 0
        """Bytes of the body that the application did not take yet."""
        self.waiting_since = 0.0
        """Since when the application waits for the sender (monotonic s); 0 while it does not."""
        self.started_at = time.monotonic()
        """When its headers were here."""
        self._received = 0
        """Bytes of the body."""
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
        """Bytes of the body."""
        self._expects_continue = False
        self._chunks.append(data)
        self.buffered += len(data)
        self._received += len(data)
        self._changed.set()

    def end_request(self) -> None:
        """The request is complete."""
        self.request_complete = True
        self._expects_continue = False
        self._changed.set()

    def slow_since(self) -> float:
        """Since when its sender has sent less than `SLOW_BYTES_PER_S`; 0 where it has not."""
        return min(self.waiting_since, self.started_at + self._received / SLOW_BYTES_PER_S)

    def disconnect(self) -> None:
        """Nobody waits for the response."""
        self._disconnected = True
        self._changed.set()

    def reject(self, error: HTTPRejectionError) -> bool:
        """Refuse it while the application waits for more of its body; False where it does not."""
        if self.request_complete or self.status or self._disconnected:
            return False
        self._failure = error
        self._changed.set()
        return True

    # -- the application's side -----------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """The next part of the body, or `http.disconnect`. Raises HTTPRejectionError for a body that cannot be read."""
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
        """Start the response, or go on with its body."""
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
        measured = False
        for name, value in start.get("headers", ()):
            measured = measured or name == b"content-length"
            if name == b"connection":
                self.closes_connection = self.closes_connection or value == b"close"
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        self.closes_connection = self.closes_connection or not (
            measured and self.request_complete and self.head.keep_alive
        )
        self.closes_connection = self.closes_connection or self.head.version == "1.0"
        lines.append(_date())
        lines.append(b"connection: close\r\n\r\n" if self.closes_connection else b"\r\n")
        return b"".join(lines)


class _DateHeader:
    """The Date header, made once a second."""

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
    """A refusal as it goes over the wire, where no application answers; the connection ends with it."""
    body = error.to_json()
    extra = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in error.headers.items())
    line = _STATUS_LINES.get(error.status) or b"HTTP/1.1 %d \r\n" % error.status
    kind = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return b"%b%b%b%bconnection: close\r\n\r\n%b" % (line, kind, extra, _date(), body)


def _status_lines() -> dict[int, bytes]:
    from http import HTTPStatus

    return {int(one): f"HTTP/1.1 {int(one)} {one.phrase}\r\n".encode() for one in HTTPStatus}


_date = _DateHeader()
_STATUS_LINES = _status_lines()
