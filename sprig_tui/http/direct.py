"""Direct HTTP/1.1 connections to one server, for requests that are known beforehand but for their body.

What httpx does without a proxy, in a third of its CPU for a small request and half for one of 470 KB: one coroutine
waits for one future, and the response is parsed as it arrives, by the parser that httpx uses. Its errors are httpx's.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, cast

import h11

from sprig_tui.http.lean import httpx

MAX_HEAD_BYTES = 102_400
"""Bytes of a response's status line and headers, as in httpx."""
HAPPY_EYEBALLS_DELAY_S = 0.25
"""Seconds after which the next address of a host is tried too (RFC 8305)."""
_WRITE_CHECKS = 30
"""Looks at what is left to write, for each timeout: nothing tells that a TLS connection has written all."""
_FIRST_TEXT_CODE, _LAST_TEXT_CODE = 0x20, 0x7E


class Answer:
    """Response of a request as far as it has arrived: it keeps what came before an error."""

    __slots__ = ("body", "headers", "max_body_bytes", "status")

    def __init__(self, max_body_bytes: int) -> None:
        self.status = 0
        """HTTP status; 0 until the headers are complete."""
        self.headers: Mapping[str, str] = {}
        """By lower-case name; several of one name are joined by commas."""
        self.body = bytearray()
        self.max_body_bytes = max_body_bytes


