"""Client connections of the fake Segment: HTTP/1.1 by h11, with replies that may be broken on purpose."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

import h11
from msgspec import Struct

from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, error_reply

_MAX_READ_AHEAD_BYTES = 1_000_000
"""Bytes buffered before reading pauses: two whole bodies."""


class SinkProtocol(asyncio.Protocol):
    """Byte stream of one connection. asyncio's own streams copy each byte three times more."""

    def __init__(self, on_open: Callable[[SinkProtocol], None], on_lost: Callable[[SinkProtocol], None]) -> None:
        self._on_open = on_open
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._ended = False
        self._lost = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._released = asyncio.Event()

    async def receive(self) -> bytes:
        """The next bytes; empty at the end of the stream."""
        while not self._chunks:
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        part = self._chunks.popleft()
        self._held_bytes -= len(part)
        if not self._chunks and not self._lost and not self._transport.is_closing():
            self._transport.resume_reading()
        return part

    async def send(self, data: bytes) -> None:
        """Write, and wait while the client is slow to read; raises ConnectionResetError if it has disconnected."""
        # closing: a write failed, and `connection_lost` follows once the event loop runs again
        if self._lost or self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)
        await self._writable.wait()
        if self._lost:
            raise ConnectionResetError

    def end(self) -> None:
        """Close the sending side; the client's data can still be received."""
        if not self._lost and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """Close after everything is written."""
        self._transport.close()

    def abort(self) -> None:
        """Close immediately."""
        self._transport.abort()

    async def abort_and_wait(self) -> None:
        """Close immediately; returns when the event loop has released the connection."""
        self.abort()
        await self._released.wait()

    def reset(self) -> None:
        """Close with a TCP reset, which a linger time of zero causes."""
        peer = self._transport.get_extra_info("socket")
        if peer is not None and not self._lost:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # -- called by asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes."""
        self._chunks.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _MAX_READ_AHEAD_BYTES:
            self._transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        """Keep the connection half open; TLS does not support that."""
        self._ended = True
        self._readable.set()
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Wake everything that waits for the client."""
        self._ended = self._lost = True
        self._readable.set()
        self._writable.set()
        self._on_lost(self)
        self._released.set()

    def pause_writing(self) -> None:
        """Make `send` wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `send` continue."""
        self._writable.set()


_PADDING_CHUNK = b" " * 65_536
_MAX_LINGER_BYTES = 16_000_000
_LINGER_TIMEOUT_S = 2.0
_BODILESS_STATUSES = (204, 304)
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class Timeouts(Struct, frozen=True, kw_only=True):
    """Time limits of a client, in seconds."""

    idle_s: float = 75.0
    """Between two requests, until the next one's head is complete."""
    body_s: float = 30.0
    """For one request's body."""


