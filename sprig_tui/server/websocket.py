"""WebSocket (RFC 6455) on a connection that an application takes over, with a limit of what it holds of the client."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from sprig_tui.server.responses import HTTPRejectionError

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

    from sprig_tui.server.connection import HttpConnection
    from sprig_tui.server.exchange import Exchange

MAX_WAITING_BYTES = 65_536
"""Bytes of messages that wait for the application; beyond that, reading pauses, which slows the client."""
MESSAGE_OVERHEAD_BYTES = 64
"""What a message takes besides its text."""
_VERSION = "13"


class WebSocket:
    """One WebSocket, open since the upgrade; text and binary messages of at most `max_bytes` of the client."""

    def __init__(self, connection: HttpConnection, max_bytes: int) -> None:
        from websockets.protocol import State
        from websockets.server import ServerProtocol

        self._protocol: ServerProtocol = ServerProtocol(state=State.OPEN, max_size=max_bytes)
        self._connection = connection
        self._parts: list[bytes] = []
        self._messages: deque[str] = deque()
        self._waiting_bytes = 0
        self._received = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._answered = True
        """Whether the last ping was answered."""

    # -- the application's side -----------------------------------------------------------------------------------

    async def receive(self) -> str | None:
        """The next text message; None once the client has gone, or has broken the protocol."""
        while not self._messages:
            if self._lost.is_set() or self._protocol.close_expected():
                return None
            self._received.clear()
            await self._received.wait()
        message = self._messages.popleft()
        self._waiting_bytes -= len(message) + MESSAGE_OVERHEAD_BYTES
        self._pace_reading()
        return message

    async def send(self, data: bytes | str) -> None:
        """Send a binary message, or a text, when the client has read what came before; nothing once it has gone."""
        await self._writable.wait()
        if self.is_open:
            if isinstance(data, str):
                self._protocol.send_text(data.encode())
            else:
                self._protocol.send_binary(data)
            self._flush()

    def ping(self) -> bool:
        """Ask for a sign of life; False if the last ping has not been answered."""
        if not self.is_open or not self._answered:
            return False
        self._answered = False
        self._protocol.send_ping(b"")
        self._flush()
        return True

    async def close(self, code: int, reason: str = "", *, seconds: float = 2.0) -> None:
        """Close it, and wait for the client's side so long."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._flush()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)
        self._connection.close_upgraded()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        from websockets.protocol import State

        return self._protocol.state is State.OPEN and not self._lost.is_set()

    # -- the connection's side ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read frames; a broken one, and a message that is too long, closes the WebSocket."""
        from websockets.frames import Frame, Opcode

        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            frame = cast("Frame", event)
            if frame.opcode is Opcode.PONG:
                self._answered = True
            elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._take_part(bytes(frame.data), last=frame.fin)
        self._flush()
        self._received.set()

    def pause_writing(self) -> None:
        """Let `send` wait, and ask for nothing that would be answered, such as pings."""
        self._writable.clear()
        self._pace_reading()

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self._writable.set()
        self._pace_reading()

    def connection_lost(self) -> None:
        """End everything that waits."""
        self._lost.set()
        self._received.set()
        self._writable.set()

    def _take_part(self, data: bytes, *, last: bool) -> None:
        if data:
            self._parts.append(data)
        if not last:
            return
        message = b"".join(self._parts).decode("utf-8", "replace")
        self._parts.clear()
        self._messages.append(message)
        self._waiting_bytes += len(message) + MESSAGE_OVERHEAD_BYTES
        self._pace_reading()

    def _pace_reading(self) -> None:
        self._connection.pause_upgraded(self._waiting_bytes > MAX_WAITING_BYTES or not self._writable.is_set())

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write_upgraded(data)
            else:  # SEND_EOF: both sides have closed, or the client has broken the protocol
                self._connection.close_upgraded()


def check_upgrade(exchange: Exchange) -> None:
    """Raise HTTPRejectionError (400, 426) unless the request asks for a WebSocket of the one version there is."""
    tokens = {token.strip().lower() for value in exchange.header_values(b"connection") for token in value.split(",")}
    asked = "upgrade" in tokens and (exchange.header(b"upgrade") or "").lower() == "websocket"
    if not asked or exchange.head.method != "GET":
        raise HTTPRejectionError(426, "a WebSocket is needed here", headers={"upgrade": "websocket"})
    if exchange.header(b"sec-websocket-version") != _VERSION:
        raise HTTPRejectionError(426, "version 13 of WebSocket is spoken here", headers={"sec-websocket-version": "13"})
    if len(exchange.header_values(b"sec-websocket-key")) != 1:
        raise HTTPRejectionError(400, "one Sec-WebSocket-Key is needed")


def accept_websocket(exchange: Exchange, max_bytes: int) -> WebSocket | None:
    """Take the connection over as a WebSocket; None if it is gone. `check_upgrade` was asked before."""
    from websockets.utils import accept_key

    websocket = WebSocket(exchange.connection, max_bytes)
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: %b\r\n\r\n" % accept_key(exchange.header(b"sec-websocket-key") or "").encode()
    )
    return websocket if exchange.connection.take_over(answer, websocket) else None
