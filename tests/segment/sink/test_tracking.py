"""Tracking routes of the fake Segment: replies and discard reasons as Segment documents them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.clocks import ManualClock

from sprig_tui.segment.limits import MAX_BODY_BYTES, MAX_EVENT_BYTES
from sprig_tui.segment.sink import Sink

Make = Callable[..., dict[str, Any]]
Post = Callable[..., Any]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import"])
async def test_batch_routes(path: str, track: Make, post: Post, clock: ManualClock) -> None:
    async with Sink(clock=clock) as sink:
        answer = await post(sink, {"batch": [track("a"), track("b")], "sentAt": "2026-11-02T12:00:00Z"}, path)
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert [event["messageId"] for event in sink.events] == ["a", "b"]
    assert sink.stats.paths == {path: 1}


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t"])
async def test_single_routes(path: str, track: Make, post: Post, clock: ManualClock) -> None:
    async with Sink(clock=clock) as sink:
        answer = await post(sink, track("a", type=...), path)
    assert answer.status_code == 200
    assert [(event["messageId"], event["type"]) for event in sink.events] == [("a", "track")]


@pytest.mark.parametrize(
    ("path", "message", "reason"),
    [
        ("/v1/identify", {"userId": "acct_1", "traits": {}}, None),
        ("/v1/i", {"userId": "acct_1", "traits": []}, "traits_not_object"),
        ("/v1/page", {"anonymousId": "visitor-1"}, None),
        ("/v1/s", {"userId": "acct_1", "properties": 3}, "properties_not_object"),
        ("/v1/group", {"userId": "acct_1", "groupId": "g"}, None),
        ("/v1/g", {"userId": "acct_1"}, "id_required"),
        ("/v1/a", {"userId": "acct_1", "previousId": "v"}, None),
        ("/v1/alias", {"userId": "acct_1"}, "id_required"),
    ],
)
async def test_other_call_types(path: str, message: dict[str, Any], reason: str | None, post: Post) -> None:
    async with Sink() as sink:
        assert (await post(sink, message, path)).status_code == 200
    assert dict(sink.stats.rejected) == ({} if reason is None else {reason: 1})
    assert len(sink.events) == (reason is None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"userId": ...}, "no_user_anon_id"),
        ({"userId": None}, "no_user_anon_id"),
        ({"userId": 7}, "id_not_string"),
        ({"userId": ""}, "id_not_string"),
        ({"userId": "acct_1", "anonymousId": 7}, "id_not_string"),
        ({"event": ...}, "event_not_defined"),
        ({"event": ""}, "event_not_defined"),
        ({"event": 4}, "event_not_string"),
        ({"properties": [1]}, "properties_not_object"),
        ({"properties": "x"}, "properties_not_object"),
        ({"type": ...}, "multi_user_error"),
        ({"type": "batch"}, "multi_user_error"),
        ({"type": ["track"]}, "multi_user_error"),
    ],
)
async def test_event_is_discarded_after_a_200(fields: dict[str, Any], reason: str, track: Make, post: Post) -> None:
    async with Sink() as sink:
        answer = await post(sink, {"batch": [track("good"), track("bad", **fields)]})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert dict(sink.stats.rejected) == {reason: 1}
    assert [event["messageId"] for event in sink.events] == ["good"]
    assert sink.requests[0].reason == reason


@pytest.mark.parametrize("fields", [{"userId": ..., "anonymousId": "visitor-1"}, {"properties": ...}])
async def test_unusual_but_valid_event_is_accepted(fields: dict[str, Any], track: Make, post: Post) -> None:
    async with Sink() as sink:
        await post(sink, {"batch": [track("good", **fields)]})
    assert sink.stats.accepted == 1


async def test_empty_batch_is_discarded(post: Post) -> None:
    async with Sink() as sink:
        for body in ({"batch": []}, {}):
            assert (await post(sink, body)).status_code == 200
    assert [seen.reason for seen in sink.requests] == ["empty_batch", "empty_batch"]


async def test_batch_of_too_many_events_is_discarded(track: Make, post: Post) -> None:
    event = {"type": "track", "userId": "a", "event": "e"}
    async with Sink() as sink:
        assert (await post(sink, {"batch": [event] * 2501})).status_code == 200
        assert sink.stats.accepted == 0
        assert sink.stats.rejected.total() == 2501
        assert (await post(sink, {"batch": [event] * 2500})).status_code == 200
    assert sink.stats.accepted == 2500


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"null", "invalid_json"),
        (b'{"batch":{}}', "invalid_json"),
        (b'{"batch":[1]}', "invalid_json"),
        (b'{"batch":[{"userId":"\xff"}]}', "invalid_json"),
        (b'{"batch":[{"a":NaN}]}', "invalid_json"),
        (b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json"),
        (b'{"batch":[{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}]}", "invalid_json"),
        (b'{"batch":[],"sentAt":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json"),
    ],
    ids=lambda value: str(value[:20]),
)
async def test_invalid_json_is_a_400(body: bytes, code: str, post: Post) -> None:
    async with Sink() as sink:
        answer = await post(sink, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert sink.stats.events == 0


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track"])
async def test_oversize_event_is_a_400_for_the_whole_request(path: str, track: Make, post: Post) -> None:
    empty = len(json.dumps(track("a", properties={"r": ""})))
    fits = track("a", properties={"r": "x" * (MAX_EVENT_BYTES - empty)})
    over = track("b", properties={"r": "x" * (MAX_EVENT_BYTES - empty + 1)})
    async with Sink() as sink:
        assert (await post(sink, {"batch": [fits]} if "batch" in path else fits, path)).status_code == 200
        answer = await post(sink, {"batch": [track("c"), over]} if "batch" in path else over, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "message_too_large")
    assert [event["messageId"] for event in sink.events] == ["a"]


@pytest.mark.parametrize("packed", [False, True])
async def test_oversize_body_is_a_400(packed: bool, track: Make, post: Post) -> None:
    body = json.dumps({"batch": [track("a")]}).encode()
    async with Sink() as sink:
        for size, status in ((MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 400)):
            padded = body + b" " * (size - len(body))
            headers = {"Content-Encoding": "gzip"} if packed else {}
            answer = await post(sink, gzip.compress(padded) if packed else padded, headers=headers)
            assert answer.status_code == status
    assert sink.requests[1].reason.startswith("the body is larger than 500,000 bytes")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: gzip.compress(b"0" * 100_000_000, mtime=0), "the body is larger than 500,000 bytes"),
        (lambda: gzip.compress(b"{}", mtime=0)[:-3], "the gzip body breaks off"),
        (lambda: b"no gzip", "the body is not gzip, or damaged"),
        (lambda: gzip.compress(b"{}", mtime=0) + b"trailing", "the body is not gzip, or damaged"),
    ],
    ids=["bomb", "cut", "plain", "trailing"],
)
async def test_invalid_gzip_is_a_400(body: Callable[[], bytes], reason: str, post: Post) -> None:
    async with Sink() as sink:
        answer = await post(sink, body(), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert sink.requests[0].reason == reason


async def test_unknown_content_encoding_is_a_400(post: Post) -> None:
    async with Sink() as sink:
        answer = await post(sink, b"{}", headers={"Content-Encoding": "br"})
    assert (answer.status_code, answer.json()["message"]) == (400, "content encoding 'br' is not supported")


@pytest.mark.parametrize(("key", "status"), [("", 400), ("abc123", 400), ("x" * 32, 200)])
async def test_write_key_in_header_and_body(key: str, status: int, track: Make, post: Post) -> None:
    async with Sink() as sink:
        assert (await post(sink, {"batch": [track("a")]}, key=key)).status_code == status
        assert (await post(sink, {"batch": [track("a")], "writeKey": key}, key=None)).status_code == status
        assert (await post(sink, track("a", writeKey=key), "/v1/track", key=None)).status_code == status
    assert len(sink.events) == (status == 200)
    assert all("writeKey" not in event for event in sink.events)


@pytest.mark.parametrize("authorization", ["Basic %%%", "Basic /w==", "Bearer token", "Basic"])
async def test_header_without_a_write_key(authorization: str, track: Make, post: Post) -> None:
    async with Sink() as sink:
        headers = {"Authorization": authorization}
        assert (await post(sink, {"batch": [track("a")]}, key=None, headers=headers)).status_code == 400
        body = {"batch": [track("a")], "writeKey": "x" * 32}
        assert (await post(sink, body, key=None, headers=headers)).status_code == 200


async def test_unknown_and_disabled_sources_are_discarded(track: Make, post: Post) -> None:
    known, off = "k" * 32, "d" * 32
    async with Sink(keys={known: "Production", off: "Old"}, disabled={off}) as sink:
        for key in (known, off, "u" * 32):
            answer = await post(sink, {"batch": [track(f"id-{key[0]}")]}, key=key)
            assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert dict(sink.stats.rejected) == {"source_disabled": 1, "unknown_source": 1}
    assert [(one.source, one.key, one.event["messageId"]) for one in sink.received] == [
        ("Production", "kkkk…kkkk", "id-k")
    ]
    assert known not in repr(sink.stats) + repr(sink.received) + repr(sink.requests)


async def test_duplicates_are_dropped_across_sources_and_routes(track: Make, post: Post) -> None:
    async with Sink() as sink:
        await post(sink, {"batch": [track("a"), track("a"), track("b")]}, key="k" * 32)
        await post(sink, track("a", event="other"), "/v1/track", key="j" * 32)
    assert (sink.stats.events, sink.stats.accepted, sink.stats.duplicates) == (4, 2, 2)
    assert [event["messageId"] for event in sink.events] == ["a", "b"]


async def test_kept_events_are_limited_and_counts_continue(track: Make, post: Post) -> None:
    async with Sink(keep=3, remember=4) as sink:
        for n in range(20):
            await post(sink, {"batch": [track(f"m{n}")]})
        await post(sink, {"batch": [track("m19"), track("m17"), track("m0")]})
    assert sink.stats.accepted == 21, "m0 was long forgotten"
    assert sink.stats.duplicates == 2
    assert [event["messageId"] for event in sink.events] == ["m18", "m19", "m0"]


async def test_counting_mode_does_not_parse_events(track: Make, post: Post) -> None:
    batch = {"batch": [track("a"), track("b"), track("a")]}
    for count, accepted in ((False, 3), (True, 2)):
        async with Sink(keep=0, count=count, faults=["503@2"]) as sink:
            assert (await post(sink, batch)).status_code == 200
            assert (await post(sink, batch)).status_code == 503
            assert (await post(sink, track("c"), "/v1/track")).status_code == 200
            assert (await post(sink, b"garbage")).status_code == 400
        assert (sink.stats.events, sink.stats.accepted) == (4, accepted + 1)
        assert sink.events == ()


async def test_counting_mode_keeps_the_limits(track: Make, post: Post) -> None:
    async with Sink(keep=0, keys={"k" * 32: "Production"}) as sink:
        await post(sink, {"batch": [{"messageId": "a"}] * 2501}, key="k" * 32)
        await post(sink, {"batch": [{"messageId": "a"}] * 3}, key="u" * 32)
    assert dict(sink.stats.rejected) == {"multi_user_error": 2501, "unknown_source": 3}


async def test_huge_numbers_are_accepted(track: Make, post: Post) -> None:
    async with Sink() as sink:
        await post(sink, {"batch": [track("a", properties={"n": 2**63 + 1, "f": 0.1})]})
    assert sink.events[0]["properties"] == {"n": 2**63 + 1, "f": 0.1}