class _Connection(asyncio.Protocol):
    """One connection, with at most one request at a time."""

    def __init__(self, timeout_s: float, request: h11.Request) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._request = request
        self._socket_transport: asyncio.Transport
        self._transport: asyncio.Transport
        """With TLS the encrypted one; else the same."""
        self._timer: asyncio.TimerHandle
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._answer: Answer | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        """Of the current request; the transport's end is no error of anybody before the first."""
        self._done.set_result(None)
        self._is_writing = False
        self._phase_ends_at = 0.0
        self._is_fresh = True
        """Whether no request was sent yet."""
        self._early_bytes = 0
        """Bytes that came before the first request."""
        self._spoke_first = False
        """Whether some did, so that what comes may not be the response to the request."""
        self.idle_since = 0.0
        self.closed: asyncio.Future[None] = self._loop.create_future()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt the connection; `host` must stand in the server's certificate."""
        encrypted = await self._loop.start_tls(
            self._socket_transport,
            self,
            context,
            server_hostname=host,
            ssl_handshake_timeout=2 * self._timeout_s,  # the caller's comes first
        )
        self._transport = cast("asyncio.Transport", encrypted)

    async def exchange(self, message: bytes, answer: Answer) -> bool:
        """Write a request and read its response into `answer`; whether the connection can be used once more."""
        # the parser only has to know that a request was sent: this one stands for each
        self._parser.send(self._request)
        self._parser.send(h11.EndOfMessage())
        if self._is_fresh:
            # what can be read of a TLS connection may be records of its own, such as tickets
            is_plain = self._transport is self._socket_transport
            self._spoke_first = bool(self._early_bytes) or (is_plain and self._is_readable())
        self._answer, self._is_fresh = answer, False
        self._done = self._loop.create_future()
        if self._early_bytes:
            self._early_bytes = 0
            self._parse(answer, None)
        if self.closed.done() or self._transport.is_closing():
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
        self._transport.write(message)
        self._is_writing = self._has_unsent()
        self._start_phase()
        self._timer = self._loop.call_at(self._next_check_at(), self._on_timer)
        try:
            await self._done
        finally:
            self._timer.cancel()
            self._answer = None
        if self._has_unsent() or self._transport.is_closing() or self._parser.trailing_data[0] or self._spoke_first:
            return False
        if self._parser.our_state is not h11.DONE or self._parser.their_state is not h11.DONE:
            return False
        self._parser.start_next_cycle()
        self.idle_since = self._loop.time()
        return True

    def is_usable(self) -> bool:
        """Whether an idle connection is still open: the server may have closed it just now."""
        if self._transport.is_closing() or self.closed.done():
            return False
        return not self._is_readable()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # -- called by the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket_transport = self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._is_fresh and self._early_bytes < MAX_HEAD_BYTES:
            # a server of another protocol may speak first; later such bytes would be taken for the next response
            self._early_bytes += len(data)
            self._parser.receive_data(data)
            return
        if self._answer is None or self._done.done():
            self.abort()  # nothing was asked
            return
        if not self._is_writing:
            self._start_phase()
        self._parse(self._answer, data)

    def eof_received(self) -> None:
        if self._answer is None or self._done.done():
            return
        if not self._answer.status:
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
        else:
            self._parse(self._answer, b"")

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._fail(httpx.ReadError(str(error)), error)
        if not self.closed.done():
            self.closed.set_result(None)

    # -- one request --------------------------------------------------------------------------------------------------

    def _parse(self, answer: Answer, data: bytes | None) -> None:
        try:
            if data is not None:
                self._parser.receive_data(data)
            while not self._done.done():
                event = self._parser.next_event()
                if event is h11.NEED_DATA:
                    return
                if isinstance(event, h11.Data):
                    room = answer.max_body_bytes - len(answer.body)
                    answer.body += event.data[:room]
                    if len(event.data) > room:
                        self._done.set_result(None)  # the rest is not read, so that the connection is not reused
                elif isinstance(event, h11.Response) or getattr(event, "status_code", 0) == 101:
                    response = cast("h11.Response", event)
                    if self._spoke_first and not _tells_of_trouble(response.status_code):
                        self._fail(httpx.RemoteProtocolError("Server sent a response before the request."))
                        return
                    answer.headers, answer.status = _join_headers(response.headers), response.status_code
                elif not isinstance(event, h11.InformationalResponse):
                    self._done.set_result(None)
        except h11.RemoteProtocolError as error:
            self._fail(httpx.RemoteProtocolError(str(error)), error)

    def _fail(self, error: httpx.HTTPError, cause: BaseException | None = None) -> None:
        error.__cause__ = cause
        if not self._done.done():
            self._done.set_exception(error)

    def _is_readable(self) -> bool:
        return _is_readable(self._socket_transport.get_extra_info("socket").fileno())

    def _has_unsent(self) -> bool:
        return self._socket_transport.get_write_buffer_size() > 0

    def _start_phase(self) -> None:
        self._phase_ends_at = self._loop.time() + self._timeout_s

    def _next_check_at(self) -> float:
        if not self._is_writing:
            return self._phase_ends_at
        return min(self._phase_ends_at, self._loop.time() + self._timeout_s / _WRITE_CHECKS)

    def _on_timer(self) -> None:
        if self._is_writing and not self._has_unsent():
            self._is_writing = False
            self._start_phase()
        if self._loop.time() >= self._phase_ends_at:
            self._fail(httpx.WriteTimeout("") if self._is_writing else httpx.ReadTimeout(""))
        else:
            self._timer = self._loop.call_at(self._next_check_at(), self._on_timer)


