"""Fault rules of the fake Segment: matching requests, and whether their events are accepted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import ManualClock

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink import FaultRule, FaultScript, Sink, parse_rules

Make = Callable[..., dict[str, Any]]
Post = Callable[..., Any]


def struck(*rules: str | FaultRule, requests: int = 12, body: bytes = b"", seed: int = 0) -> list[int]:
    script = FaultScript(parse_rules(rules), seed=seed)
    return [number for number in range(1, requests + 1) if script.choose(number, body, "key", "Production")]


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("503@2", [2]),
        ("503@2-4", [2, 3, 4]),
        ("503@11-", [11, 12]),
        ("503@every:5", [5, 10]),
        ("503@every:2@5-9", [6, 8]),
        ("503@times:2", [1, 2]),
        ("503@every:3@times:2", [3, 6]),
        ("503:0%", []),
        ("503:100%", list(range(1, 13))),
        ("503@source:Production@1", [1]),
        ("503@source:Development", []),
    ],
)
def test_fault_matches_by_request_number(rule: str, numbers: list[int]) -> None:
    assert struck(rule) == numbers


def test_fault_matches_by_write_key() -> None:
    assert struck(FaultRule(do="reset", source="key"), requests=1) == [1]
    assert struck(FaultRule(do="reset", source="other"), requests=1) == []


@given(st.integers(), st.integers(min_value=1, max_value=99))
def test_fault_rate_is_repeatable(seed: int, percent: int) -> None:
    rule = f"503:{percent}%"
    assert struck(rule, requests=50, seed=seed) == struck(rule, requests=50, seed=seed)


def test_fault_rate_is_kept_and_independent_of_other_rules() -> None:
    alone = struck("503:20%", requests=2000)
    assert 320 < len(alone) < 480
    assert set(alone) <= set(struck("503:20%", "reset:50%", requests=2000))


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("text", ["poison", "日本語", 'say "no"', "🎈"])
def test_poison_matches_all_json_spellings(text: str, escaped: bool) -> None:
    body = json.dumps({"batch": [{"response": f"some {text} here"}]}, ensure_ascii=escaped).encode()
    rule = FaultRule(do="status", status=400, contains=text)
    assert struck(rule, requests=1, body=body) == [1]
    assert struck(rule, requests=1, body=b'{"batch":[]}') == []


def test_message_id_condition_matches_whole_ids() -> None:
    body = b'{"batch":[{"messageId": "sprig-10"}]}'
    assert struck("400@id:sprig-10", requests=1, body=body) == [1]
    assert struck("400@id:sprig-1", requests=1, body=body) == []


def test_fault_needs_all_conditions() -> None:
    rule = FaultRule(do="reset", contains="poison", message_id="sprig-2")
    assert struck(rule, requests=1, body=b'"sprig-2" poison') == [1]
    assert struck(rule, requests=1, body=b'"sprig-2"') == []


async def test_first_matching_fault_applies(track: Make, post: Post) -> None:
    async with Sink(faults=["400~poison", "503@1-2"]) as sink:
        bad = {"batch": [track("a"), track("b", properties={"response": "poison"})]}
        statuses = [(await post(sink, body)).status_code for body in (bad, {"batch": [track("c")]}, bad)]
    assert statuses == [400, 503, 400]
    assert dict(sink.stats.faults) == {"400~poison": 2, "503@1-2": 1}
    assert sink.events == ()


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("503", False),
        ("503+accept", True),
        ("200", True),
        ("200+refuse", False),
        ("truncate", True),
        ("truncate=503", False),
        ("html", True),
        ("html=502", False),
        ("unsuccess", True),
        ("content-type", True),
        ("redirect", False),
        ("huge=0.1", True),
        ("slow=0", True),
        ("slow=0+refuse", False),
        ("trickle=0", True),
        ("reset", False),
        ("reset+accept", True),
        ("close", False),
        ("close+accept", True),
    ],
)
async def test_fault_accepts_events_or_not(fault: str, kept: bool, track: Make, post: Post) -> None:
    async with Sink(faults=[fault]) as sink:
        try:
            await post(sink, {"batch": [track("a")]})
        except httpx.TransportError:
            assert fault.startswith(("reset", "close", "truncate"))
    assert sink.stats.accepted == len(sink.events) == kept


async def test_retry_after_an_accepting_reset_is_a_duplicate(track: Make, post: Post) -> None:
    async with Sink(faults=["reset+accept@1"]) as sink:
        with pytest.raises(httpx.ReadError):
            await post(sink, {"batch": [track("a")]})
        assert (await post(sink, {"batch": [track("a")]})).status_code == 200
    assert (sink.stats.accepted, sink.stats.duplicates) == (1, 1)
    assert [seen.status for seen in sink.requests] == [0, 200]


async def test_replies_of_faults(track: Make, post: Post, clock: ManualClock) -> None:
    async def answer(fault: str) -> httpx.Response:
        async with Sink(faults=[fault], clock=clock) as sink:
            found = await post(sink, {"batch": [track("a")]})
            assert isinstance(found, httpx.Response)
            return found

    html = await answer("html=502")
    assert html.headers["content-type"].startswith("text/html")
    assert b"<html>" in html.content
    assert (await answer("content-type")).headers["content-type"] == "text/plain"
    assert (await answer("unsuccess")).json() == {"success": False}
    assert len((await answer("huge=2")).content) == 2_000_000 + len(b'{"success":true}')
    assert (await answer("redirect=/x")).headers["location"] == "/x"
    dated = await answer("429+retry-after=date:30")
    assert dated.headers["retry-after"] == "Mon, 02 Nov 2026 12:00:30 GMT"
    assert dated.headers["date"] == "Mon, 02 Nov 2026 12:00:00 GMT"
    assert (await answer("400+body=[]")).content == b"[]"
    assert (await answer("204")).content == b""
    assert (await answer("trickle=0")).json() == {"success": True}


async def test_invalid_request_is_rejected_under_a_slow_fault(post: Post) -> None:
    async with Sink(faults=["slow=0"]) as sink:
        assert (await post(sink, b"{")).status_code == 400


async def test_faults_can_be_replaced_while_running(track: Make, post: Post) -> None:
    async with Sink(faults=["503"]) as sink:
        assert (await post(sink, {"batch": [track("a")]})).status_code == 503
        sink.set_faults(["429@3"])
        assert (await post(sink, {"batch": [track("a")]})).status_code == 200
        assert (await post(sink, {"batch": [track("a")]})).status_code == 429
        sink.set_faults([])
        assert (await post(sink, {"batch": [track("a")]})).status_code == 200


@pytest.mark.parametrize("fault", ["503@x", FaultRule(do="status", status=99)])
def test_invalid_fault_rule_is_rejected_at_construction(fault: str | FaultRule) -> None:
    with pytest.raises(ConfigError):
        Sink(faults=[fault])


async def test_hang_ends_when_the_client_disconnects(track: Make, talk: Any) -> None:
    async with Sink(faults=["hang"]) as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        body = json.dumps({"batch": [track("a")], "writeKey": "k" * 32}).encode()
        writer.write(b"POST /v1/batch HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await sink.wait_until(lambda stats: stats.requests == 1)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
