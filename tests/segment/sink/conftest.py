"""Fixtures of the tests of the fake Segment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from support.plain_http import PLAIN

from sprig_tui.segment.sink import Sink

KEY = "Zq8TinventedWriteKey0000000e1Rk1"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """One client for a test; making one takes longer than most tests."""
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
        yield client


@pytest.fixture
def post(http: httpx.AsyncClient) -> Callable[..., Any]:
    """POSTs a JSON value (or raw bytes) to a route of a sink."""

    async def send(
        sink: Sink, body: Any, path: str = "/v1/batch", *, key: str | None = KEY, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await http.post(
            sink.url + path,
            content=content,
            headers={"Content-Type": "application/json", **(headers or {})},
            auth=None if key is None else (key, ""),
        )

    return send


@pytest.fixture
def get(http: httpx.AsyncClient) -> Callable[..., Any]:
    """GETs a path of a sink as JSON."""

    async def fetch(sink: Sink, path: str, method: str = "GET") -> Any:
        return (await http.request(method, sink.url + path)).json()

    return fetch
