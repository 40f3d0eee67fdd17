"""Direct connections: each test runs over httpx too, and what comes out is the same."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest
from support.certificates import self_signed

from sprig_tui.http import direct
from sprig_tui.http.direct import Answer, DirectPoster
from sprig_tui.http.errors import describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.poster import HttpxPoster, Poster

PATIENCE_S = 20.0
KEEP_ALIVE_S = 15.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Handler = Callable[["Peer"], Awaitable[None]]


class Peer:
    """Server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number = reader, writer, number
        """`number` counts connections from 1."""

    async def request(self) -> bytes:
        """The next request, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + await self.reader.readexactly(int(lengths[0].split(b":")[1]))

    async def reply(self, *parts: bytes) -> None:
        """Write these, each when the one before has left."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()


class Server:
    """A server whose connections a handler serves."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.context = context
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        try:
            await self._handler(Peer(reader, writer, self.connections))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Contexts of server and client; None without TLS."""
    if request.param == "http":
        return None
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server, ssl.create_default_context(cafile=certificate[0])


MakePoster = Callable[..., Poster]


@pytest.fixture(params=["direct", "httpx"])
async def make_poster(request: pytest.FixtureRequest) -> AsyncIterator[MakePoster]:
    made: list[Poster] = []

    def make(
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        host: str = "127.0.0.1",
        timeout_s: float = PATIENCE_S,
        connections: int = 4,
    ) -> Poster:
        url = httpx.URL(f"{'http' if context is None else 'https'}://{host}:{port}/v1/batch")
        headers = {"User-Agent": "a", "Authorization": "Basic x"}
        if request.param == "direct":
            made.append(
                DirectPoster(
                    url, headers, context, timeout_s=timeout_s, connections=connections, keep_alive_s=KEEP_ALIVE_S
                )
            )
            return made[-1]
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEP_ALIVE_S
        )
        transport = httpx.AsyncHTTPTransport(
            limits=limits, trust_env=False, verify=context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        made.append(HttpxPoster(url, headers, transport, timeout_s))
        return made[-1]

    yield make
    for poster in made:
        await poster.aclose()


async def post(
    poster: Poster, *content: bytes, headers: dict[str, str] | None = None, timeout_s: float = PATIENCE_S
) -> tuple[int, bytes, str]:
    """Status, body, and what a person is told of an error."""
    answer = Answer(1000)
    error = ""
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            await poster.post(content or (b"{}",), headers or {}, answer)
    except httpx.HTTPError as raised:
        error = describe_error(raised, host="127.0.0.1", timeout_s=timeout_s)
    return answer.status, bytes(answer.body), error


async def test_request_is_written_as_it_is_meant(tls, make_poster):
    seen: list[bytes] = []

    async def handler(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.reply(OK)

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        assert await post(poster, b"ab", b"", b"c") == (200, b"{}", "")
        assert await post(poster, b"", headers={"X-Retry-Count": "3"}) == (200, b"{}", "")
        assert server.connections == 1
    for request, body, more in ((seen[0], b"abc", set()), (seen[1], b"", {b"x-retry-count: 3"})):
        head, _, rest = request.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert line == b"POST /v1/batch HTTP/1.1"
        assert {one.split(b": ", 1)[0].lower() + b": " + one.split(b": ", 1)[1] for one in headers} == {
            b"host: 127.0.0.1:%d" % server.port,
            b"user-agent: a",
            b"authorization: Basic x",
            b"content-length: %d" % len(body),
            *more,
        }
        assert rest == body


@pytest.mark.parametrize(
    ("parts", "expected", "reused"),
    [
        ([OK], (200, b"{}", ""), True),
        ([OK[at : at + 1] for at in range(len(OK))], (200, b"{}", ""), True),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b"", ""), True),
        ([b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"], (200, b"{}", ""), True),
        ([b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"], (200, b"", ""), True),
        (
            [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", OK],
            (200, b"{}", ""),
            True,
        ),
        (
            [b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"3;x=y\r\nabc\r\n0\r\nZ: z\r\n\r\n"],
            (503, b"{}abc", ""),
            True,
        ),
        ([b"HTTP/1.1 429 Slow\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"], (429, b"{}", ""), False),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"], (200, b"{}", ""), False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"a" * 5000], (200, b"a" * 1000, ""), False),
    ],
    ids=[
        "whole",
        "byte by byte",
        "empty",
        "bare line feeds",
        "no phrase",
        "informational",
        "chunked",
        "close",
        "1.0",
        "huge",
    ],
)
async def test_response(parts, expected, reused, tls, make_poster):
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.reply(*parts)

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        assert await post(poster) == expected
        assert await post(poster) == expected
        assert server.connections == (1 if reused else 2)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (b"", (0, b"", "connection closed without an answer")),
        (b"HTTP/1.1 200 OK\r\nContent-", (0, b"", "connection closed without an answer")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", (200, b"{}", "connection closed without an answer")),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", (200, b"until the end", "")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (200, b"", "answer is not http")),
        (b"220 mail.example ESMTP\r\n\r\n", (0, b"", "answer is not http")),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nx", (0, b"", "answer is not http")),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 300_000, (0, b"", "answer is not http")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", (0, b"", "answer is not http")),
    ],
    ids=[
        "nothing",
        "half a head",
        "half a body",
        "no length",
        "bad chunk",
        "another protocol",
        "switched",
        "huge head",
        "two lengths",
    ],
)
async def test_response_that_ends_or_is_none(part, expected, tls, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(part)

    async with Server(handler, tls and tls[0]) as server:
        assert await post(make_poster(server.port, tls and tls[1])) == expected


async def test_headers_of_a_response(make_poster):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(
            b"HTTP/1.1 429 No\r\nRetry-After: 5\r\nRETRY-AFTER: 10\r\nX: caf\xc3\xa9\r\nY: caf\xe9\r\n\r\n"
        )

    async with Server(handler) as server:
        answer = Answer(10)
        await make_poster(server.port).post((b"{}",), {}, answer)
    assert (answer.status, answer.headers["retry-after"]) == (429, "5, 10")
    assert answer.headers.get("location", "none") == "none"
    assert answer.headers["x"].startswith("caf")


async def test_connection_that_the_server_closed_meanwhile_is_replaced(tls, make_poster):
    closed = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(OK)
        if peer.number == 1:
            peer.writer.transport.abort()
            closed.set()
        else:
            await peer.request()

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        assert await post(poster) == (200, b"{}", "")
        await closed.wait()
        assert await post(poster) == (200, b"{}", "")
        assert server.connections == 2


async def test_server_that_speaks_first(make_poster):
    async def handler(peer: Peer) -> None:
        await peer.reply(b"220 mail.example ESMTP\r\n\r\n")
        await peer.reader.read()

    async with Server(handler) as server:
        poster = make_poster(server.port)
        assert await post(poster) == (0, b"", "answer is not http")
        assert await post(poster) == (0, b"", "answer is not http")


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", (0, b"", "answer came before the request")),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}", (0, b"", "answer came before the request")),
        (b"HTTP/1.1 200 OK\r\nContent-", (0, b"", "answer came before the request")),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", (503, b"busy", "")),
    ],
    ids=["success", "refusal", "half a head", "busy"],
)
@pytest.mark.parametrize("make_poster", ["direct"], indirect=True)  # httpx takes it for the response
async def test_response_before_the_request_is_not_one_to_it(early, expected, make_poster, monkeypatch):
    """Nor does each request after it get the response to the one before."""
    said = asyncio.Semaphore(0)
    open_socket = direct._open_socket

    async def open_and_listen(host: str, port: int) -> socket.socket:
        opened = await open_socket(host, port)
        await said.acquire()
        return opened

    async def handler(peer: Peer) -> None:
        await peer.reply(early)
        said.release()
        if early.endswith(b"-"):
            await peer.request()
            await peer.reply(b"Length: 0\r\n\r\n")
        while True:
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            await peer.reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    monkeypatch.setattr(direct, "_open_socket", open_and_listen)
    async with Server(handler) as server:
        poster = make_poster(server.port)
        assert [await post(poster) for _ in range(3)] == [expected] * 3
        assert server.connections == 3


