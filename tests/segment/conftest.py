"""What the tests of Segment's side share."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.clocks import ManualClock

KEY = "Zq8TinventedWriteKey0000000e1Rk1"


class Key:
    """A write key that does not print itself."""

    def __init__(self, text: str = KEY) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_793_620_800_000)


@pytest.fixture
def track() -> Callable[..., dict[str, Any]]:
    """Makes a good track call; fields by name replace or, with ..., remove."""

    def make(message_id: str = "sprig-1", **fields: Any) -> dict[str, Any]:
        call: dict[str, Any] = {
            "messageId": message_id,
            "type": "track",
            "userId": "acct_88213",
            "event": "SDK - Submitted - Survey Response",
            "properties": {"surveyName": "Checkout effort", "response": 4},
            "context": {"integration": {"name": "sprig", "version": "1.0.0"}},
            "timestamp": "2026-11-01T10:00:00.000Z",
        }
        call.update(fields)
        return {name: value for name, value in call.items() if value is not ...}

    return make


@pytest.fixture
def payload(track: Callable[..., dict[str, Any]]) -> Callable[..., bytes]:
    """Joined event bytes, as the engine hands them over."""

    def make(*message_ids: str) -> bytes:
        return b",".join(json.dumps(track(one)).encode() for one in message_ids or ("sprig-1",))

    return make


@pytest.fixture
def talk() -> Callable[..., Awaitable[bytes]]:
    """Sends raw bytes to a port and reads until the server ends (or, with `expect`, until that many answers came)."""

    async def send(port: int, *parts: bytes, expect: int = 0) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            answer = b""
            async with asyncio.timeout(10):
                while part := await reader.read(65_536):
                    answer += part
                    if expect and answer.count(b'{"success":true}') >= expect:
                        break
            return answer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return send
