"""HTTP/1.1 connection: one request after the other, a deadline for each wait, and a response to each rejection.

An application may take a connection over with the answer to a request (`Upgraded`), and has its bytes from then on.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from enum import Enum, auto
from typing import Protocol, cast

from sprig_tui.server.connection_registry import ConnectionRegistry, owner_of
from sprig_tui.server.exchange import ClientDisconnectedError, Exchange, rejection_bytes
from sprig_tui.server.framing import BodyPart, FramingError, RequestEnd, RequestHead, RequestParser
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, Rejection, Response
from sprig_tui.server.routes import Application

MAX_BUFFERED_BYTES = 65_536
"""Body bytes that wait for the application; beyond that, reading pauses, which slows the client."""
NO_DEADLINE = float("inf")


class ConnectionPhase(Enum):
    """Phase of a connection."""

    OPENING = auto()
    """Accepted; the TLS handshake is running."""
    HEAD = auto()
    """Waiting for the headers of the first request, or of one whose first byte has arrived."""
    IDLE = auto()
    """Between two requests."""
    REQUEST = auto()
    """A request is being answered."""
    UPGRADED = auto()
    """The application has taken it over, and reads and writes another protocol."""
    LINGERING = auto()
    """The last response is sent; further bytes of the client are discarded."""
    CLOSING = auto()
    """The last response is being written."""
    CLOSED = auto()


def _too_many_error() -> HTTPRejectionError:
    return HTTPRejectionError(503, "too many connections; send it again", headers={"retry-after": "1"})


class Upgraded(Protocol):
    """Reader of a connection that speaks another protocol now.

    A client that does not read what was written for `ConnectionLimits.write_seconds` loses the connection.
    """

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""

    def pause_writing(self) -> None:
        """Write no more for now: the client has not read the last bytes yet."""

    def resume_writing(self) -> None:
        """Write again."""

    def connection_lost(self) -> None:
        """The connection is closed."""


class HttpConnection(asyncio.Protocol):
    """One connection; it exists from acceptance on, before its transport, so that it is counted."""

    def __init__(
        self,
        application: Application,
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
        """The task that runs the TLS handshake, until it is done."""
        self._application = application
        self._connections = connections
        self._limits = connections.limits
        self._on_rejection = on_rejection
        self._sender = sender
        self._secure = secure
        self._framing = RequestParser(self._limits)
        self._exchange: Exchange | None = None
        self._upgraded: Upgraded | None = None
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._input_ended = False
        """Whether the client has closed its side."""
        self._draining = False
        self._proven = False
        self._discarded_bytes = 0
        """Bytes discarded while lingering."""
        self._admitted = connections.admit(self)

    @property
    def admitted(self) -> bool:
        """Whether it is within the connection limit; otherwise it only receives 503."""
        return self._admitted

    @property
    def connected(self) -> bool:
        """Whether it has a transport, which will close the socket."""
        return self._transport is not None

    # -- the transport's side -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading; TLS is established."""
        self._transport = cast("asyncio.Transport", transport)
        if self.phase is ConnectionPhase.CLOSED:
            self._transport.abort()
            return
        # pause_writing is called as soon as a write would block; with 0, asyncio's TLS calls it for an empty buffer too
        self._transport.set_write_buffer_limits(high=1 if self._secure else 0, low=0)
        if not self._admitted:
            self._reject(_too_many_error())
            return
        self._set_phase(ConnectionPhase.HEAD, self._limits.head_seconds)
        if self._draining:
            self._close()

    def data_received(self, data: bytes) -> None:
        """Read bytes of requests; discard them after the last response."""
        if self._upgraded is not None and self.phase is ConnectionPhase.UPGRADED:
            self._upgraded.data_received(data)
            return
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
        """Answer the current request although the client closed its side (without TLS, which has no half-close)."""
        self._input_ended = True
        if self.phase is ConnectionPhase.REQUEST and self._exchange is not None:
            if self._exchange.request_complete or self._framing.pending:
                return None if self._secure else True
            self._exchange.disconnect()
        if self.phase is ConnectionPhase.CLOSING:
            return None if self._secure else True
        return None

    def pause_writing(self) -> None:
        """Start the deadline for the client to read the response."""
        self.write_deadline = time.monotonic() + self._limits.write_seconds
        if self._upgraded is not None:
            self._upgraded.pause_writing()

    def resume_writing(self) -> None:
        """Clear the deadline, and serve the next request."""
        self.write_deadline = NO_DEADLINE
        if self._upgraded is not None:
            self._upgraded.resume_writing()
        elif self.phase is ConnectionPhase.REQUEST and self._exchange is None:
            self._next_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the closed connection from the registry."""
        del exc
        self.phase = ConnectionPhase.CLOSED
        self.deadline = self.write_deadline = NO_DEADLINE
        if self._exchange is not None:
            self._exchange.disconnect()
        if self._upgraded is not None:
            self._upgraded.connection_lost()
        self._connections.remove(self)

    # -- requests -------------------------------------------------------------------------------------------------

    def _read_events(self) -> None:
        """Handle the received bytes, as far as they may be handled now."""
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
            rejection = HTTPRejectionError(error.status, error.message)
            if self._exchange is None:
                self._reject(rejection)
            else:
                self._exchange.reject(rejection)
            return
        if self.phase is ConnectionPhase.IDLE and self._framing.begun:
            self._set_phase(ConnectionPhase.HEAD, self._limits.head_seconds)
        # further requests, and body bytes beyond the buffer, stay with the system
        self._set_reading(not (self._exchange is not None and self._framing.pending))

    def _start_exchange(self, head: RequestHead) -> None:
        self._connections.mark_busy(self)
        self._set_phase(ConnectionPhase.REQUEST, NO_DEADLINE)
        self._exchange = exchange = Exchange(
            head, self._sender[0], on_continue=self._write_continue, on_body_taken=self._read_events, connection=self
        )
        exchange.closes_connection = self._draining
        task = asyncio.get_running_loop().create_task(self._answer(exchange))
        self._connections.tasks.add(task)
        task.add_done_callback(self._connections.tasks.discard)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            response = await self._application(exchange)
        except asyncio.CancelledError:
            self.abort()
            raise
        except ClientDisconnectedError:
            return
        if exchange is self._exchange and self._transport is not None and not self._transport.is_closing():
            self._transport.write(exchange.encode(response))
            self._on_response_sent(exchange, response)

    def take_over(self, response: bytes, upgraded: Upgraded) -> bool:
        """Answer the present request with these bytes, and give all further ones to `upgraded`; False if it is gone.

        For the application that answers the request; it has the connection as `Exchange.connection`. The response that
        it returns in the end is not written.
        """
        exchange = self._exchange
        if exchange is None or not exchange.body_complete or self._draining:
            return False
        if self._transport is None or self._transport.is_closing() or self._input_ended or self._framing.pending:
            return False
        self._exchange = None
        self._upgraded = upgraded
        self._set_phase(ConnectionPhase.UPGRADED, NO_DEADLINE)
        self._transport.write(response)
        self._set_reading(True)
        return True

    def write_upgraded(self, data: bytes) -> None:
        """Write bytes of the other protocol."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause_upgraded(self, paused: bool) -> None:
        """Read nothing of the other protocol for now, or again."""
        self._set_reading(not paused)

    def close_upgraded(self) -> None:
        """Close the connection after the client has read everything."""
        if self.phase is ConnectionPhase.UPGRADED:
            self._linger()

    def _write_continue(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _on_response_sent(self, exchange: Exchange, response: Response) -> None:
        self._exchange = None
        self._proven = self._proven or (response.status < 300 and exchange.head.method == "POST")
        if exchange.closes_connection or self._framing.exhausted:
            if exchange.request_complete and not self._framing.pending:
                self._close()
            else:
                self._linger()
        else:
            self._framing.start_next()
            if self.write_deadline == NO_DEADLINE:
                self._next_request()
            # else: the next request waits until the client has read this response

    def _next_request(self) -> None:
        """Wait for another request, or serve the one that has arrived."""
        self._set_phase(ConnectionPhase.IDLE, self._limits.idle_seconds)
        self._read_events()
        if self._exchange is None and self.phase in (ConnectionPhase.IDLE, ConnectionPhase.HEAD):
            if self._input_ended or self._draining:
                self._close()
            else:
                self._connections.mark_waiting(self, proven=self._proven)

    # -- the end --------------------------------------------------------------------------------------------------

    def _reject(self, error: HTTPRejectionError) -> None:
        """Send a rejection without the application, and close the connection."""
        self._on_rejection(Rejection(error.status, error.message, sender=self._sender[0]))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(rejection_bytes(error))
            self._linger()

    def _linger(self) -> None:
        """Close the connection after the client has read the response; see `ConnectionLimits.linger_seconds`."""
        assert self._transport is not None  # noqa: S101 - it was written to
        if self._input_ended:
            self._close()
            return
        self._set_phase(ConnectionPhase.LINGERING, self._limits.linger_seconds)
        self._connections.mark_waiting(self, proven=False)
        self._set_reading(True)
        if self._transport.can_write_eof() and self.write_deadline == NO_DEADLINE:
            with suppress(OSError):  # the client has disconnected
                self._transport.write_eof()

    def _close(self) -> None:
        """Close the connection after everything is written."""
        if self._transport is None:
            self.abort()
            return
        self._set_phase(ConnectionPhase.CLOSING, self._limits.write_seconds)
        self._transport.close()

    def abort(self) -> None:
        """Close the connection now."""
        if self._transport is not None:
            self._transport.abort()
            return
        self.phase = ConnectionPhase.CLOSED
        if self.handshake is not None:
            self.handshake.cancel()
        self._connections.remove(self)

    def expire(self, now: float) -> None:
        """End the phase whose deadline is over."""
        if now >= self.write_deadline or self.phase in (ConnectionPhase.OPENING, ConnectionPhase.CLOSING):
            self._connections.on_dropped("handshake" if self.phase is ConnectionPhase.OPENING else "slow reader")
            self.abort()
        elif self.phase is ConnectionPhase.HEAD:
            self._reject(HTTPRejectionError(408, "the headers did not come in time"))
        else:
            self._close()

    def evict(self) -> None:
        """Close the connection to make room for another; an incomplete request is rejected with 503."""
        if self._exchange is not None:
            if not self._exchange.reject(_too_many_error()):
                self.abort()
            return
        if self.phase is ConnectionPhase.HEAD and self._framing.begun and self._transport is not None:
            self._transport.write(rejection_bytes(_too_many_error()))
        if self._secure or self._transport is None or self.write_deadline != NO_DEADLINE:
            self.abort()  # a clean close could take long
        else:
            self._close()

    def slow_since(self) -> float:
        """Time since which it waits for its client to send or read (monotonic s); 0 if it does not."""
        if self.write_deadline != NO_DEADLINE:
            return self.write_deadline - self._limits.write_seconds
        return self._exchange.slow_since() if self._exchange is not None else 0.0

    def drain(self) -> None:
        """Close the connection as soon as the accepted request is answered."""
        self._draining = True
        if self._exchange is not None:
            self._exchange.closes_connection = True
        elif self.phase in (ConnectionPhase.HEAD, ConnectionPhase.IDLE) or (
            self.phase is ConnectionPhase.REQUEST and self._exchange is None
        ):
            self._close()

    def reject_incomplete(self) -> None:
        """Reject an incomplete request, and close the connection."""
        if self._exchange is not None and self._exchange.request_complete and self.write_deadline == NO_DEADLINE:
            return  # it is being stored
        rejection = HTTPRejectionError(503, "the server is stopping; send it again", headers={"retry-after": "5"})
        if self._exchange is None or not self._exchange.reject(rejection):
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