@pytest.mark.parametrize("make_poster", ["direct"], indirect=True)
async def test_records_of_tls_before_the_request_are_no_response(certificate, make_poster, monkeypatch):
    """Such as the tickets that a server sends when the handshake is over."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(OK)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    monkeypatch.setattr(direct, "_is_readable", lambda _: True)
    async with Server(handler, context) as server:
        poster = make_poster(server.port, ssl.create_default_context(cafile=certificate[0]))
        assert await post(poster) == (200, b"{}", "")


async def test_response_to_an_idle_connection_is_nobodys(tls, make_poster):
    sent = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(OK)
        if peer.number == 1:
            await asyncio.sleep(0)
            await peer.reply(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            sent.set()
        await peer.request()
        await peer.reply(OK)

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        assert await post(poster) == (200, b"{}", "")
        await sent.wait()
        if isinstance(poster, DirectPoster):  # httpx takes it for the next response
            assert await post(poster) == (200, b"{}", "")
            assert server.connections == 2


async def test_bytes_that_nobody_asked_for_are_no_response(make_poster):
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.reply(OK + (b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n" if peer.number == 1 else b""))

    async with Server(handler) as server:
        poster = make_poster(server.port)
        assert await post(poster) == (200, b"{}", "")
        if isinstance(poster, DirectPoster):  # httpx takes them for the next response
            assert await post(poster) == (200, b"{}", "")
            assert server.connections == 2


LARGE = b"x" * 40_000_000
"""More than the buffers of a connection hold."""


async def test_response_before_all_is_written_ends_the_request(make_poster):
    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if peer.number == 1:
            await peer.reply(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            while await peer.reader.read(65_536):
                pass
        else:
            await peer.reply(OK)

    async with Server(handler) as server:
        poster = make_poster(server.port)
        assert (await post(poster, LARGE))[0] == 413
        assert (await post(poster))[0] == 200
        assert server.connections == 2


async def test_connection_with_half_a_request_is_not_reused(tls, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if peer.number == 1:
            peer.writer.transport.pause_reading()
            await peer.reply(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await asyncio.Event().wait()
        await peer.reply(OK)

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        if isinstance(poster, DirectPoster):  # httpx writes until it may no longer
            assert await post(poster, LARGE) == (413, b"", "")
            assert await post(poster) == (200, b"{}", "")
            assert server.connections == 2


async def test_server_that_takes_nothing_more(tls, make_poster):
    async def handler(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1], timeout_s=0.5)
        assert await post(poster, LARGE, timeout_s=0.5) == (0, b"", "request not taken within 0.5 s")


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"])
async def test_server_that_says_nothing_more(part, tls, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(part)
        await asyncio.Event().wait()

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1], timeout_s=0.5)
        status, body, error = await post(poster, timeout_s=0.5)
    assert (status, body) == ((200, b"{}") if part else (0, b""))
    assert error == "no answer within 0.5 s"


async def test_server_that_does_not_finish_tls(certificate, make_poster):
    async def handler(peer: Peer) -> None:
        await asyncio.Event().wait()

    async with Server(handler) as server:
        poster = make_poster(server.port, ssl.create_default_context(cafile=certificate[0]), timeout_s=0.5)
        assert await post(poster, timeout_s=0.5) == (0, b"", "no connection within 0.5 s")


async def test_server_without_tls_or_with_another_name(certificate, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.reply(b"HTTP/1.1 400 Bad\r\n\r\n")

    context = ssl.create_default_context(cafile=certificate[0])
    async with Server(handler) as server:
        status, _, error = await post(make_poster(server.port, context))
        assert (status, error) == (0, "tls failed: wrong version number")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*certificate)
    async with Server(handler, made) as server:
        for poster in (
            make_poster(server.port, context, host="localhost"),
            make_poster(server.port, ssl.create_default_context()),
        ):
            status, _, error = await post(poster)
            assert (status, error.partition(":")[0]) == (0, "certificate of 127.0.0.1 not trusted")


async def test_no_more_connections_than_allowed_and_one_that_waits_in_vain(make_poster):
    free = asyncio.Event()

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await free.wait()
            await peer.reply(OK)

    async with Server(handler) as server:
        poster = make_poster(server.port, connections=2, timeout_s=1.0)
        first, second, third = await asyncio.gather(*(post(poster, timeout_s=1.0) for _ in range(3)))
        assert sorted((first, second, third)) == [
            (0, b"", "no answer within 1 s"),
            (0, b"", "no answer within 1 s"),
            (0, b"", "no free connection within 1 s"),
        ]
        free.set()
        assert await asyncio.gather(*(post(poster) for _ in range(12))) == [(200, b"{}", "")] * 12
        assert server.connections <= 5


async def test_cancelled_request_closes_its_connection(tls, make_poster):
    asked, ended = asyncio.Event(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            asked.set()
            await peer.reader.read()
            ended.set()
        await peer.reply(OK)

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1], connections=1)
        task = asyncio.create_task(post(poster))
        await asked.wait()
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        assert await post(poster) == (200, b"{}", "")


async def test_closing_ends_what_is_under_way(tls, make_poster):
    asked = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.reader.read()

    async with Server(handler, tls and tls[0]) as server:
        poster = make_poster(server.port, tls and tls[1])
        task = asyncio.create_task(post(poster))
        await asked.wait()
        await poster.aclose()
        async with asyncio.timeout(PATIENCE_S):
            status, body, error = await task
        assert (status, body) == (0, b"")
        assert error in ("connection reset", "tls failed: protocol error")


@pytest.mark.parametrize("value", ["a\r\nInjected: b", "a\nb", "a\0b"])
async def test_header_with_a_line_break_is_not_sent(value, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(OK)

    async with Server(handler) as server:
        poster = make_poster(server.port)
        status, _, error = await post(poster, headers={"Authorization": value})
        assert (status, error) == (0, "network error (LocalProtocolError)")


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a name resolve to these addresses of 127.0.0.0/8."""

    def change(*addresses: str) -> None:
        def found(host: object, port: object, *_: object, **__: object) -> list[tuple[object, ...]]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, int(str(port)))) for one in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", found)

    return change


