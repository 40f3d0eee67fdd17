"""TrackingClient: proxies from environment variables, and NO_PROXY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from support.clocks import ManualClock

from sprig_tui.segment.client import TrackingClient
from sprig_tui.segment.sink import Sink

from .conftest import Key


class Proxy:
    """An HTTP proxy of the simplest kind: answers for the server itself, or refuses a tunnel."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        else:
            await reader.readuntil(b'Z"}')
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    async with await asyncio.start_server(made.serve, "127.0.0.1") as server:
        made.url = f"http://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


async def test_plain_http_uses_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, key: Key, clock: ManualClock, payload: Callable[..., bytes]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with TrackingClient("http://segment.invalid", key, clock=clock) as client:
        answer = await client.send_batch(payload())
    assert answer.kind == "delivered"
    assert proxy.asked[0].startswith(b"POST http://segment.invalid/v1/batch HTTP/1.1\r\n")


async def test_rejected_connect_is_reported(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, key: Key, clock: ManualClock, payload: Callable[..., bytes]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    async with TrackingClient("https://segment.invalid", key, clock=clock) as client:
        answer = await client.send_batch(payload())
    assert (answer.kind, answer.error) == ("retry", "the proxy wants a user and password (407)")
    assert proxy.asked[0].startswith(b"CONNECT segment.invalid:443 ")
    assert b"Basic WnE4" not in proxy.asked[0], "the write key is not for the proxy"
    assert "secret" not in repr(answer)


async def test_no_proxy_is_honoured(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, key: Key, clock: ManualClock, payload: Callable[..., bytes]
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with Sink() as sink, TrackingClient(sink.url, key, clock=clock) as client:
        answer = await client.send_batch(payload())
    assert answer.kind == "delivered"
    assert sink.stats.accepted == 1
    assert proxy.asked == []
