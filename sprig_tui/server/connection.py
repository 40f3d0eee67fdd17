"""One HTTP/1.1 connection: requests one after the other, each of its waits bounded, and every refusal told."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from enum import Enum, auto
from typing import cast

from starlette.types import ASGIApp

from sprig_tui.server.connection_table import ConnectionRegistry, owner_of
from sprig_tui.server.exchange import Exchange, raw_response
from sprig_tui.server.framing import BodyPart, FramingError, RequestEnd, RequestHead, RequestParser
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, Rejection

MAX_BUFFERED_BYTES = 65_536
"""Of a body, before the application takes them; more are left to the system, which slows the sender."""
NO_DEADLINE = float("inf")
_TOO_MANY_TEXT = "too many connections; send it again"


class ConnectionPhase(Enum):
    """What a connection is about."""

    OPENING = auto()
    """Accepted; the TLS handshake is under way."""
    HEAD = auto()
    """A request's headers are awaited: the first, or one whose first byte is here."""
    IDLE = auto()
    """Nothing is awaited; another request may come."""
    REQUEST = auto()
    """A request is being answered."""
    LINGERING = auto()
    """The last answer is given; what its sender still sends is thrown away."""
    CLOSING = auto()
    """The last answer is on its way out."""
    CLOSED = auto()


