"""Connections at their limits: deadlines, evictions and shutdown."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from sprig_tui.server import acceptor
from sprig_tui.server.connection_registry import owner_of
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import Rejection, Response, json_response
from sprig_tui.server.routes import Route, Routes
from sprig_tui.server.server import RunningServer, bind, running_server
from sprig_tui.server.tls import tls_context

GET = b"GET /now HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = b"x" * 3_000_000


class Served(NamedTuple):
    up: RunningServer
    port: int
    refusals: list[Rejection]
    registry: CollectorRegistry
    go: asyncio.Event

    async def connect(self, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None):
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0), ssl=tls)

    async def ask(self, raw: bytes = GET, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> bytes:
        """All of the answer to a request whose connection then ends."""
        reader, writer = await self.connect(source, tls)
        writer.write(raw.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        try:
            return await reader.read()
        finally:
            writer.close()

    def dropped(self, cause: str) -> float:
        return self.registry.get_sample_value("sprig_tui_http_connections_dropped_total", {"cause": cause}) or 0.0

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.005)


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(tls: ssl.SSLContext | None = None, **limits: float) -> Served:
            go, refusals, registry = asyncio.Event(), [], CollectorRegistry()

            async def later(exchange: Exchange) -> Response:
                size = 0
                while part := await exchange.read():
                    size += len(part)
                await go.wait()
                return json_response({"bytes": size})

            async def now(_: Exchange) -> Response:
                return json_response({"now": True})

            async def large(_: Exchange) -> Response:
                return Response(LARGE)

            traffic = TrafficMetrics(registry, on_rejection=refusals.append)
            routes = [
                Route("/later", later, "POST"),
                Route("/now", now),
                Route("/large", large),
            ]
            bound = bind("127.0.0.1", 0)
            port = bound.getsockname()[1]
            app = Routes(routes, {}, traffic.record_rejection)
            up = await stack.enter_async_context(
                running_server(app, bound, ConnectionLimits(**limits), tls, traffic=traffic)
            )
            return Served(up, port, refusals, registry, go)

        yield start


async def test_connections_without_a_request_are_evicted(serve):
    served = await serve(connections=20)
    held = [await served.connect() for _ in range(100)]
    assert (await served.ask()).startswith(b"HTTP/1.1 200 ")
    assert len(served.up.connections) <= 20
    assert served.dropped("crowded") >= 80
    for _, writer in held:
        writer.close()


async def test_address_with_most_connections_is_evicted_first(serve):
    served = await serve(connections=20)
    reader, writer = await served.connect("127.0.0.2")
    await served.until(lambda: len(served.up.connections) == 1)
    held = [await served.connect() for _ in range(60)]
    writer.write(GET)
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    for _, other in (*held, (reader, writer)):
        other.close()


async def test_slowest_body_is_evicted_at_the_limit(serve):
    served = await serve(connections=2)
    slow = []
    for _ in range(2):
        before = set(served.up.connections.members)
        slow.append(await served.connect())
        slow[-1][1].write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        members = served.up.connections.members
        await served.until(lambda: any(member.slow_since() for member in members - before))  # noqa: B023 - awaited here
        for member in members:
            member._exchange.waiting_since -= 2.0
    assert (await served.ask()).startswith(b"HTTP/1.1 200 ")
    assert (await slow[0][0].read()).startswith(b"HTTP/1.1 503 ")
    assert sum(member.slow_since() > 0 for member in served.up.connections.members) == 1, "the other is waited for"
    for _, writer in slow:
        writer.close()


async def slow_bodies(served: Served, number: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Senders of bodies that began two seconds ago, by our clock."""
    held = []
    for _ in range(number):
        held.append(await served.connect())
        held[-1][1].write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n{")
    members = served.up.connections.members
    await served.until(lambda: sum(member.slow_since() > 0 for member in members) == number)
    for member in members:
        member._exchange.waiting_since -= 2.0
        member._exchange.started_at -= 2.0
    return held


async def test_slow_bodies_are_evicted_before_new_connections(serve):
    served = await serve(connections=4)
    slow = await slow_bodies(served, 3)
    reader, writer = await served.connect()
    await served.until(lambda: len(served.up.connections) == 4)
    assert (await served.ask()).startswith(b"HTTP/1.1 200 "), "in the place of a slow one"
    writer.write(GET)
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 "), "it came a moment ago"
    for _, other in (*slow, (reader, writer)):
        other.close()


async def test_trickling_body_counts_as_slow(serve):
    served = await serve(connections=2)
    slow = await slow_bodies(served, 2)
    exchanges = [member._exchange for member in served.up.connections.members]
    waited = [exchange.waiting_since for exchange in exchanges]
    for _, writer in slow:
        writer.write(b" ")
    await served.until(lambda: all(now.waiting_since > then for now, then in zip(exchanges, waited, strict=True)))
    assert (await served.ask()).startswith(b"HTTP/1.1 200 ")
    for _, writer in slow:
        writer.close()


async def test_request_in_progress_is_never_evicted(serve):
    served = await serve(connections=1)
    asking = asyncio.create_task(served.ask(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na"))
    await served.until(lambda: any(member._exchange for member in served.up.connections.members))
    denied = await served.ask()
    assert denied.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in denied
    served.go.set()
    assert (await asking).startswith(b"HTTP/1.1 200 ")
    assert [refusal.status for refusal in served.refusals] == [503]


async def test_client_that_does_not_read_is_dropped(serve):
    served = await serve(write_seconds=0.2)
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET.replace(b"/now", b"/large") * 50)
        await served.until(lambda: served.dropped("slow reader"))
        await served.until(lambda: not served.up.connections.members)
    assert (await served.ask()).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order(serve):
    served = await serve()
    reader, writer = await served.connect()
    writer.write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na" + GET * 300)
    await served.until(lambda: any(member._exchange for member in served.up.connections.members))
    [connection] = served.up.connections.members
    assert len(served.up.connections.tasks) == 1, "one in flight, whatever waits behind it"
    served.go.set()
    received = b""
    while received.count(b"HTTP/1.1 200 ") < 301 or not received.endswith(b"}"):
        received += await reader.read(65_536)
    assert connection.phase.name == "IDLE"
    writer.close()


async def test_half_closed_client_gets_its_responses(serve):
    served = await serve()
    reader, writer = await served.connect()
    writer.write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na" + GET)
    writer.write_eof()
    await served.until(lambda: any(member._exchange for member in served.up.connections.members))
    served.go.set()
    assert (await reader.read()).count(b"HTTP/1.1 200 ") == 2
    writer.close()


async def test_idle_connections_time_out(serve):
    served = await serve(idle_seconds=0.1)
    reader, writer = await served.connect()
    writer.write(GET)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 "), "and then the end"
    assert served.refusals == []
    writer.close()


def test_idle_timeout_exceeds_that_of_load_balancers():
    assert ConnectionLimits().idle_seconds > 60


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (GET + b"G\x00T", 400),
        (b"GET /now HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /now HTTP/1.1\r\nhost: x\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /now HTTP/3.0\r\nhost: x\r\n\r\n", 400),
        (b"GET /now HTTP/2.0\r\nhost: x\r\n\r\n", 505),
        (b"GET /no HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        (b"DELETE /now HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"POST /later HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno\r\n", 400),
        (b"POST /later HTTP/1.1\r\nhost: x\r\nexpect: more\r\ncontent-length: 1\r\n\r\n", 417),
        (b"GET /n", 408),
    ],
)
async def test_framing_rejections_are_json_and_counted(serve, raw, status):
    served = await serve(head_seconds=0.2)
    reader, writer = await served.connect()
    writer.write(raw)
    received = await reader.read()
    writer.close()
    head, _, body = received.rpartition(b"\r\n\r\n")
    assert head.rpartition(b"HTTP/1.1 ")[2].startswith(b"%d " % status)
    assert b"content-type: application/json" in head
    assert body.startswith(b'{"error":"')
    assert [refusal.status for refusal in served.refusals] == [status]
    counted = served.registry.get_sample_value("sprig_tui_http_refusals_total", {"status": str(status)})
    assert counted == 1


