"""One HTTP/1.1 connection: requests one after the other, each of its waits bounded, and every refusal told."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from enum import Enum, auto
from typing import cast

from starlette.types import ASGIApp

from sprig_tui.serving.connections import Connections, owner_of
from sprig_tui.serving.exchange import Exchange, raw_answer
from sprig_tui.serving.framing import Body, End, Framing, FramingError, Head
from sprig_tui.serving.refusals import OnRefusal, Refusal, RefusedError

BUFFERED_BYTES = 65_536
"""Of a body, before the application takes them; more are left to the system, which slows the sender."""
FOREVER = float("inf")
_TOO_MANY = "too many connections; send it again"


class Phase(Enum):
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


class Connection(asyncio.Protocol):
    """Begins at acceptance, before there is a transport, so that it is counted from there."""

    def __init__(
        self, app: ASGIApp, connections: Connections, refused: OnRefusal, sender: tuple[str, int], *, secure: bool
    ) -> None:
        self.owner = owner_of(sender[0])
        self.deadline = FOREVER
        self.write_deadline = FOREVER
        self.since = time.monotonic()
        self.phase = Phase.OPENING
        self.handshake: asyncio.Task[None] | None = None
        """The task that connects it, until it is."""
        self._app = app
        self._connections = connections
        self._limits = connections.limits
        self._refused = refused
        self._sender = sender
        self._secure = secure
        self._framing = Framing(self._limits)
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._server: tuple[str, int | None] = ("", None)
        self._reading = True
        self._ended = False
        """Whether the other side sends no more."""
        self._draining = False
        self._proven = False
        self._heard = 0
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
        if self.phase is Phase.CLOSED:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=0)  # hear of it as soon as the system takes no more
        self._server = transport.get_extra_info("sockname")[:2]
        if not self._admitted:
            self._deny(RefusedError(503, _TOO_MANY, headers={"retry-after": "1"}))
            return
        self._set(Phase.HEAD, self._limits.head_seconds)
        if self._draining:
            self._close()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self.phase is Phase.LINGERING:
            self._heard += len(data)
            if self._heard > self._limits.linger_bytes:
                self._close()
            return
        if self.phase in (Phase.CLOSING, Phase.CLOSED):
            return
        self._framing.receive(data)
        self._read()

    def eof_received(self) -> bool | None:
        """The other side sends no more; what it asked before is answered all the same (TLS knows no such half)."""
        self._ended = True
        if self.phase is Phase.REQUEST and self._exchange is not None:
            if self._exchange.complete or self._framing.pending:
                return None if self._secure else True
            self._exchange.disconnect()
        if self.phase is Phase.CLOSING:
            return None if self._secure else True
        return None

    def pause_writing(self) -> None:
        """What was written waits for its reader."""
        self.write_deadline = time.monotonic() + self._limits.write_seconds

    def resume_writing(self) -> None:
        """All of it is on its way."""
        self.write_deadline = FOREVER
        if self.phase is Phase.REQUEST and self._exchange is None:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, whoever ended it."""
        del exc
        self.phase = Phase.CLOSED
        self.deadline = self.write_deadline = FOREVER
        if self._exchange is not None:
            self._exchange.disconnect()
        self._connections.leave(self)

    # -- requests -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Take what can be taken of what came."""
        if self.phase is Phase.REQUEST and self._exchange is None:
            self._let_read(False)
            return
        try:
            while self._exchange is None or self._exchange.buffered < BUFFERED_BYTES:
                event = self._framing.next_event()
                if isinstance(event, Head):
                    self._begin(event)
                elif isinstance(event, Body):
                    cast("Exchange", self._exchange).feed(event.data)
                elif isinstance(event, End):
                    cast("Exchange", self._exchange).end()
                else:
                    break
        except FramingError as error:
            refusal = RefusedError(error.status, error.message)
            if self._exchange is None:
                self._deny(refusal)
            else:
                self._exchange.fail(refusal)
            return
        if self.phase is Phase.IDLE and self._framing.begun:
            self._set(Phase.HEAD, self._limits.head_seconds)
        # what waits behind this request, or more than is held of its body, waits outside
        self._let_read(not (self._exchange is not None and self._framing.pending))

    def _begin(self, head: Head) -> None:
        self._connections.busy(self)
        self._set(Phase.REQUEST, FOREVER)
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
        self._exchange = exchange = Exchange(head, scope, write=self._write, more=self._read)
        exchange.closes = self._draining
        task = asyncio.get_running_loop().create_task(self._answer(exchange))
        self._connections.tasks.add(task)
        task.add_done_callback(self._connections.tasks.discard)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._app(exchange.scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception:  # noqa: BLE001, S110 - the outer edge; the application told of it, and answered
            pass
        if not exchange.done and self.phase is Phase.REQUEST:
            if exchange.status:
                self.abort()
            else:
                self._exchange = None
                self._deny(RefusedError(500, "internal error; send it again"))

    def _write(self, exchange: Exchange, data: bytes, last: bool) -> None:
        if self._transport is None or self._transport.is_closing() or exchange is not self._exchange:
            return
        if data:
            self._transport.write(data)
        if last:
            self._answered(exchange)

    def _answered(self, exchange: Exchange) -> None:
        self._exchange = None
        self._proven = self._proven or (exchange.status < 300 and exchange.head.method == "POST")
        if exchange.closes or self._framing.spent:
            if exchange.complete and not self._framing.pending:
                self._close()
            else:
                self._linger()
        else:
            self._framing.start_next()
            if self.write_deadline == FOREVER:
                self._go_on()
            # else: whoever does not read its answers is served no more until it has

    def _go_on(self) -> None:
        """Await another request, or take up the one that waits."""
        self._set(Phase.IDLE, self._limits.idle_seconds)
        self._read()
        if self._exchange is None and self.phase in (Phase.IDLE, Phase.HEAD):
            if self._ended or self._draining:
                self._close()
            else:
                self._connections.free(self, proven=self._proven)

    # -- the end --------------------------------------------------------------------------------------------------

    def _deny(self, error: RefusedError) -> None:
        """Answer in the application's stead, and end."""
        self._refused(Refusal(error.status, error.message, sender=self._sender[0]))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw_answer(error))
            self._linger()

    def _linger(self) -> None:
        """End, but let the other side read the answer first: see `ConnectionLimits.linger_seconds`."""
        assert self._transport is not None  # noqa: S101 - it was written to
        if self._ended:
            self._close()
            return
        self._set(Phase.LINGERING, self._limits.linger_seconds)
        self._connections.free(self, proven=False)
        self._let_read(True)
        if self._transport.can_write_eof() and self.write_deadline == FOREVER:
            with suppress(OSError):  # it is gone, and nobody was told yet
                self._transport.write_eof()

    def _close(self) -> None:
        """End when what was written is on its way."""
        if self._transport is None:
            self.abort()
            return
        self._set(Phase.CLOSING, self._limits.write_seconds)
        self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()
            return
        self.phase = Phase.CLOSED
        if self.handshake is not None:
            self.handshake.cancel()
        self._connections.leave(self)

    def expire(self, now: float) -> None:
        """A wait is over its bound."""
        if now >= self.write_deadline or self.phase in (Phase.OPENING, Phase.CLOSING):
            self._connections.dropped("handshake" if self.phase is Phase.OPENING else "slow reader")
            self.abort()
        elif self.phase is Phase.HEAD:
            self._deny(RefusedError(408, "the headers did not come in time"))
        else:
            self._close()

    def give_way(self) -> None:
        """End, so that others find room."""
        if self._exchange is not None:
            if not self._exchange.fail(RefusedError(503, _TOO_MANY, headers={"retry-after": "1"})):
                self.abort()
            return
        if self.phase is Phase.HEAD and self._framing.begun and self._transport is not None:
            self._transport.write(raw_answer(RefusedError(503, _TOO_MANY, headers={"retry-after": "1"})))
        if self._secure or self._transport is None or self.write_deadline != FOREVER:
            self.abort()  # a close in good order could take its time
        else:
            self._close()

    def slow_since(self) -> float:
        """Since when the sender or the reader keeps it waiting."""
        if self.write_deadline != FOREVER:
            return self.write_deadline - self._limits.write_seconds
        return self._exchange.slow_since() if self._exchange is not None else 0.0

    def drain(self) -> None:
        """End as soon as what was accepted is answered."""
        self._draining = True
        if self._exchange is not None:
            self._exchange.closes = True
        elif self.phase in (Phase.HEAD, Phase.IDLE) or (self.phase is Phase.REQUEST and self._exchange is None):
            self._close()

    def cut(self) -> None:
        """Refuse what has not come in full, and end."""
        if self._exchange is not None and self._exchange.complete and self.write_deadline == FOREVER:
            return  # it is being stored
        late = RefusedError(503, "it is stopping; send it again", headers={"retry-after": "5"})
        if self._exchange is None or not self._exchange.fail(late):
            self.abort()

    # -- small steps ----------------------------------------------------------------------------------------------

    def _set(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.since = time.monotonic()
        self.deadline = self.since + seconds

    def _let_read(self, reading: bool) -> None:
        if reading is self._reading or self._transport is None or self._transport.is_closing() or self._ended:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
