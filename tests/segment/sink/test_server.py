"""Admin routes of the fake Segment."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from support.clocks import ManualClock

from sprig_tui.segment.sink import Sink

Make = Callable[..., dict[str, Any]]
Call = Callable[..., Any]
KEYS = {"k" * 32: "Production", "d" * 32: "Development"}


async def test_events_route_and_its_filters(track: Make, post: Call, get: Call) -> None:
    async with Sink(keys=KEYS) as sink:
        for n in range(5):
            await post(sink, {"batch": [track(f"m{n}", userId=f"acct_{n % 2}")]}, key="k" * 32)
        await post(sink, {"batch": [track("d0")]}, key="d" * 32)

        async def ids(query: str) -> tuple[int, list[str]]:
            found = await get(sink, "/events" + query)
            return found["total"], [one["event"]["messageId"] for one in found["events"]]

        assert await ids("") == (6, ["m0", "m1", "m2", "m3", "m4", "d0"])
        assert await ids("?limit=2&offset=1") == (6, ["m1", "m2"])
        assert await ids("?limit=0") == (6, [])
        assert await ids("?offset=100") == (6, [])
        assert await ids("?messageId=m3") == (1, ["m3"])
        assert await ids("?userId=acct_1") == (2, ["m1", "m3"])
        assert await ids("?userId=acct_1&messageId=m0") == (0, [])
        assert await ids("?key=Development") == (1, ["d0"])
        assert await ids("?key=dddd%E2%80%A6dddd") == (1, ["d0"])
        first = (await get(sink, "/events?messageId=m0"))["events"][0]
        assert (first["source"], first["key"], first["request"]) == ("Production", "kkkk…kkkk", 1)


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "offset=1.5", "user=1", "limit=99999999999"])
async def test_invalid_events_filter_is_named(query: str, http: httpx.AsyncClient) -> None:
    async with Sink() as sink:
        answer = await http.get(f"{sink.url}/events?{query}")
    assert answer.status_code == 400
    assert "limit" in answer.json()["message"]


async def test_stats_route(track: Make, post: Call, get: Call, clock: ManualClock) -> None:
    async with Sink(keys=KEYS, faults=["503@2"], clock=clock) as sink:
        body = {"batch": [track("a"), track("a"), track("b", userId=7)]}
        for retry in ({}, {}, {"X-Retry-Count": "1"}):
            await post(sink, body, key="k" * 32, headers=retry)
        stats = await get(sink, "/stats")
    assert stats["requests"] == 3
    assert stats["statuses"] == {"200": 2, "503": 1}
    assert stats["paths"] == {"/v1/batch": 3}
    assert (stats["events"], stats["accepted"], stats["duplicates"]) == (6, 1, 3)
    assert stats["rejected"] == {"id_not_string": 2}
    assert stats["retry_counts"] == {"1": 1}
    assert stats["faults"] == {"503@2": 1}
    assert stats["started_at"] == clock.ms
    assert stats["keys"] == {
        "kkkk…kkkk": {"source": "Production", "requests": 3, "accepted": 1, "duplicates": 3, "rejected": 2}
    }
    assert stats["body_bytes"] == stats["wire_bytes"] == 3 * stats["largest_body"]


async def test_deleting_events_keeps_the_counts(track: Make, post: Call, get: Call) -> None:
    async with Sink() as sink:
        await post(sink, {"batch": [track("a")]})
        assert await get(sink, "/events", "DELETE") == {"dropped": 1}
        assert (await get(sink, "/events"))["total"] == 0
        await post(sink, {"batch": [track("a")]})
        assert (await get(sink, "/events"))["total"] == 1
    assert (sink.stats.accepted, sink.stats.duplicates) == (2, 0)


async def test_health_route_and_unknown_routes(get: Call, http: httpx.AsyncClient) -> None:
    async with Sink() as sink:
        assert await get(sink, "/health") == {"ok": True}
        for method, path, status in (
            ("GET", "/", 404),
            ("POST", "/v1/unknown", 404),
            ("GET", "/v1/batch", 405),
            ("DELETE", "/stats", 405),
            ("PUT", "/events", 405),
        ):
            answer = await http.request(method, sink.url + path)
            assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert sink.stats.requests == 0, "only tracking requests are counted"


async def test_counted_keys_are_limited(http: httpx.AsyncClient) -> None:
    async with Sink(keep=0) as sink:
        for n in range(1_005):
            await http.post(f"{sink.url}/v1/track", content=b"{}", auth=(f"{n:04d}" * 8, ""))
    assert len(sink.stats.keys) == 1_001
    assert sink.stats.keys["others"].requests == 5


@pytest.mark.parametrize("steps", range(7))
def test_close_releases_connections_that_are_just_being_accepted(steps: int) -> None:
    async def start_and_close(sink: Sink, clients: ExitStack) -> list[socket.socket]:
        await sink.start()
        opened = [clients.enter_context(socket.create_connection(("127.0.0.1", sink.port))) for _ in range(4)]
        for _ in range(steps):
            await asyncio.sleep(0)
        await sink.close()
        return opened

    with ExitStack() as clients:
        # the loop does nothing more after `close`: what it has not released then stays open
        for client in asyncio.run(start_and_close(Sink(), clients)):
            client.settimeout(10)
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
        gc.collect()