class DirectPoster:
    """Sends requests with POST to one URL, over at most `connections` connections.

    `timeout_s` is seconds for each phase: waiting for a connection, connecting, TLS, writing, each read. A connection
    is used once more within `keep_alive_s`.
    """

    def __init__(
        self,
        url: httpx.URL,
        headers: Mapping[str, str],
        context: ssl.SSLContext | None,
        *,
        timeout_s: float,
        connections: int,
        keep_alive_s: float,
    ) -> None:
        # with a Host of ours, as httpx refuses names that IDNA 2008 does not know
        named = {"Host": url.netloc.decode("ascii"), **headers}
        template = httpx.Request("POST", url, headers=named, content=b"")
        lines = [
            b"%b: %b\r\n" % (name, value) for name, value in template.headers.raw if name.lower() != b"content-length"
        ]
        self._head = b"POST %b HTTP/1.1\r\n" % url.raw_path + b"".join(lines)
        self._request = h11.Request(method="POST", target=url.raw_path, headers=template.headers.raw)
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or (80 if context is None else 443)
        self._context = context
        if context is not None:
            context.set_alpn_protocols(["http/1.1"])
        self._timeout_s = timeout_s
        self._keep_alive_s = keep_alive_s
        self._slots = asyncio.Semaphore(connections)
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []

    async def post(self, content: Sequence[bytes], headers: Mapping[str, str], answer: Answer) -> None:
        """Send the joined `content`, with these headers more. Raises httpx.HTTPError; `answer` keeps what arrived."""
        message = self._encode(content, headers)
        await self._reserve_slot()
        try:
            connection = self._take_idle() or await self._connect()
            try:
                is_reusable = await connection.exchange(message, answer)
            except BaseException:
                connection.abort()
                raise
            if is_reusable:
                self._idle.append(connection)
            else:
                connection.abort()
        finally:
            self._slots.release()

    async def aclose(self) -> None:
        """Close all connections."""
        self._idle.clear()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await asyncio.wait([connection.closed for connection in self._open])

    def _encode(self, content: Sequence[bytes], headers: Mapping[str, str]) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines and not all(_FIRST_TEXT_CODE <= ord(char) <= _LAST_TEXT_CODE for char in "".join(headers.values())):
            raise httpx.LocalProtocolError("Illegal header value")
        length = sum(map(len, content))
        # joined at once: each `+` would copy the whole body
        return b"".join((self._head, f"{lines}Content-Length: {length}\r\n\r\n".encode(), *content))

    async def _reserve_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("") from error

    def _take_idle(self) -> _Connection | None:
        expired = asyncio.get_running_loop().time() - self._keep_alive_s
        while self._idle and self._idle[0].idle_since < expired:
            self._idle.pop(0).abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        timeout = asyncio.timeout(self._timeout_s)
        try:
            async with timeout:
                sock = await _open_socket(self._host, self._port)
                _, connection = await loop.create_connection(
                    partial(_Connection, self._timeout_s, self._request), sock=sock
                )
        except OSError as error:
            raise (httpx.ConnectTimeout if timeout.expired() else httpx.ConnectError)(str(error)) from error
        if self._context is not None:
            timeout = asyncio.timeout(self._timeout_s)
            try:
                async with timeout:
                    await connection.start_tls(self._context, self._host)
            except OSError as error:
                connection.abort()
                raise (httpx.ConnectTimeout if timeout.expired() else httpx.ConnectError)(str(error)) from error
            except BaseException:
                connection.abort()
                raise
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection


async def _open_socket(host: str, port: int) -> socket.socket:
    """A socket connected to the first address of the host that answers. Raises OSError, with each address's as causes.

    `create_connection` tells the causes apart only from Python 3.12 on.
    """
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def connect(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    families: dict[int, list[partial[Coroutine[Any, Any, socket.socket]]]] = {}
    for family, kind, protocol, _, address in addresses:
        families.setdefault(family, []).append(partial(connect, family, kind, protocol, address))
    # in turn, so that a family without a route does not keep the other waiting behind all of its addresses
    attempts = [attempt for turn in zip_longest(*families.values()) for attempt in turn if attempt is not None]
    if len(attempts) == 1:
        return await attempts[0]()
    winner, _, errors = await staggered_race(attempts, HAPPY_EYEBALLS_DELAY_S)
    if winner is None:
        causes = [error for error in errors if isinstance(error, Exception)]
        raise OSError("no address could be connected to") from ExceptionGroup("each address", causes)
    return cast("socket.socket", winner)


def _tells_of_trouble(status: int) -> bool:
    """Whether a server can say this without having read a request: it is overloaded, say, or has waited too long."""
    return status in (408, 429) or status >= 500


def _is_readable(fileno: int) -> bool:
    """Whether there is something to read, or the end of the connection."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([fileno], [], [], 0)[0])


def _join_headers(headers: h11._headers.Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii"), _decode(raw_value)
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