class SinkConnection:
    """Serves requests on one connection until either side closes it.

    `handler` makes the reply to a request; `body_limit` gives the largest body of a path in bytes. `on_bad_request` is
    called for requests that were not HTTP, were incomplete, or took too long.
    """

    def __init__(
        self,
        protocol: SinkProtocol,
        *,
        number: int,
        handler: Callable[[SinkRequest], SinkReply],
        body_limit: Callable[[str], int],
        timeouts: Timeouts,
        on_bad_request: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._number = number
        self._handler = handler
        self._body_limit = body_limit
        self._timeouts = timeouts
        self._on_bad_request = on_bad_request
        self._http = h11.Connection(h11.SERVER)
        self._ahead = b""
        """Bytes of the next request that came with this one."""
        self._read_whole = False

    async def serve(self) -> None:
        """Serve until the connection ends; network errors also end it."""
        try:
            while await self._serve_request():
                pass
        except OSError:
            self._on_bad_request()
        finally:
            self._protocol.close()

    async def _serve_request(self) -> bool:
        """One request and its reply; whether another may follow."""
        self._http = h11.Connection(h11.SERVER)
        self._read_whole = False
        if self._ahead:
            self._http.receive_data(self._ahead)
        try:
            request = await self._read_request()
        except h11.RemoteProtocolError as error:
            await self._send_error(error_reply(error.error_status_hint, f"not http/1.1: {error}"[:200]))
            return False
        except TimeoutError:
            if self._http.their_state is not h11.IDLE or self._http.trailing_data[0]:
                await self._send_error(error_reply(408, "the request took too long"))
            return False
        return request is not None and await self._handle(request)

    # -- reading --------------------------------------------------------------------------------------------------

    async def _read_request(self) -> SinkRequest | None:
        async with asyncio.timeout(self._timeouts.idle_s):
            head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        path, _, query = head.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        async with asyncio.timeout(self._timeouts.body_s):
            body = await self._read_body(self._body_limit(path), headers.get("content-length"))
        return SinkRequest(
            method=head.method.decode("latin-1"),
            path=unquote(path),
            query=query,
            headers=headers,
            body=body,
            connection=self._number,
            target=head.target.decode("latin-1"),
        )

    async def _read_body(self, limit: int, length: str | None) -> bytes | None:
        """The body; None as soon as it is known to exceed the limit."""
        if length is not None:
            return None if int(length) > limit else await self._read_exactly(int(length))
        parts: list[bytes] = []
        size = 0
        while isinstance(part := await self._next_event(), h11.Data):
            size += len(part.data)
            if size > limit:
                return None
            parts.append(part.data)
        self._end_body(self._http.trailing_data[0])
        return b"".join(parts)

    async def _read_exactly(self, length: int) -> bytes:
        """A body of known length, without h11, which would copy it three times more."""
        parts = [self._http.trailing_data[0]]
        size = len(parts[0])
        await self._send_continue(size < length)
        while size < length:
            part = await self._protocol.receive()
            if not part:
                raise h11.RemoteProtocolError(f"the body ends after {size:,} of {length:,} bytes")
            parts.append(part)
            size += len(part)
        received = b"".join(parts)
        self._end_body(received[length:])
        return received[:length] if size > length else received

    def _end_body(self, ahead: bytes) -> None:
        self._ahead = ahead
        self._read_whole = True

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._send_continue(waiting=True)
            self._http.receive_data(await self._protocol.receive())
        return event

    async def _send_continue(self, waiting: bool) -> None:
        """Answer `Expect: 100-continue` before waiting for the body."""
        if waiting and self._http.they_are_waiting_for_100_continue:
            await self._protocol.send(self._serialize(h11.InformationalResponse(status_code=100, headers=[])))

    # -- answering ------------------------------------------------------------------------------------------------

    async def _send_error(self, reply: SinkReply) -> None:
        self._on_bad_request()
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send_reply(reply)

    async def _handle(self, request: SinkRequest) -> bool:
        reply = self._handler(request)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.ending == "reset":
            self._protocol.reset()
        elif reply.ending == "hang":
            await self._discard()
        if reply.ending != "answer":
            return False
        await self._send_reply(reply)
        return self._http.our_state is h11.DONE and self._read_whole

    async def _send_reply(self, reply: SinkReply) -> None:
        body = b"" if reply.status in _BODILESS_STATUSES else reply.body
        length = len(body) + reply.padding + reply.missing
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(length)), *reply.headers]
        # the rest of an unread body must not be parsed as the next request
        closing = reply.close or not self._read_whole
        if closing:
            headers.append(("Connection", "close"))
        phrase = _PHRASES.get(reply.status, b"")
        head = self._serialize(h11.Response(status_code=reply.status, headers=headers, reason=phrase))
        if reply.trickle_s:
            await self._protocol.send(head)
            for index in range(len(body)):
                await self._protocol.send(self._serialize(h11.Data(data=body[index : index + 1])))
                await asyncio.sleep(reply.trickle_s)
        else:
            await self._protocol.send(head + (self._serialize(h11.Data(data=body)) if body else b""))
        for start in range(0, reply.padding, len(_PADDING_CHUNK)):
            await self._protocol.send(self._serialize(h11.Data(data=_PADDING_CHUNK[: reply.padding - start])))
        if reply.missing:
            return
        self._serialize(h11.EndOfMessage())
        if closing:
            await self._linger()

    def _serialize(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""

    async def _linger(self) -> None:
        """Close the sending side and read on: closing with unread bytes would reset, and the reply would be lost."""
        self._protocol.end()
        try:
            async with asyncio.timeout(_LINGER_TIMEOUT_S):
                await self._discard(_MAX_LINGER_BYTES)
        except TimeoutError:
            return

    async def _discard(self, max_bytes: float = float("inf")) -> None:
        read = 0
        while read < max_bytes and (part := await self._protocol.receive()):
            read += len(part)
