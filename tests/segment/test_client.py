"""TrackingClient over a real socket, against the fake Segment and its faults."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from support.clocks import ManualClock

from sprig_tui.errors import ConfigError
from sprig_tui.segment.client import MAX_EXCERPT_BYTES, SendResult, TrackingClient
from sprig_tui.segment.sink import FaultRule, Sink

from .conftest import Key

Payload = Callable[..., bytes]
TOKEN = "WnE4VGludmVudGVkV3JpdGVLZXkwMDAwMDAwZTFSazE6"


async def send(
    fault: FaultRule | str, key: Key, clock: ManualClock, payload: bytes, **options: Any
) -> tuple[SendResult, Sink]:
    async with (
        Sink(faults=[fault] if fault else [], clock=clock) as sink,
        TrackingClient(sink.url, key, clock=clock, **options) as client,
    ):
        return await client.send_batch(payload), sink


async def test_batch_arrives_unchanged(key: Key, clock: ManualClock, payload: Payload) -> None:
    answer, sink = await send("", key, clock, payload("sprig-1", "sprig-2"))
    assert (answer.kind, answer.status, answer.error, answer.excerpt) == ("delivered", 200, "", '{"success":true}')
    assert answer.latency_ms > 0
    assert answer.body_bytes == sink.stats.body_bytes
    assert [event["messageId"] for event in sink.events] == ["sprig-1", "sprig-2"]
    assert {event["sentAt"] for event in sink.events} == {"2026-11-02T12:00:00.000Z"}
    assert {event["timestamp"] for event in sink.events} == {"2026-11-01T10:00:00.000Z"}
    assert "writeKey" not in sink.events[0]


async def test_attempt_has_a_new_sent_at_and_its_retry_count(key: Key, clock: ManualClock, payload: Payload) -> None:
    async with Sink(clock=clock) as sink, TrackingClient(sink.url, key, clock=clock) as client:
        await client.send_batch(payload("sprig-1"))
        clock.ms += 60_000
        await client.send_batch(payload("sprig-2"), 1)
        await client.send_batch(payload("sprig-3"), 2)
    assert [event["sentAt"] for event in sink.events] == [
        "2026-11-02T12:00:00.000Z",
        "2026-11-02T12:01:00.000Z",
        "2026-11-02T12:01:00.000Z",
    ]
    assert [seen.retry_count for seen in sink.requests] == ["", "1", "2"]
    assert sink.stats.connections == 1, "the connection is kept alive"


async def test_gzip_batch_is_accepted(key: Key, clock: ManualClock, payload: Payload) -> None:
    answer, sink = await send("", key, clock, payload(*(f"sprig-{n}" for n in range(100))), gzip=True)
    assert answer.kind == "delivered"
    assert sink.stats.accepted == 100
    assert answer.body_bytes == sink.stats.wire_bytes < sink.stats.body_bytes / 5


async def test_connection_limit_is_kept(key: Key, clock: ManualClock, payload: Payload) -> None:
    async with Sink(clock=clock) as sink, TrackingClient(sink.url, key, clock=clock, connections=2) as client:
        answers = await asyncio.gather(*(client.send_batch(payload(f"sprig-{n}")) for n in range(12)))
    assert {answer.kind for answer in answers} == {"delivered"}
    assert sink.stats.connections <= 2
    assert sink.stats.accepted == 12


async def test_request_headers_and_body_on_the_wire(key: Key, clock: ManualClock, payload: Payload) -> None:
    got = asyncio.Queue[bytes]()

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        got.put_nowait(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(record, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with TrackingClient(f"http://127.0.0.1:{port}/sub/", key, clock=clock) as client:
            answer = await client.send_batch(b'{"a":"\xc3\xa9"}', 3)
    head, _, body = got.get_nowait().partition(b"\r\n\r\n")
    assert answer.kind == "delivered"
    assert head.startswith(b"POST /sub/v1/batch HTTP/1.1\r\n")
    lines = set(head.lower().split(b"\r\n"))
    assert b"content-type: application/json" in lines
    assert b"authorization: basic " + TOKEN.lower().encode() in lines
    assert b"x-retry-count: 3" in lines
    assert any(line.startswith(b"user-agent: sprig-tui/") for line in lines)
    assert body == b'{"batch":[{"a":"\xc3\xa9"}],"sentAt":"2026-11-02T12:00:00.000Z"}'


@pytest.mark.parametrize(
    ("fault", "kind", "status", "error"),
    [
        ("400", "refused", 400, "fault_400"),
        ("413", "refused", 413, "fault_413"),
        ("404", "refused", 404, "fault_404"),
        ("401", "key-refused", 401, "fault_401"),
        ("403", "key-refused", 403, "fault_403"),
        ("429", "retry", 429, "fault_429"),
        ("503", "retry", 503, "fault_503"),
        ("501", "refused", 501, "fault_501"),
        ("reset", "retry", 0, "connection reset"),
        ("reset+accept", "retry", 0, "connection reset"),
        ("close", "retry", 0, "connection closed without an answer"),
        ("truncate", "delivered", 200, ""),
        ("truncate=503", "retry", 503, "http 503"),
        ("content-type", "delivered", 200, ""),
        ("html", "retry", 200, "http 200 with a web page: check the endpoint"),
        ("html=502", "retry", 502, "http 502"),
        ("unsuccess", "delivered", 200, 'answered "success": false'),
        ("511", "refused", 511, "fault_511"),
        ("redirect", "retry", 302, "redirected to sign-in.example: check the endpoint"),
        ("redirect=/elsewhere", "retry", 302, "redirected to 127.0.0.1: check the endpoint"),
        ("redirect=http://[", "retry", 302, "redirected to 127.0.0.1: check the endpoint"),
    ],
)
async def test_result_of_each_fault(
    fault: str, kind: str, status: int, error: str, key: Key, clock: ManualClock, payload: Payload
) -> None:
    answer, _ = await send(fault, key, clock, payload())
    assert (answer.kind, answer.status, answer.error) == (kind, status, error)
    assert answer.endpoint_fault == (status in (302, 404, 501, 511) or fault == "html")
    assert answer.final == (status == 511)
    assert answer.unconfirmed == (fault == "unsuccess")
    assert answer.bisect == (status in (400, 413))


async def test_hanging_server_times_out(key: Key, clock: ManualClock, payload: Payload) -> None:
    answer, sink = await send("hang", key, clock, payload(), timeout=0.05)
    assert (answer.kind, answer.status, answer.error) == ("retry", 0, "no answer within 0.05 s")
    assert sink.stats.statuses == {"hang": 1}


@pytest.mark.parametrize(("status", "kind"), [(200, "delivered"), (503, "retry")])
async def test_trickled_response_ends_at_the_deadline_and_keeps_its_status(
    status: int, kind: str, key: Key, clock: ManualClock, payload: Payload
) -> None:
    if status == 200:
        fault = FaultRule(do="trickle", seconds=0.03)
        answer, sink = await send(fault, key, clock, payload(), timeout=1, deadline=0.1)
        assert sink.stats.accepted == 1
    else:
        fault = FaultRule(do="truncate", status=status)
        answer, sink = await send(fault, key, clock, payload(), timeout=1, deadline=1)
        assert sink.stats.accepted == 0
    assert (answer.kind, answer.status) == (kind, status)


async def test_slow_response_is_a_retry(key: Key, clock: ManualClock, payload: Payload) -> None:
    answer, sink = await send("slow=30", key, clock, payload(), timeout=60, deadline=0.05)
    assert (answer.kind, answer.error) == ("retry", "no answer within 0.05 s")
    assert sink.stats.accepted == 1, "it was taken in: the message id makes repeating it harmless"


async def test_huge_response_is_not_read_completely(key: Key, clock: ManualClock, payload: Payload) -> None:
    async with (
        Sink(faults=["huge=200@1"], clock=clock) as sink,
        TrackingClient(sink.url, key, clock=clock, timeout=5) as client,
    ):
        huge = await client.send_batch(payload("sprig-1"))
        after = await client.send_batch(payload("sprig-2"))
    assert (huge.kind, after.kind) == ("delivered", "delivered")
    assert len(huge.excerpt.encode()) == MAX_EXCERPT_BYTES
    assert sink.stats.connections == 2, "the connection with the unread rest was dropped"


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("429+retry-after=2", 2.0),
        ("503+retry-after=1.5", 1.5),
        ("429+retry-after=date:30", 30.0),
        ("429+retry-after=99999", 300.0),
        ("429+reset=25", 25.0),
        ("429+retry-after=soon", None),
        ("503", None),
        ("400+retry-after=5", None),
        ("401+retry-after=5", None),
    ],
)
async def test_retry_after_of_a_response(
    fault: str, seconds: float | None, key: Key, clock: ManualClock, payload: Payload
) -> None:
    answer, _ = await send(fault, key, clock, payload())
    assert answer.retry_after_s == seconds


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"code":"invalid_request","message":"no"}', "invalid_request"),
        ('{"message":"body is too large"}', "body is too large"),
        ('{"success":false,"message":"line\\nbreak \\u001b[31m"}', "line break  [31m"),
        ('{"code":400}', "http 400"),
        ('{"code":"<b>not a code</b>","error":"e"}', "e"),
        ('["a","list"]', "http 400"),
        ("not json", "http 400"),
        ("[" * 5000, "http 400"),
        ('{"message":"' + "x" * 500 + '"}', "x" * 120),
    ],
)
async def test_error_from_an_error_body(body: str, error: str, key: Key, clock: ManualClock, payload: Payload) -> None:
    answer, _ = await send(FaultRule(do="status", status=400, body=body), key, clock, payload())
    assert answer.error == error
    assert len(answer.excerpt.encode()) <= MAX_EXCERPT_BYTES


async def test_echoed_write_key_is_redacted(
    key: Key, clock: ManualClock, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    echo = json.dumps({"message": f"bad key {key.reveal()} from Basic {TOKEN}", "code": key.reveal() + "!"})
    with caplog.at_level(logging.DEBUG):
        answer, sink = await send(FaultRule(do="status", status=400, body=echo), key, clock, payload())
    for text in (answer.error, answer.excerpt, repr(answer), repr(sink.stats), repr(sink.requests), caplog.text):
        assert key.reveal() not in text
        assert TOKEN not in text


async def test_response_that_is_not_utf8(key: Key, clock: ManualClock, payload: Payload) -> None:
    async def latin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'Z"}')
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 5\r\nConnection: close\r\n\r\nn\xe9in\xff")
        writer.close()

    async with await asyncio.start_server(latin, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with TrackingClient(url, key, clock=clock) as client:
            answer = await client.send_batch(payload())
    assert answer.excerpt == "n\ufffdin\ufffd"


async def test_server_without_http_is_reported(key: Key, clock: ManualClock, payload: Payload) -> None:
    async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(banner, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with TrackingClient(url, key, clock=clock) as client:
            answer = await client.send_batch(payload())
    assert (answer.kind, answer.error) == ("retry", "answer is not http")


async def test_refused_connection_is_reported(key: Key, clock: ManualClock, payload: Payload) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with TrackingClient(f"http://127.0.0.1:{unused.getsockname()[1]}", key, clock=clock) as client:
            answer = await client.send_batch(payload())
    assert (answer.kind, answer.status, answer.error) == ("retry", 0, "connection refused")
    assert not answer.endpoint_fault


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid"])
async def test_unknown_host_is_reported(host: str, key: Key, clock: ManualClock, payload: Payload) -> None:
    async with TrackingClient(f"https://{host}", key, clock=clock, timeout=5) as client:
        answer = await client.send_batch(payload())
    assert (answer.kind, answer.error) == ("retry", f"host not found: {host}")


async def test_client_recovers_after_an_outage(key: Key, clock: ManualClock, payload: Payload) -> None:
    sink = Sink(clock=clock)
    await sink.start()
    async with TrackingClient(sink.url, key, clock=clock) as client:
        before = await client.send_batch(payload("sprig-1"))
        await sink.close()
        during = [await client.send_batch(payload("sprig-2")) for _ in range(2)]
        await sink.start()
        after = await client.send_batch(payload("sprig-2"), 2)
        await sink.close()
    assert [before.kind, *(one.kind for one in during), after.kind] == ["delivered", "retry", "retry", "delivered"]
    assert during[1].error == "connection refused"
    assert [event["messageId"] for event in sink.events] == ["sprig-1", "sprig-2"]


async def test_client_is_usable_after_a_cancelled_request(key: Key, clock: ManualClock, payload: Payload) -> None:
    async with Sink(faults=["hang@1"], clock=clock) as sink, TrackingClient(sink.url, key, clock=clock) as client:
        task = asyncio.create_task(client.send_batch(payload()))
        await sink.wait_until(lambda stats: stats.requests == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.send_batch(payload())).kind == "delivered"


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:80", "https://", "https://user:secret@api.segment.io", "http://[", ""]
)
def test_invalid_endpoint_is_a_config_error(url: str, key: Key, clock: ManualClock) -> None:
    with pytest.raises(ConfigError) as caught:
        TrackingClient(url, key, clock=clock)
    assert "secret" not in str(caught.value)


def test_certificates_are_loaded_only_for_https(monkeypatch: pytest.MonkeyPatch, key: Key, clock: ManualClock) -> None:
    read: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_verify_locations

    def noted(context: ssl.SSLContext, *args: Any, **named: Any) -> None:
        read.append(context)
        load(context, *args, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    TrackingClient("http://127.0.0.1:9", key, clock=clock)
    assert not read
    TrackingClient("https://127.0.0.1:9", key, clock=clock)
    assert read
    assert all(context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname for context in read)


def test_invalid_proxy_setting_is_named_without_its_password(
    key: Key, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:secret@127.0.0.1:1")
    with pytest.raises(ConfigError, match="HTTPS_PROXY names a proxy of the kind") as caught:
        TrackingClient("https://api.segment.io", key, clock=clock)
    assert "secret" not in repr(caught.value) + caught.value.hint
