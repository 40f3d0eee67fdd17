"""Exchange: one request and its response, between the application (ASGI) and the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from sprig_tui.serving.framing import Head
from sprig_tui.serving.refusals import RefusedError

SLOW_RATE = 10_000
"""Bytes of a body a second; a sender that brings fewer gives way to others where all connections are taken."""


class Exchange:
    """The application's side: `scope`, `receive`, `send`. The connection feeds it, and writes what it is told."""

    def __init__(
        self,
        head: Head,
        scope: dict[str, Any],
        *,
        write: Callable[[Exchange, bytes, bool], None],
        more: Callable[[], None],
    ) -> None:
        self.head = head
        self.scope = scope
        self.status = 0
        """Of the response; 0 before it starts."""
        self.complete = False
        """Whether the whole request is here."""
        self.done = False
        """Whether the whole response was handed over."""
        self.closes = False
        """Whether the response says that the connection ends."""
        self.buffered = 0
        """Bytes of the body that the application did not take yet."""
        self.waiting_since = 0.0
        """Since when the application waits for the sender (monotonic s); 0 while it does not."""
        self.began = time.monotonic()
        """When its headers were here."""
        self._received = 0
        """Bytes of the body."""
        self._write = write
        self._more = more
        self._chunks: list[bytes] = []
        self._news = asyncio.Event()
        self._gone = False
        self._failure: RefusedError | None = None
        self._continue = head.expects_continue
        self._start: dict[str, Any] = {}

    # -- the connection's side ------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes of the body."""
        self._continue = False
        self._chunks.append(data)
        self.buffered += len(data)
        self._received += len(data)
        self._news.set()

    def end(self) -> None:
        """The request is complete."""
        self.complete = True
        self._continue = False
        self._news.set()

    def slow_since(self) -> float:
        """Since when its sender keeps us waiting, or has been sending less than `SLOW_RATE`; 0 where it does not."""
        return min(self.waiting_since, self.began + self._received / SLOW_RATE)

    def disconnect(self) -> None:
        """Nobody waits for the response."""
        self._gone = True
        self._news.set()

    def fail(self, error: RefusedError) -> bool:
        """Refuse it while the application waits for more of its body; False where it does not."""
        if self.complete or self.status or self._gone:
            return False
        self._failure = error
        self._news.set()
        return True

    # -- the application's side -----------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """The next part of the body, or `http.disconnect`. Raises RefusedError for a body that cannot be read."""
        if self._continue and not self._gone:
            self._continue = False
            self._write(self, b"HTTP/1.1 100 Continue\r\n\r\n", False)
        if not (self._chunks or self.complete or self._gone or self._failure or self.done):
            self._news.clear()
            self.waiting_since = time.monotonic()
            try:
                await self._news.wait()
            finally:
                self.waiting_since = 0.0
        if self._failure is not None:
            raise self._failure
        if self._gone or self.done:
            return {"type": "http.disconnect"}
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.buffered = 0
        if not self.complete:
            self._more()
        return {"type": "http.request", "body": data, "more_body": not (self.complete and not self._chunks)}

    async def send(self, message: dict[str, Any]) -> None:
        """Start the response, or go on with its body."""
        if message["type"] == "http.response.start":
            self._start = message
            self.status = message["status"]
            return
        if self.done:
            return
        body: bytes = message.get("body", b"")
        last = not message.get("more_body", False)
        if self._start:
            head, self._start = self._head_of(self._start), {}
            body = head if self.head.method == "HEAD" else head + body
        elif self.head.method == "HEAD":
            body = b""
        self.done = last
        self._write(self, body, last)

    def _head_of(self, start: dict[str, Any]) -> bytes:
        lines = [_STATUS_LINES.get(self.status) or b"HTTP/1.1 %d \r\n" % self.status]
        measured = False
        for name, value in start.get("headers", ()):
            measured = measured or name == b"content-length"
            if name == b"connection":
                self.closes = self.closes or value == b"close"
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        self.closes = self.closes or not (measured and self.complete and self.head.keep_alive)
        self.closes = self.closes or self.head.version == "1.0"
        lines.append(_date())
        lines.append(b"connection: close\r\n\r\n" if self.closes else b"\r\n")
        return b"".join(lines)


class _Date:
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


def raw_answer(error: RefusedError) -> bytes:
    """A refusal as it goes over the wire, where no application answers; the connection ends with it."""
    body = error.body()
    extra = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in error.headers.items())
    line = _STATUS_LINES.get(error.status) or b"HTTP/1.1 %d \r\n" % error.status
    kind = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return b"%b%b%b%bconnection: close\r\n\r\n%b" % (line, kind, extra, _date(), body)


def _status_lines() -> dict[int, bytes]:
    from http import HTTPStatus

    return {int(one): f"HTTP/1.1 {int(one)} {one.phrase}\r\n".encode() for one in HTTPStatus}


_date = _Date()
_STATUS_LINES = _status_lines()
