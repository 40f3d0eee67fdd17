"""Exchange of one request and its response, between the application and the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sprig_tui.server.framing import RequestHead
from sprig_tui.server.responses import HTTPRejectionError, Response

if TYPE_CHECKING:
    from sprig_tui.server.connection import HttpConnection

SLOW_BYTES_PER_S = 10_000
"""Body bytes per second below which a client is evicted first when the connection limit is reached."""


class ClientDisconnectedError(Exception):
    """The connection closed before the body was complete."""


class Exchange:
    """One request, and the state of its response.

    The application reads the head and the body, and returns a response, which the connection writes. The connection
    feeds bytes of the body; `on_continue` sends `100 Continue`.
    """

    def __init__(
        self,
        head: RequestHead,
        sender: str,
        *,
        on_continue: Callable[[], None],
        on_body_taken: Callable[[], None],
        connection: HttpConnection,
    ) -> None:
        self.head = head
        self.sender = sender
        """Address of the client."""
        self.connection = connection
        """For an application that takes it over."""
        self.request_complete = False
        """Whether the whole request has arrived."""
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
        self._on_continue = on_continue
        self._on_body_taken = on_body_taken
        self._chunks: list[bytes] = []
        self._changed: asyncio.Event | None = None
        """Set when the application may go on; None while it does not wait."""
        self._disconnected = False
        self._failure: HTTPRejectionError | None = None
        self._expects_continue = head.expects_continue

    # -- the connection's side ------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Add bytes of the body."""
        self._expects_continue = False
        self._chunks.append(data)
        self.buffered += len(data)
        self._received += len(data)
        self._wake()

    def end_request(self) -> None:
        """Mark the request as complete."""
        self.request_complete = True
        self._expects_continue = False
        self._wake()

    def slow_since(self) -> float:
        """Time since which the client sends less than `SLOW_BYTES_PER_S` (monotonic s); 0 if it does not."""
        return min(self.waiting_since, self.started_at + self._received / SLOW_BYTES_PER_S)

    def disconnect(self) -> None:
        """Notify the application that the client disconnected."""
        self._disconnected = True
        self._wake()

    def reject(self, error: HTTPRejectionError) -> bool:
        """Reject the request while its body is incomplete; False if that is too late."""
        if self.request_complete or self._disconnected:
            return False
        self._failure = error
        self._wake()
        return True

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    # -- the application's side -----------------------------------------------------------------------------------

    @property
    def path_segment(self) -> str:
        """The last segment of the path."""
        return self.head.path.removesuffix("/").rpartition("/")[2]

    def header(self, name: bytes) -> str | None:
        """The first value of a header by its name in lower case; None where there is none."""
        for known, value in self.head.headers:
            if known == name:
                return value.decode("latin-1")
        return None

    def header_values(self, name: bytes) -> list[str]:
        """All values of a header."""
        return [value.decode("latin-1") for known, value in self.head.headers if known == name]

    @property
    def body_complete(self) -> bool:
        """Whether `read` returns at once until the end."""
        return self.request_complete and not self._disconnected and self._failure is None

    async def read(self) -> bytes:
        """The next part of the body, as soon as there is one; empty at its end.

        Raises HTTPRejectionError for an invalid body, and ClientDisconnectedError.
        """
        if self._expects_continue and not self._disconnected:
            self._expects_continue = False
            self._on_continue()
        if not (self._chunks or self.request_complete or self._disconnected or self._failure):
            self._changed = asyncio.Event()
            self.waiting_since = time.monotonic()
            try:
                await self._changed.wait()
            finally:
                self.waiting_since = 0.0
                self._changed = None
        if self._failure is not None:
            raise self._failure
        if self._disconnected:
            raise ClientDisconnectedError
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.buffered = 0
        if not self.request_complete:
            self._on_body_taken()
        return data

    def encode(self, response: Response) -> bytes:
        """The bytes of the response; decides whether it closes the connection."""
        self.closes_connection = (
            self.closes_connection
            or response.closes_connection
            or not (self.request_complete and self.head.keep_alive)
            or self.head.version == "1.0"
        )
        data = response_head(response, closes=self.closes_connection)
        return data if self.head.method == "HEAD" else data + response.body


def response_head(response: Response, *, closes: bool) -> bytes:
    """Status line and headers of a response."""
    lines = [_STATUS_LINES.get(response.status) or b"HTTP/1.1 %d \r\n" % response.status]
    lines.append(b"content-length: %d\r\n" % len(response.body))
    if response.content_type:
        lines.append(b"content-type: %b\r\n" % response.content_type.encode("latin-1"))
    lines.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in response.headers)
    lines.append(_date())
    lines.append(b"connection: close\r\n\r\n" if closes else b"\r\n")
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


def rejection_bytes(error: HTTPRejectionError) -> bytes:
    """The bytes of a rejection that the connection sends without the application, with `Connection: close`."""
    response = error.to_response()
    return response_head(response, closes=True) + response.body


def _status_lines() -> dict[int, bytes]:
    from http import HTTPStatus

    return {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}


_date = _DateHeader()
_STATUS_LINES = _status_lines()
