"""Client of Sprig's API: the response of each status and each network error."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from support import sprig_samples
from support.fake_sprig_api import FakeSprigApi

from sprig_tui.clock import SystemClock
from sprig_tui.config.environment import SprigApiKey
from sprig_tui.errors import ConfigError
from sprig_tui.sprig.api import RESPONSES_PATH, ApiResponse, SprigClient, classify


async def ask(api: Any, key: str, **settings: Any) -> ApiResponse:
    settings = {"timeout": 5.0, **settings}
    async with SprigClient(api.url, SprigApiKey(key), clock=SystemClock(), **settings) as client:
        return await client.get(RESPONSES_PATH, {"limit": "10"})


async def test_client_returns_the_whole_page(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.hold(sprig_samples.response(n) for n in range(30))
    answer = await ask(sprig_api, sprig_api_key)
    assert (answer.kind, answer.status, answer.error) == ("ok", 200, "")
    assert len(json.loads(answer.body)["data"]) == 10
    assert "gzip" in sprig_api.requests[0].headers["accept-encoding"]
    assert answer.latency_ms > 0


async def test_api_key_is_sent_as_bearer_and_never_shown(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.trouble(status=400, body=json.dumps({"error": f"no key {sprig_api_key} here"}).encode())
    answer = await ask(sprig_api, sprig_api_key)
    assert sprig_api.requests[0].headers["authorization"] == f"Bearer {sprig_api_key}"
    assert answer.error == "400: no key … here"


@pytest.mark.parametrize(
    ("status", "body", "kind", "error"),
    [
        (403, b"", "key-refused", "http 403"),
        (401, b"", "key-refused", "http 401"),
        (404, b'{"error":"not found"}', "none", "404: not found"),
        (429, b'{"error":"too many requests in too short a time"}', "limited", "429: too many requests"),
        (400, b'["start is wrong", "end too"]', "refused", "400: start is wrong; end too"),
        (400, b'{"error": {"deep": 1}}', "refused", "http 400"),
        (405, b"", "refused", "http 405"),
        (500, b"<html>", "retry", "http 500"),
        (503, b"x" * 500_000, "retry", "http 503"),
        (408, b"", "retry", "http 408"),
        (301, b"", "refused", "redirected to 127.0.0.1"),
    ],
)
async def test_response_kind_by_status(
    sprig_api: FakeSprigApi, sprig_api_key: str, status: int, body: bytes, kind: str, error: str
) -> None:
    sprig_api.trouble(status=status, body=body)
    answer = await ask(sprig_api, sprig_api_key)
    assert (answer.kind, answer.status) == (kind, status)
    assert answer.error.startswith(error)
    assert answer.body == b""
    assert len(answer.error) < 300


async def test_redirects_are_not_followed(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.trouble(status=302, headers={"location": "https://login.example/?next=x"})
    answer = await ask(sprig_api, sprig_api_key)
    assert answer.error == "redirected to login.example"
    assert len(sprig_api.requests) == 1


@pytest.mark.parametrize(("status", "seconds"), [(429, 12.0), (503, 12.0), (403, None)])
async def test_retry_after_header_is_returned(
    sprig_api: FakeSprigApi, sprig_api_key: str, status: int, seconds: float | None
) -> None:
    sprig_api.trouble(status=status, headers={"retry-after": "12"})
    assert (await ask(sprig_api, sprig_api_key)).retry_after_s == seconds


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", "connection"),
        ("cut", "connection"),
        ("garbage", "answer is not http"),
        ("hang", "no answer within 0.2 s"),
    ],
)
async def test_network_errors_are_returned_as_retry(
    sprig_api: FakeSprigApi, sprig_api_key: str, how: str, error: str
) -> None:
    sprig_api.trouble(how=how, body=b'{"data": []}' * 50)
    answer = await ask(sprig_api, sprig_api_key, timeout=0.2)
    assert answer.kind == "retry"
    assert error in answer.error
    assert answer.body == b""


async def test_trickling_body_ends_at_the_deadline(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.trouble(how="slow", body=b'{"data": []}' * 50)
    answer = await ask(sprig_api, sprig_api_key, timeout=5.0, deadline=0.3)
    assert (answer.kind, answer.error) == ("retry", "no whole answer within 0.3 s")


async def test_refused_connection_is_returned_as_retry(sprig_api_key: str, sprig_api: FakeSprigApi) -> None:
    sprig_api.url = "http://127.0.0.1:9"
    answer = await ask(sprig_api, sprig_api_key)
    assert (answer.kind, answer.status, answer.error) == ("retry", 0, "connection refused")


async def test_body_is_read_up_to_the_limit(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.trouble(body=b"x" * 3_000_000)
    answer = await ask(sprig_api, sprig_api_key, max_body=1_000_000)
    assert (answer.kind, answer.error) == ("too-large", "more than 1,000,000 bytes")


async def test_gzip_bomb_is_read_up_to_the_limit(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    sprig_api.trouble(body=bomb, headers={"content-encoding": "gzip"})
    assert (await ask(sprig_api, sprig_api_key, max_body=1_000_000)).kind == "too-large"


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
async def test_unrequested_compression_is_rejected(sprig_api: FakeSprigApi, sprig_api_key: str, encoding: str) -> None:
    sprig_api.trouble(body=b"anything", headers={"content-encoding": encoding})
    answer = await ask(sprig_api, sprig_api_key)
    assert answer.kind == "refused"
    assert "compressed" in answer.error


async def test_broken_gzip_is_retried(sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.trouble(body=b"not gzip at all", headers={"content-encoding": "gzip"})
    assert (await ask(sprig_api, sprig_api_key)).kind == "retry"


def test_every_status_has_a_kind() -> None:
    kinds = {status: classify(status) for status in range(100, 700)}
    assert [status for status, kind in kinds.items() if kind == "ok"] == list(range(200, 300))
    assert [status for status, kind in kinds.items() if kind == "key-refused"] == [401, 403]


@pytest.mark.parametrize("url", ["ftp://sprig.example", "https://", "https://user:secret@sprig.example", "sprig"])
def test_invalid_api_urls_raise_config_error(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        SprigClient(url, SprigApiKey("k" * 20), clock=SystemClock())
    assert "secret" not in raised.value.message + raised.value.hint
