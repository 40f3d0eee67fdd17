"""WebSockets on the server: what a client may send, and what it must read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.responses import Response, ignore_rejection
from sprig_tui.server.routes import Route, Routes
from sprig_tui.server.server import RunningServer, bind, running_server
from sprig_tui.server.tls import tls_context
from sprig_tui.server.websocket import WebSocket, accept_websocket, check_upgrade

MAX_BYTES = 100_000
LIMITS = ConnectionLimits(write_seconds=0.2)
Serve = Callable[..., Awaitable[RunningServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(
            talk: Callable[[WebSocket], Awaitable[None]], tls: ssl.SSLContext | None = None
        ) -> RunningServer:
            async def answer(exchange: Exchange) -> Response:
                check_upgrade(exchange)
                websocket = accept_websocket(exchange, MAX_BYTES)
                assert websocket is not None
                await talk(websocket)
                return Response()

            app = Routes([Route("/ws", answer)], {}, ignore_rejection)
            return await stack.enter_async_context(running_server(app, bind("127.0.0.1", 0), LIMITS, tls))

        yield start


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def echo(websocket: WebSocket) -> None:
    while (message := await websocket.receive()) is not None:
        await websocket.send(message)
    await websocket.close(1000)


@pytest.mark.parametrize("secure", [False, True])
async def test_messages_come_back_in_order_and_an_orderly_end_is_answered(
    serve: Serve, client: aiohttp.ClientSession, certificate: tuple[Path, Path], secure: bool
) -> None:
    server = await serve(echo, tls_context(*certificate) if secure else None)
    sent = ["", "ä" * 20_000, *(f"{number}" for number in range(3_000)), "\U0001f600"]
    async with client.ws_connect(f"{server.url}/ws", ssl=False) as websocket:

        async def write() -> None:
            for text in sent:
                await websocket.send_str(text)

        writing = asyncio.create_task(write())
        assert [await websocket.receive_str() for _ in sent] == sent
        await writing
    assert websocket.close_code == 1000
    async with asyncio.timeout(10):
        while server.connections.members:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"\x81\xff" + (MAX_BYTES + 1).to_bytes(8, "big") + b"mask", 1009),  # too long, before any of it has come
        (b"\x01\xfe\xea\x60mask" + b"x" * 60_000 + b"\x80\xfe\xea\x60mask" + b"x" * 60_000, 1009),  # in two parts
        (b"\x81\x02hi", 1002),  # not masked
        (b"\x83\x80mask", 1002),  # an opcode that there is not
        (b"\x80\x80mask", 1002),  # the rest of nothing
    ],
)
async def test_broken_frames_end_the_connection(serve: Serve, bad: bytes, code: int) -> None:
    server = await serve(echo)
    reader, writer = await upgrade(server)
    writer.write(bad)
    answer = await reader.read()
    assert (answer[:1], answer[2:4]) == (b"\x88", code.to_bytes(2, "big"))
    writer.close()


async def upgrade(server: RunningServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(
        b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # the example of RFC 6455
    return reader, writer


async def test_a_client_that_does_not_read_loses_the_connection(serve: Serve) -> None:
    ended = asyncio.Event()

    async def flood(websocket: WebSocket) -> None:
        while websocket.is_open:
            await websocket.send(bytes(100_000))
        ended.set()

    server = await serve(flood)
    _, writer = await upgrade(server)
    async with asyncio.timeout(20):
        await ended.wait()
    writer.close()


async def test_a_ping_that_is_not_answered_is_noticed(serve: Serve) -> None:
    pings: list[bool] = []

    async def ask(websocket: WebSocket) -> None:
        pings.append(websocket.ping())
        assert await websocket.receive() == "answered"
        pings.extend((websocket.ping(), websocket.ping()))
        await websocket.close(1001, seconds=0.0)

    server = await serve(ask)
    reader, writer = await upgrade(server)
    assert await reader.readexactly(2) == b"\x89\x00"
    writer.write(b"\x8a\x80mask\x81\x88\0\0\0\0answered")
    assert (await reader.read())[:4] == b"\x89\x00\x88\x02"
    assert pings == [True, True, False]
    writer.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 426),
        (b"connection: upgrade\r\nupgrade: h2c\r\n", 426),
        (b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n", 426),
        (b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n", 400),
    ],
)
async def test_only_a_websocket_is_upgraded(serve: Serve, headers: bytes, status: int) -> None:
    server = await serve(echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"GET /ws HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n")
    assert (await reader.readline()).split()[1] == str(status).encode()
    writer.close()