async def test_missing_descriptors_evict_a_connection_and_log_once(serve, monkeypatch, caplog):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(acceptor, "DESCRIPTOR_RETRY_S", 0.01)
    served = await serve(connections=500)
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(20)]
    await served.until(lambda: len(served.up.connections) == 20)
    client = socket.socket()
    client.setblocking(False)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno(), before[1]))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", served.port))
        await loop.sock_sendall(client, GET)
        assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200 ")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for one in (*held, client):
            one.close()
    assert served.dropped("no descriptor") > 0
    assert [record.getMessage() for record in caplog.records if "connections are not accepted" in record.getMessage()]
    assert caplog.text.count("connections are not accepted") == 1
    assert "Traceback" not in caplog.text


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_missing_tls_handshakes_time_out_and_are_counted(serve, certificate, trusting):
    served = await serve(tls_context(*certificate), connections=20, handshake_seconds=0.2)
    held = [await served.connect() for _ in range(60)]
    assert len(served.up.connections) <= 20, "counted before any handshake"
    assert (await served.ask(tls=trusting)).startswith(b"HTTP/1.1 200 ")
    await served.until(lambda: not served.up.connections.members)
    assert served.dropped("handshake") > 0
    for _, writer in held:
        writer.close()


async def test_invalid_tls_handshake_is_dropped_without_log(serve, certificate, trusting, caplog):
    served = await serve(tls_context(*certificate))
    reader, writer = await served.connect()
    writer.write(GET)
    await reader.read()
    writer.close()
    await served.until(lambda: not served.up.connections.members)
    assert served.dropped("handshake") == 1
    assert caplog.records == []
    assert (await served.ask(tls=trusting)).startswith(b"HTTP/1.1 200 ")


async def test_tls_accepts_only_authenticated_encryption(serve, certificate, trusting):
    served = await serve(tls_context(*certificate))
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    _, writer = await served.connect(tls=trusting)
    assert {cipher["aead"] for cipher in tls_context(*certificate).get_ciphers()} == {True}
    writer.transport.abort()
    trusting.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await served.connect(tls=trusting)


# -- the end ---------------------------------------------------------------------------------------------------------


async def test_shutdown_does_not_wait_for_slow_clients(serve):
    served = await serve(stop_seconds=0.4)
    slow = [await served.connect() for _ in range(3)]
    for number, (_, writer) in enumerate(slow):
        writer.write((b"", b"GET /n", b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")[number])
    await served.until(lambda: any(member.slow_since() for member in served.up.connections.members))
    await served.up.shut_down()
    assert not served.up.connections.members
    assert (await slow[2][0].read()).startswith(b"HTTP/1.1 503 ")
    for _, writer in slow:
        writer.close()


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_owner_is_the_address_or_its_ipv6_network(host, owner):
    assert owner_of(host) == owner


async def test_over_tls_a_response_that_was_read_leaves_no_deadline(serve: Serve, certificate):
    served = await serve(tls_context(*certificate))
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    reader, writer = await served.connect(tls=anyone)
    await served.until(lambda: served.up.connections.members)
    (connection,) = served.up.connections.members
    for _ in range(3):
        # it would be taken for a slow reader, and closed although it only waits for the next request
        assert connection.write_deadline == float("inf")
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
    writer.close()