async def test_each_address_of_a_host_is_tried(resolve, make_poster):
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.reply(OK)

    resolve("127.0.0.2", "127.0.0.3", "127.0.0.1")
    async with Server(handler) as server:
        assert await post(make_poster(server.port, host="segment.example")) == (200, b"{}", "")
    assert await post(make_poster(server.port, host="segment.example")) == (0, b"", "connection refused")
    resolve("127.0.0.2")
    assert await post(make_poster(server.port, host="segment.example")) == (0, b"", "connection refused")


@pytest.mark.parametrize("host", ["xn--ls8h.example", "xn--zzzzzz.example", "a_b.example"])
@pytest.mark.parametrize("make_poster", ["direct"], indirect=True)  # httpx makes no request to the first two
async def test_host_name_is_used_as_it_is(host, resolve, make_poster):
    """Also one that IDNA 2008 does not know, such as that of an emoji."""
    seen: list[bytes] = []

    async def handler(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.reply(OK)

    resolve("127.0.0.1")
    async with Server(handler) as server:
        assert await post(make_poster(server.port, host=host)) == (200, b"{}", "")
        assert f"\r\nHost: {host}:{server.port}\r\n".encode() in seen[0]


@pytest.mark.parametrize("make_poster", ["direct"], indirect=True)  # httpx leaves it open
async def test_cancelled_connecting_leaves_no_socket(certificate, make_poster):
    met, ended = asyncio.Event(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.reader.readexactly(1)  # the beginning of TLS
        met.set()
        while await peer.reader.read(65_536):
            pass
        ended.set()

    async with Server(handler) as server:
        poster = make_poster(server.port, ssl.create_default_context(cafile=certificate[0]))
        task = asyncio.create_task(post(poster))
        await met.wait()
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()


async def test_expired_connection_is_not_reused(monkeypatch, make_poster):
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.reply(OK)

    async with Server(handler) as server:
        poster = make_poster(server.port)
        await asyncio.gather(*(post(poster) for _ in range(3)))
        before = server.connections
        if not isinstance(poster, DirectPoster):
            return
        for connection in poster._idle:
            connection.idle_since -= KEEP_ALIVE_S + 1
        assert await post(poster) == (200, b"{}", "")
        assert server.connections == before + 1
        assert len(poster._idle) == 1


async def test_polling_a_socket_without_poll(monkeypatch):
    one, other = socket.socketpair()
    with one, other:
        for _ in range(2):
            assert not direct._is_readable(one.fileno())
            other.send(b"a")
            assert direct._is_readable(one.fileno())
            one.recv(1)
            monkeypatch.delattr(direct.select, "poll", raising=False)