class HttpConnection(asyncio.Protocol):
    """Begins at acceptance, before there is a transport, so that it is counted from there."""

    def __init__(
        self,
        app: ASGIApp,
        connections: ConnectionRegistry,
        on_rejection: OnRejection,
        sender: tuple[str, int],
        *,
        secure: bool,
    ) -> None:
        self.owner = owner_of(sender[0])
        self.deadline = NO_DEADLINE
        self.write_deadline = NO_DEADLINE
        self.phase_since = time.monotonic()
        self.phase = ConnectionPhase.OPENING
        self.handshake: asyncio.Task[None] | None = None
        """The task that connects it, until it is."""
        self._app = app
        self._connections = connections
        self._limits = connections.limits
        self._on_rejection = on_rejection
        self._sender = sender
        self._secure = secure
        self._framing = RequestParser(self._limits)
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._server: tuple[str, int | None] = ("", None)
        self._reading = True
        self._input_ended = False
        """Whether the other side sends no more."""
        self._draining = False
        self._proven = False
        self._discarded_bytes = 0
        """Bytes thrown away while lingering."""
        self._admitted = connections.admit(self)

    @property
    def admitted(self) -> bool:
        """Whether there is room for it; if not it is only told so."""
        return self._admitted

    @property
    def connected(self) -> bool:
        """Whether its transport is there, which closes the socket."""
        return self._transport is not None

    # -- the transport's side -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The way is open, and secured where it shall be."""
        self._transport = cast("asyncio.Transport", transport)
        if self.phase is ConnectionPhase.CLOSED:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=0)  # hear of it as soon as the system takes no more
        self._server = transport.get_extra_info("sockname")[:2]
        if not self._admitted:
            self._reject(HTTPRejectionError(503, _TOO_MANY_TEXT, headers={"retry-after": "1"}))
            return
        self._set_phase(ConnectionPhase.HEAD, self._limits.head_seconds)
        if self._draining:
            self._close()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self.phase is ConnectionPhase.LINGERING:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > self._limits.linger_bytes:
                self._close()
            return
        if self.phase in (ConnectionPhase.CLOSING, ConnectionPhase.CLOSED):
            return
        self._framing.receive(data)
        self._read_events()

    def eof_received(self) -> bool | None:
        """The other side sends no more; what it asked before is answered all the same (TLS knows no such half)."""
        self._input_ended = True
        if self.phase is ConnectionPhase.REQUEST and self._exchange is not None:
            if self._exchange.request_complete or self._framing.pending:
                return None if self._secure else True
            self._exchange.disconnect()
        if self.phase is ConnectionPhase.CLOSING:
            return None if self._secure else True
        return None

    def pause_writing(self) -> None:
        """What was written waits for its reader."""
        self.write_deadline = time.monotonic() + self._limits.write_seconds

    def resume_writing(self) -> None:
        """All of it is on its way."""
        self.write_deadline = NO_DEADLINE
        if self.phase is ConnectionPhase.REQUEST and self._exchange is None:
            self._next_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, whoever ended it."""
        del exc
        self.phase = ConnectionPhase.CLOSED
        self.deadline = self.write_deadline = NO_DEADLINE
        if self._exchange is not None:
            self._exchange.disconnect()
        self._connections.remove(self)

    # -- requests -------------------------------------------------------------------------------------------------

    def _read_events(self) -> None:
        """Take what can be taken of what came."""
        if self.phase is ConnectionPhase.REQUEST and self._exchange is None:
            self._set_reading(False)
            return
        try:
            while self._exchange is None or self._exchange.buffered < MAX_BUFFERED_BYTES:
                event = self._framing.next_event()
                if isinstance(event, RequestHead):
                    self._start_exchange(event)
                elif isinstance(event, BodyPart):
                    cast("Exchange", self._exchange).feed(event.data)
                elif isinstance(event, RequestEnd):
                    cast("Exchange", self._exchange).end_request()
                else:
                    break
        except FramingError as error:
            refusal = HTTPRejectionError(error.status, error.message)
            if self._exchange is None:
                self._reject(refusal)
            else:
                self._exchange.reject(refusal)
            return
        if self.phase is ConnectionPhase.IDLE and self._framing.begun:
            self._set_phase(ConnectionPhase.HEAD, self._limits.head_seconds)
        # what waits behind this request, or more than is held of its body, waits outside
        self._set_reading(not (self._exchange is not None and self._framing.pending))

    def _start_exchange(self, head: RequestHead) -> None:
        self._connections.mark_busy(self)
        self._set_phase(ConnectionPhase.REQUEST, NO_DEADLINE)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.version,
            "server": self._server,
            "client": self._sender,
            "scheme": "https" if self._secure else "http",
            "method": head.method,
            "root_path": "",
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "authority": head.authority,
        }
        self._exchange = exchange = Exchange(head, scope, write=self._write, on_body_taken=self._read_events)
        exchange.closes_connection = self._draining
        task = asyncio.get_running_loop().create_task(self._run_app(exchange))
        self._connections.tasks.add(task)
        task.add_done_callback(self._connections.tasks.discard)

    async def _run_app(self, exchange: Exchange) -> None:
        try:
            await self._app(exchange.scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception:  # noqa: BLE001, S110 - the outer edge; the application told of it, and answered
            pass
        if not exchange.response_done and self.phase is ConnectionPhase.REQUEST:
            if exchange.status:
                self.abort()
            else:
                self._exchange = None
                self._reject(HTTPRejectionError(500, "internal error; send it again"))

    def _write(self, exchange: Exchange, data: bytes, last: bool) -> None:
        if self._transport is None or self._transport.is_closing() or exchange is not self._exchange:
            return
        if data:
            self._transport.write(data)
        if last:
            self._on_response_sent(exchange)

    def _on_response_sent(self, exchange: Exchange) -> None:
        self._exchange = None
        self._proven = self._proven or (exchange.status < 300 and exchange.head.method == "POST")
        if exchange.closes_connection or self._framing.exhausted:
            if exchange.request_complete and not self._framing.pending:
                self._close()
            else:
                self._linger()
        else:
            self._framing.start_next()
            if self.write_deadline == NO_DEADLINE:
                self._next_request()
            # else: whoever does not read its answers is served no more until it has

    def _next_request(self) -> None:
        """Await another request, or take up the one that waits."""
        self._set_phase(ConnectionPhase.IDLE, self._limits.idle_seconds)
        self._read_events()
        if self._exchange is None and self.phase in (ConnectionPhase.IDLE, ConnectionPhase.HEAD):
            if self._input_ended or self._draining:
                self._close()
            else:
                self._connections.mark_waiting(self, proven=self._proven)

    # -- the end --------------------------------------------------------------------------------------------------

    def _reject(self, error: HTTPRejectionError) -> None:
        """Answer in the application's stead, and end."""
        self._on_rejection(Rejection(error.status, error.message, sender=self._sender[0]))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw_response(error))
            self._linger()

    def _linger(self) -> None:
        """End, but let the other side read the answer first: see `ConnectionLimits.linger_seconds`."""
        assert self._transport is not None  # noqa: S101 - it was written to
        if self._input_ended:
            self._close()
            return
        self._set_phase(ConnectionPhase.LINGERING, self._limits.linger_seconds)
        self._connections.mark_waiting(self, proven=False)
        self._set_reading(True)
        if self._transport.can_write_eof() and self.write_deadline == NO_DEADLINE:
            with suppress(OSError):  # it is gone, and nobody was told yet
                self._transport.write_eof()

    def _close(self) -> None:
        """End when what was written is on its way."""
        if self._transport is None:
            self.abort()
            return
        self._set_phase(ConnectionPhase.CLOSING, self._limits.write_seconds)
        self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()
            return
        self.phase = ConnectionPhase.CLOSED
        if self.handshake is not None:
            self.handshake.cancel()
        self._connections.remove(self)

    def expire(self, now: float) -> None:
        """A wait is over its bound."""
        if now >= self.write_deadline or self.phase in (ConnectionPhase.OPENING, ConnectionPhase.CLOSING):
            self._connections.on_dropped("handshake" if self.phase is ConnectionPhase.OPENING else "slow reader")
            self.abort()
        elif self.phase is ConnectionPhase.HEAD:
            self._reject(HTTPRejectionError(408, "the headers did not come in time"))
        else:
            self._close()

    def evict(self) -> None:
        """End, so that others find room."""
        if self._exchange is not None:
            if not self._exchange.reject(HTTPRejectionError(503, _TOO_MANY_TEXT, headers={"retry-after": "1"})):
                self.abort()
            return
        if self.phase is ConnectionPhase.HEAD and self._framing.begun and self._transport is not None:
            self._transport.write(raw_response(HTTPRejectionError(503, _TOO_MANY_TEXT, headers={"retry-after": "1"})))
        if self._secure or self._transport is None or self.write_deadline != NO_DEADLINE:
            self.abort()  # a close in good order could take its time
        else:
            self._close()

    def slow_since(self) -> float:
        """Since when the sender or the reader keeps it waiting."""
        if self.write_deadline != NO_DEADLINE:
            return self.write_deadline - self._limits.write_seconds
        return self._exchange.slow_since() if self._exchange is not None else 0.0

    def drain(self) -> None:
        """End as soon as what was accepted is answered."""
        self._draining = True
        if self._exchange is not None:
            self._exchange.closes_connection = True
        elif self.phase in (ConnectionPhase.HEAD, ConnectionPhase.IDLE) or (
            self.phase is ConnectionPhase.REQUEST and self._exchange is None
        ):
            self._close()

    def reject_incomplete(self) -> None:
        """Refuse what has not come in full, and end."""
        if self._exchange is not None and self._exchange.request_complete and self.write_deadline == NO_DEADLINE:
            return  # it is being stored
        late = HTTPRejectionError(503, "it is stopping; send it again", headers={"retry-after": "5"})
        if self._exchange is None or not self._exchange.reject(late):
            self.abort()

    # -- small steps ----------------------------------------------------------------------------------------------

    def _set_phase(self, phase: ConnectionPhase, seconds: float) -> None:
        self.phase = phase
        self.phase_since = time.monotonic()
        self.deadline = self.phase_since + seconds

    def _set_reading(self, reading: bool) -> None:
        if reading is self._reading or self._transport is None or self._transport.is_closing() or self._input_ended:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
