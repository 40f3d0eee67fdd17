"""A connection's bytes: received as they come, with few copies, and ways to end it that a kind server never uses."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

_MAX_READ_AHEAD_BYTES = 1_000_000
"""Bytes held before the client is held back: two whole bodies."""


class SinkProtocol(asyncio.Protocol):
    """The stream pair of asyncio would do, but copies each byte three times more; bodies here are half a megabyte."""

    def __init__(self, on_open: Callable[[SinkProtocol], None]) -> None:
        self._on_open = on_open
        self._transport: asyncio.Transport
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._ended = False
        self._lost = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def receive(self) -> bytes:
        """The next bytes; empty when the client has ended."""
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
        """Write, and wait while the client is slow to read; ConnectionResetError when it is gone."""
        if self._lost:
            raise ConnectionResetError
        self._transport.write(data)
        await self._writable.wait()
        if self._lost:
            raise ConnectionResetError

    def end(self) -> None:
        """Say that nothing more will be sent; what the client sends can still be received."""
        if not self._lost and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """End in good order, once all is written."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def reset(self) -> None:
        """End with a TCP reset: with a linger time of zero the system sends one."""
        peer = self._transport.get_extra_info("socket")
        if peer is not None and not self._lost:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # -- called by asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._chunks.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _MAX_READ_AHEAD_BYTES:
            self._transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        """The client sends no more; over plain TCP it may still read."""
        self._ended = True
        self._readable.set()
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client has gone."""
        self._ended = self._lost = True
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The client is slow to read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()
