"""The fake Segment as an HTTP server: keep-alive, unusual clients, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink import Sink, Timeouts, serve
from sprig_tui.segment.sink.connection import SinkProtocol

Talk = Callable[..., Awaitable[bytes]]
BODY = json.dumps({"batch": [{"type": "track", "userId": "a", "event": "e"}], "writeKey": "k" * 32}).encode()
OK = b'{"success":true}'


def request(body: bytes = BODY, *headers: str, length: int | None = None) -> bytes:
    lines = ["POST /v1/batch HTTP/1.1", "Host: a", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


async def test_keep_alive_and_pipelining(talk: Talk) -> None:
    async with Sink() as sink:
        answer = await talk(sink.port, request() * 5, expect=5)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 5
    assert sink.stats.connections == 1
    assert {seen.connection for seen in sink.requests} == {1}


async def test_request_in_small_chunks(talk: Talk) -> None:
    whole = request() * 3
    async with Sink() as sink:
        answer = await talk(sink.port, *(whole[n : n + 7] for n in range(0, len(whole), 7)), expect=3)
    assert answer.count(OK) == 3


async def test_connection_close_is_honoured(talk: Talk) -> None:
    async with Sink() as sink:
        assert (await talk(sink.port, request(BODY, "Connection: close"))).endswith(OK)
        assert (await talk(sink.port, request().replace(b"HTTP/1.1", b"HTTP/1.0"))).endswith(OK)


async def test_half_closed_client_gets_a_reply() -> None:
    async with Sink() as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(request())
        writer.write_eof()
        assert (await reader.read()).endswith(OK)
        writer.close()
    assert sink.stats.bad_requests == 0


async def test_chunked_body_and_the_next_request(talk: Talk) -> None:
    head = b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:])) + b"0\r\n\r\n"
    async with Sink() as sink:
        answer = await talk(sink.port, head + chunks + request() + head + chunks, expect=3)
    assert answer.count(OK) == 3
    assert sink.stats.accepted == 3


async def test_expect_100_continue_is_answered() -> None:
    async with Sink() as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(request(b"", "Expect: 100-continue", length=len(BODY)))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
        writer.write(BODY)
        assert (await reader.readuntil(OK)).startswith(b"HTTP/1.1 200 OK")
        writer.write(request(b"", "Expect: 100-continue", length=500_001))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request")
        writer.close()


async def test_oversize_body_is_rejected_before_it_is_read(talk: Talk) -> None:
    async with Sink() as sink:
        declared = await talk(sink.port, request(b"{", length=10**12))
        chunk = b"%x\r\n%s\r\n" % (100_000, b" " * 100_000)
        chunked = await talk(
            sink.port, b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 6
        )
    for answer in (declared, chunked):
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Connection: close" in answer
        assert b"larger than 500,000 bytes" in answer
    assert dict(sink.stats.statuses) == {"400": 2}


async def test_client_that_keeps_sending_gets_the_reply(talk: Talk) -> None:
    async with Sink() as sink:
        answer = await talk(sink.port, request(b" " * 3_000_000))
    assert b"larger than 500,000 bytes" in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"POST /v1/batch HTTP/1.1\r\n\r\n", 400),
        (b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
async def test_request_that_is_not_http_is_rejected(sent: bytes, status: int, talk: Talk) -> None:
    async with Sink() as sink:
        answer = await talk(sink.port, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (sink.stats.bad_requests, sink.stats.requests) == (1, 0)


async def test_truncated_body_is_no_request() -> None:
    async with Sink() as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(request(BODY, length=len(BODY) + 1))
        writer.write_eof()
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert (sink.stats.bad_requests, sink.stats.accepted) == (1, 0)


async def test_slow_client_is_disconnected(talk: Talk) -> None:
    async with Sink(timeouts=Timeouts(idle_s=0.05, body_s=0.05)) as sink:
        assert (await talk(sink.port, request(b"{", length=10))).startswith(b"HTTP/1.1 408 ")
        assert (await talk(sink.port, b"POST /v1/ba")).startswith(b"HTTP/1.1 408 ")
        assert await talk(sink.port) == b"", "an idle connection ends without a word"
        assert (await talk(sink.port, request())).endswith(OK)
    assert sink.stats.bad_requests == 2


async def test_close_with_open_connections_and_requests() -> None:
    sink = Sink(faults=["hang@1", "slow=60@2"])
    async with sink:
        clients = [await asyncio.open_connection("127.0.0.1", sink.port) for _ in range(4)]
        for (_, writer), sent in zip(clients, (b"", request(), request(), request()[:30]), strict=True):
            writer.write(sent)
        await sink.wait_until(lambda stats: stats.requests == 2 and stats.connections == 4)
    for reader, writer in clients:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()
    assert sink.stats.open_connections == 0
    await sink.close()


async def test_restart_uses_the_same_port(talk: Talk) -> None:
    sink = Sink()
    await sink.start()
    port = sink.port
    await sink.close()
    await sink.start()
    assert sink.port == port
    assert (await talk(port, request(), expect=1)).endswith(OK)
    await sink.close()


async def test_port_in_use_is_a_config_error() -> None:
    async with Sink() as sink:
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1 port {sink.port}"):
            await Sink(port=sink.port).start()
    for port in (70_000, -1):
        with pytest.raises(ConfigError, match="cannot listen"):
            await Sink(port=port).start()
    with pytest.raises(ConfigError, match="cannot listen"):
        await Sink(host="no-such-host.invalid").start()


async def test_sink_listens_on_loopback_only() -> None:
    async with Sink() as sink:
        assert sink.url == f"http://127.0.0.1:{sink.port}"
    assert Sink(host="::1", port=8080).url == "http://[::1]:8080"


async def test_serve_runs_until_stop_is_set(talk: Talk) -> None:
    stop, ready, seen = asyncio.Event(), asyncio.Queue[Sink](), []
    task = asyncio.create_task(serve(Sink(on_request=seen.append), stop=stop, on_ready=ready.put_nowait))
    sink = await ready.get()
    assert (await talk(sink.port, request(), expect=1)).endswith(OK)
    stop.set()
    await task
    assert [(one.number, one.status, one.accepted) for one in seen] == [(1, 200, 1)]
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        await talk(sink.port)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
async def test_garbage_does_not_affect_the_next_client(talk: Talk, garbage: bytes) -> None:
    async with Sink(timeouts=Timeouts(idle_s=5, body_s=5)) as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(garbage)
        writer.write_eof()
        await reader.read()
        writer.close()
        assert (await talk(sink.port, request(), expect=1)).endswith(OK)


async def test_send_fails_at_once_after_the_connection_broke() -> None:
    """A long reply must not go on in one breath: asyncio reports the end only when the event loop runs again."""
    opened: asyncio.Queue[SinkProtocol] = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(
        lambda: SinkProtocol(opened.put_nowait, lambda _: None), "127.0.0.1", 0
    )
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        protocol = await opened.get()
        protocol.abort()
        with pytest.raises(ConnectionResetError):
            await protocol.send(b"x")
        writer.close()
