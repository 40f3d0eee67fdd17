"""TrackingClient with OAuth over a real socket, against the fake Segment that requires it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from support.clocks import ManualClock
from support.rsa_keys import private_pem, rsa_key, write_private_key

from sprig_tui.config.environment import WriteKey
from sprig_tui.segment.client import SendResult, TrackingClient
from sprig_tui.segment.oauth.token_response import TokenFailureKind
from sprig_tui.segment.oauth.token_source import TokenSource, TokenSources
from sprig_tui.segment.sink import Sink
from sprig_tui.segment.sink.token_server import TokenServer

from .conftest import credentials_for

Payload = Callable[..., bytes]
KEY = "Zq8TinventedWriteKey0000000e1Rk1"
DAY_S = 86_400


class OAuthBench:
    """A sink that requires OAuth, and a client of it with clocks of their own."""

    def __init__(self, key_file: Path, *, skew_s: float = 0.0, **options: Any) -> None:
        self.clock = ManualClock(1_793_620_800_000)
        self.server_clock = ManualClock(self.clock.ms + int(skew_s * 1000))
        self.sink = Sink(clock=self.server_clock, oauth_key=rsa_key().public_key(), keys={KEY: "Production"}, **options)
        self._key_file = key_file

    async def __aenter__(self) -> Self:
        await self.sink.start()
        self.tokens = TokenSource(credentials_for(self.sink, self._key_file), clock=self.clock)
        self.client = TrackingClient(self.sink.url, WriteKey(KEY), clock=self.clock, tokens=self.tokens)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.sink.close()

    @property
    def server(self) -> TokenServer:
        assert self.sink.token_server is not None
        return self.sink.token_server

    @property
    def token_statuses(self) -> list[int]:
        return [request.status for request in self.server.requests]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server_clock.advance(seconds)


async def test_token_is_asked_for_once_and_events_arrive_under_the_key_in_the_body(
    key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file) as bench:
        first = await bench.client.send_batch(payload("sprig-1"))
        second = await bench.client.send_batch(payload("sprig-2"))
        assert (first.kind, second.kind) == ("delivered", "delivered")
        assert [one.source for one in bench.sink.received] == ["Production", "Production"]
        (request,) = bench.server.requests
        now_s = bench.clock.ms // 1000
        assert request.header == {"alg": "RS256", "typ": "JWT", "kid": "2Xkey"}
        claims = dict(request.claims)
        assert len(claims.pop("jti")) == 36
        expected = {"iss": "2Xapp", "sub": "2Xapp", "aud": bench.sink.url, "iat": now_s - 5, "exp": now_s + 50}
        assert claims == expected


async def test_token_is_renewed_before_its_end_and_not_earlier(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file) as bench:
        await bench.client.send_batch(payload())
        bench.advance(DAY_S - 301)
        await bench.client.send_batch(payload())
        assert bench.token_statuses == [200]
        bench.advance(2)
        await bench.client.send_batch(payload())
        assert bench.token_statuses == [200, 200]
        assert len({request.claims["jti"] for request in bench.server.requests}) == 2
        assert bench.sink.stats.statuses == {"200": 3}


@pytest.mark.parametrize("skew_s", [600.0, -600.0])
async def test_wrong_clock_is_corrected_by_the_date_of_the_token_server(
    skew_s: float, key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file, skew_s=skew_s) as bench:
        assert (await bench.client.send_batch(payload())).kind == "delivered"
        assert bench.token_statuses == [400, 200]
        bench.advance(DAY_S)
        assert (await bench.client.send_batch(payload())).kind == "delivered"
        # the second token needed one request: the difference is known
        assert bench.token_statuses == [400, 200, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 511])
async def test_rejected_token_is_replaced_and_the_request_repeated(
    status: int, key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file, faults=[f"{status}@1"]) as bench:
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.status) == ("delivered", 200)
        assert bench.token_statuses == [200, 200]
        assert [request.status for request in bench.sink.requests] == [status, 200]
        assert [request.retry_count for request in bench.sink.requests] == ["", "1"]


async def test_revoked_token_is_replaced(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file) as bench:
        await bench.client.send_batch(payload())
        bench.server.revoke_all()
        assert (await bench.client.send_batch(payload("sprig-2"))).kind == "delivered"
        assert bench.token_statuses == [200, 200]


async def test_bad_body_takes_one_new_token_however_often_it_is_sent(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file, faults=["400"]) as bench:
        results = [await bench.client.send_batch(payload()) for _ in range(12)]
        assert {(one.kind, one.bisect, one.status) for one in results} == {("refused", True, 400)}
        assert bench.token_statuses == [200, 200]
        assert len(bench.sink.requests) == 13


@pytest.mark.parametrize(
    ("status", "kind", "final"), [(401, "key-refused", False), (403, "key-refused", False), (511, "retry", False)]
)
async def test_rejection_of_a_new_token_as_well_ends_the_request(
    status: int, kind: str, final: bool, key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file, faults=[str(status)]) as bench:
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.status, result.final) == (kind, status, final)
        assert bench.token_statuses == [200, 200]
        assert len(bench.sink.requests) == 2


async def test_511_without_oauth_is_never_repeated(clock: ManualClock, payload: Payload) -> None:
    async with (
        Sink(faults=["511"], clock=clock) as sink,
        TrackingClient(sink.url, WriteKey(KEY), clock=clock) as client,
    ):
        result = await client.send_batch(payload())
    assert (result.kind, result.final, len(sink.requests)) == ("refused", True, 1)


@pytest.mark.parametrize(
    ("rule", "wait_s"),
    [("429+retry-after=30@1", 30.0), ("429+reset=40@1", 40.0), ("429@1", 5.0), ("429+retry-after=9999@1", 300.0)],
)
async def test_wait_that_the_token_server_asks_for_is_kept(
    rule: str, wait_s: float, key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file, token_faults=[rule]) as bench:
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.retry_after_s) == ("retry", wait_s)
        bench.advance(wait_s - 1)
        early = await bench.client.send_batch(payload())
        assert (early.kind, early.retry_after_s) == ("retry", 1.0)
        assert bench.token_statuses == [429]
        bench.advance(1)
        assert (await bench.client.send_batch(payload())).kind == "delivered"
        assert bench.sink.stats.requests == 1


@pytest.mark.parametrize("status", [400, 401, 415])
async def test_rejection_by_the_token_server_is_final(status: int, key_file: Path, payload: Payload) -> None:
    body = '{"error":"invalid_client","error_description":"no such app"}'
    async with OAuthBench(key_file, token_faults=[f"{status}+body={body}"]) as bench:
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.status) == ("key-refused", 0)
        assert result.token_failure is not None
        assert (result.token_failure.kind, result.token_failure.status) == (TokenFailureKind.REJECTED, status)
        assert result.token_failure.error == "invalid_client: no such app"
        # clocks agree, so it is not tried again by another one
        assert bench.token_statuses == [status]
        assert bench.sink.stats.requests == 0


async def test_key_that_the_token_server_does_not_know_is_rejected(tmp_path: Path, payload: Payload) -> None:
    other = write_private_key(tmp_path, key=rsa_key(2))
    async with OAuthBench(other) as bench:
        result = await bench.client.send_batch(payload())
        assert result.kind == "key-refused"
        assert "InvalidSignatureError" in result.error


async def test_token_server_away_is_a_wait_and_passes(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file) as bench:
        await bench.sink.close()
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.endpoint_fault, result.status) == ("retry", True, 0)
        assert result.error == "no OAuth token: connection refused"
        await bench.sink.start()
        assert (await bench.client.send_batch(payload())).kind == "delivered"


@pytest.mark.parametrize("rule", ["503", "404", "redirect", "reset", "truncate", "html", "huge=1"])
async def test_other_failure_of_the_token_server_is_a_wait(rule: str, key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file, token_faults=[f"{rule}@1"]) as bench:
        result = await bench.client.send_batch(payload())
        assert (result.kind, result.endpoint_fault, result.bisect) == ("retry", True, False)
        assert (await bench.client.send_batch(payload())).kind == "delivered"
        assert bench.sink.stats.requests == 1


async def test_concurrent_requests_share_one_token(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file) as bench:
        results = await asyncio.gather(*(bench.client.send_batch(payload(f"sprig-{n}")) for n in range(20)))
        assert {one.kind for one in results} == {"delivered"}
        assert bench.token_statuses == [200]
        bench.server.revoke_all()
        results = await asyncio.gather(*(bench.client.send_batch(payload(f"again-{n}")) for n in range(20)))
        assert {one.kind for one in results} == {"delivered"}
        assert bench.token_statuses == [200, 200]


async def test_concurrent_requests_share_one_failure(key_file: Path, payload: Payload) -> None:
    async with OAuthBench(key_file, token_faults=["503@1"]) as bench:
        results = await asyncio.gather(*(bench.client.send_batch(payload()) for _ in range(5)))
        assert {one.kind for one in results} == {"retry"}
        assert bench.token_statuses == [503]


async def test_cancelled_request_leaves_the_token_to_the_others_and_the_last_one_ends_it(key_file: Path) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def keep_waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()  # to the end that the client makes
        ended.set()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(keep_waiting, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tokens = TokenSource(credentials_for(url, key_file), clock=ManualClock())
        first, second = asyncio.create_task(tokens.get()), asyncio.create_task(tokens.get())
        await asked.wait()
        first.cancel()
        await asyncio.wait((first,))
        assert (first.cancelled(), second.done(), ended.is_set()) == (True, False, False)
        second.cancel()
        await asyncio.wait((second,))
        await ended.wait()


async def test_clients_of_one_process_share_the_token_and_keep_it_over_a_reload(
    key_file: Path, payload: Payload
) -> None:
    async with OAuthBench(key_file) as bench:
        sources, credentials = TokenSources(), credentials_for(bench.sink, key_file)
        first = TrackingClient(
            bench.sink.url, WriteKey(KEY), clock=bench.clock, tokens=sources.source(credentials, bench.clock, 15)
        )
        second = TrackingClient(
            bench.sink.url,
            WriteKey(KEY),
            clock=bench.clock,
            gzip=True,
            tokens=sources.source(credentials, bench.clock, 15),
        )
        async with first, second:
            results = [await client.send_batch(payload()) for client in (first, second)]
        assert [one.kind for one in results] == ["delivered", "delivered"]
        assert bench.token_statuses == [200]


def shown_texts(result: SendResult, caplog: pytest.LogCaptureFixture, bench: OAuthBench) -> str:
    return "\n".join([repr(result), repr(bench.tokens), repr(bench.client), caplog.text])


async def test_secrets_are_nowhere_to_be_read(
    key_file: Path, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with OAuthBench(key_file, faults=["500"]) as bench:
        await bench.client.send_batch(payload())
        token = await bench.tokens.get()
        text = getattr(token, "text", "")
        assert len(text) == 43
        # a server that echoes the header
        bench.sink.set_faults([f'500+body={{"message":"bad Bearer {text}"}}'])
        echoed = await bench.client.send_batch(payload())
        shown = shown_texts(echoed, caplog, bench) + repr(token) + repr(credentials_for(bench.sink, key_file))
        assert "bad Bearer …" in echoed.error
        for secret in (text, text[:12], KEY, private_pem().decode().splitlines()[2]):
            assert secret not in shown


async def test_echoed_assertion_is_not_in_the_error(key_file: Path, payload: Payload) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        form = (await reader.readexactly(length)).decode()
        assertions.append(form.split("client_assertion=")[1].split("&")[0])
        body = json.dumps({"error": "invalid_client", "error_description": f"bad {assertions[0]}"}).encode()
        writer.write(b"HTTP/1.1 401 X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    assertions: list[str] = []
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tokens = TokenSource(credentials_for(url, key_file), clock=ManualClock())
        result = await tokens.get()
    shown = repr(result)
    assert "invalid_client" in shown
    for part in assertions[0].split("."):
        assert part[:20] not in shown
