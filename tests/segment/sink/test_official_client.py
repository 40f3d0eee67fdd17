"""Segment's own Python client works with the fake Segment unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import segment.analytics.request
from segment.analytics.client import Client

from sprig_tui.segment.sink import Sink

KEY = "Zq8TinventedWriteKey0000000e1Rk1"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the client in a thread of its own, since it blocks."""

    async def go(sink: Sink, work: Callable[[Client], None], **options: Any) -> list[Exception]:
        errors: list[Exception] = []

        def session() -> None:
            client = Client(KEY, host=sink.url, on_error=lambda error, _: errors.append(error), **options)
            work(client)
            if not options.get("sync_mode"):
                client.flush()
                client.join()

        try:
            await asyncio.to_thread(session)
        finally:
            # The client keeps one session for the process; its connections would outlive this sink.
            segment.analytics.request._session.close()
        return errors

    return go


def tracks(client: Client) -> None:
    for n in range(250):
        when = datetime(2026, 11, 1, 10, 0, n % 60, tzinfo=UTC)
        client.track(f"acct_{n}", "Survey answered", {"response": "日本語 🎈", "n": n}, timestamp=when)
    client.identify("acct_1", {"plan": "pro"})


@pytest.mark.parametrize("options", [{}, {"gzip": True}], ids=["plain", "gzip"])
async def test_official_client_track_and_flush(options: dict[str, Any], run: Callable[..., Any]) -> None:
    async with Sink(keys={KEY: "Production"}) as sink:
        errors = await run(sink, tracks, **options)
    assert errors == []
    assert (sink.stats.accepted, sink.stats.duplicates, dict(sink.stats.rejected)) == (251, 0, {})
    assert {one.source for one in sink.received} == {"Production"}
    assert sink.events[0]["properties"] == {"response": "日本語 🎈", "n": 0}
    assert sink.events[0]["originalTimestamp"] == "2026-11-01T10:00:00.000+00:00"


async def test_official_client_sync_mode(run: Callable[..., Any]) -> None:
    async with Sink() as sink:
        errors = await run(sink, lambda client: client.track("acct_1", "Survey answered"), sync_mode=True)
    assert errors == []
    assert sink.stats.accepted == 1


async def test_official_client_retries_a_503(run: Callable[..., Any]) -> None:
    async with Sink(faults=["503@1"]) as sink:
        errors = await run(sink, lambda client: client.track("acct_1", "Survey answered"))
    assert errors == []
    assert sink.stats.accepted == 1
    assert dict(sink.stats.retry_counts) == {"1": 1}


async def test_official_client_does_not_retry_a_400(run: Callable[..., Any]) -> None:
    async with Sink(faults=["400~answered"]) as sink:
        errors = await run(sink, lambda client: client.track("acct_1", "Survey answered"))
    assert [getattr(error, "status", 0) for error in errors] == [400]
    assert [getattr(error, "code", "") for error in errors] == ["fault_400"]
    assert sink.stats.accepted == 0
