"""Rejected webhooks: their status, their JSON, and the log."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable

import pytest
from support.blocked_journal import BlockedJournal

from sprig_tui.config.environment import Environment, WebhookToken
from sprig_tui.errors import JournalFullError
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.webhooks.body import WebhookLimits

TOKEN = "production-token-0123456789"
HEAD = (
    b"POST /webhooks/production HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer " + TOKEN.encode() + b"\r\n"
)


async def until(holds: Callable[[], object]) -> None:
    """Wait for what the server does on its own."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


async def exchange(port: int, *parts: bytes) -> bytes:
    """Write raw bytes, then read until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Basic cHJvZHVjdGlvbi10b2tlbg==",
        f"Token {TOKEN}",
        "Bearer t\u00f6ken",
    ],
)
@pytest.mark.parametrize("path", ["/webhooks/production", "/webhooks", "/webhooks/no-such-place"])
async def test_requests_without_a_valid_token_are_rejected(serve, answer, header, path):
    served = await serve()
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    done = await served.post(answer(), path, "", **headers)
    assert done.status_code == 401
    assert done.headers["www-authenticate"] == "Bearer"
    assert "production" not in done.json()["error"]
    assert await served.log() == []


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer   {TOKEN}", f"BEARER {TOKEN}"])
async def test_bearer_scheme_is_case_insensitive(serve, answer, header):
    served = await serve()
    assert (await served.post(answer(), token="", authorization=header)).status_code == 200


async def test_environment_without_token_is_open_on_loopback_only(serve, answer):
    environments = {"production": Environment(name="production")}
    served = await serve(environments=environments)
    assert (await served.post(answer(), token="")).status_code == 200
    assert (await served.post(answer(2), token="whatever sprig was given")).status_code == 200
    guarded = await serve(environments=environments, trusting=False, journal=served.journal)
    assert (await guarded.post(answer(3), token="")).status_code == 401
    assert (await guarded.post(answer(3), token="x")).status_code == 401


async def test_empty_token_authenticates_nobody(serve, answer):
    served = await serve(environments={"production": Environment(name="production", webhook_token=WebhookToken(""))})
    for token in ("", "x"):
        assert (await served.post(answer(), token=token)).status_code == 401
    assert (await exchange(served.port, b"POST /webhooks HTTP/1.0\r\nauthorization: Bearer \r\n\r\n"))[9:12] == b"401"


async def test_unknown_paths_and_methods_are_rejected(serve, answer):
    served = await serve()
    assert (await served.post(answer(), "/webhooks/no-such-place")).status_code == 404
    assert "no-such-place" in (await served.post(answer(), "/webhooks/no-such-place")).json()["error"]
    assert (await served.post(answer(), "/")).json()["error"].startswith("there is nothing here")
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        done = await served.client.request(method, "/webhooks/production")
        assert (done.status_code, done.json()) == (405, {"error": "webhooks are POSTed"})


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
    ],
)
async def test_bodies_of_other_content_types_are_rejected(serve, answer, headers):
    served = await serve()
    done = await served.post(answer(), **headers)
    assert done.status_code == 415
    assert done.json()["error"]


@pytest.mark.parametrize(
    "kind", ["application/json;charset=UTF-8", 'Application/JSON; charset="utf-8"', "application/cloudevents+json"]
)
async def test_json_content_types_are_accepted(serve, answer, kind):
    served = await serve()
    assert (await served.post(answer(), **{"content-type": kind})).status_code == 200


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "ends too early"),
        (b'{"eventType":"ANSWER_SUBMITTED"', "ends too early"),
        (b"userId=acct_1", "at byte 1"),
        (b'{"eventType":"\xff"}', "not UTF-8"),
        (b"[" * 50_000 + b"]" * 50_000, "deep"),
        (b"\x00\x01", "at byte 1"),
        (b"# a\nb\nc\n", "at byte 1"),
        (b"x\n" * 2_000, "at byte 1"),
        (b"x" + b"{" * 101 + b'"' + b'\\"' * 75_000, "at byte 1"),
    ],
)
async def test_body_that_is_not_json_is_rejected_and_withheld(serve, raw, reason):
    served = await serve()
    done = await served.post(raw)
    assert done.status_code == 400
    assert done.json()["error"].startswith("the body is not JSON: ")
    assert reason in done.json()["error"]
    assert done.json()["withheld"] == 1
    [delivery] = await served.log()
    assert (delivery.environment, delivery.reason) == ("production", "invalid")


async def test_answers_in_a_truncated_body_are_stored(serve, answer):
    served = await serve()
    done = await served.post(b"[" + json.dumps(answer()).encode() + b",\n{\n{\n{")
    assert (done.status_code, done.json()["withheld"]) == (400, 1)
    assert sorted(one.reason for one in await served.log()) == ["", "invalid"]


async def test_byte_order_mark_is_removed_from_the_stored_body(serve, answer):
    served = await serve()
    assert (await served.post(b"\xef\xbb\xbf" + json.dumps(answer()).encode())).json()["queued"] == 1
    assert (await served.post(answer())).json()["known"] == 1


async def test_long_body_does_not_block_other_requests(serve, answer):
    """Its records are many, and each is odd: it is read in another thread, and mapped by turns."""
    served = await serve()
    body = json.dumps([answer(number) | {"userId": None} for number in range(500)]).encode()
    done = await served.post(body)
    assert (done.status_code, done.json()["withheld"]) == (200, 500)


@pytest.mark.parametrize("raw", [b"", b"  \n"])
async def test_empty_body_is_rejected(serve, raw):
    served = await serve()
    done = await served.post(raw)
    assert (done.status_code, done.json()["error"]) == (400, "the body is empty; send JSON")
    assert await served.log() == []


async def test_body_with_too_many_records_is_rejected(serve):
    served = await serve()
    done = await served.post(b"[" + b"1," * 400_000 + b"1]")
    assert done.status_code == 413
    assert await served.log() == []


# -- length and pace -------------------------------------------------------------------------------------------------


async def test_announced_long_body_is_rejected_before_it_is_read(serve):
    served = await serve(limits=WebhookLimits(body_bytes=1000))
    response = await exchange(served.port, HEAD + b"content-length: 1001\r\nexpect: 100-continue\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 413 ")
    assert response.endswith(b'{"error":"the body is longer than 1,000 bytes"}')
    absurd = await exchange(served.port, HEAD + b"content-length: " + b"9" * 20 + b"\r\n\r\n")
    assert absurd[9:12] in (b"413", b"400")


async def test_chunked_body_over_the_limit_is_rejected(serve):
    served = await serve(limits=WebhookLimits(body_bytes=1000))
    chunks = [b"190\r\n" + b"x" * 400 + b"\r\n"] * 4
    response = await exchange(served.port, HEAD + b"transfer-encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 413 ")
    assert served.receiver.body_budget.used_bytes == 0


async def test_body_of_exactly_the_limit_is_accepted(serve, answer):
    raw = json.dumps(answer()).encode()
    served = await serve(limits=WebhookLimits(body_bytes=len(raw)))
    assert (await served.post(raw)).status_code == 200
    assert (await served.post(raw + b" ")).status_code == 413


async def test_client_that_keeps_sending_still_gets_the_rejection(serve):
    served = await serve(limits=WebhookLimits(body_bytes=1000))
    length = 2_000_000
    response = await exchange(
        served.port, HEAD + b"content-length: %d\r\n\r\n" % length, *([b"x" * 100_000] * (length // 100_000))
    )
    assert response.startswith(b"HTTP/1.1 413 ")


async def test_slow_body_times_out(serve):
    served = await serve(limits=WebhookLimits(body_seconds=0.2))
    response = await exchange(served.port, HEAD + b"content-length: 100\r\n\r\n{")
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"did not come within 0.2 s" in response
    assert served.receiver.body_budget.used_bytes == 0


async def test_client_disconnect_releases_the_buffer(serve, answer):
    served = await serve()
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + b"content-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await served.post(answer())).status_code == 200
    await until(lambda: served.receiver.metrics.rejected)
    assert served.receiver.body_budget.used_bytes == 0


# -- too much at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b"POST /webhooks HTTP/1.1\r\n"])
async def test_missing_headers_time_out(serve, start):
    served = await serve(limits=WebhookLimits(head_seconds=0.2))
    assert (await exchange(served.port, start)).startswith(b"HTTP/1.1 408 ")


async def test_missing_headers_of_a_second_request_time_out(serve):
    served = await serve(limits=WebhookLimits(head_seconds=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"GET /hea")
    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_connection_over_the_limit_gets_503(serve, answer, tmp_path):
    async with BlockedJournal(tmp_path / "slow.db") as journal:
        served = await serve(limits=WebhookLimits(connections=3), journal=journal)
        posting = [asyncio.create_task(served.post(answer(number))) for number in range(3)]
        length = sum(len(json.dumps(answer(number))) for number in range(3))
        await until(lambda: served.receiver.body_budget.used_bytes == length)
        response = await exchange(served.port, HEAD)
        assert response.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in response
        journal.go.set()
        assert {response.status_code for response in await asyncio.gather(*posting)} == {200}
        assert (await served.post(answer())).status_code == 200


async def test_buffered_bytes_are_limited_over_all_connections(serve, answer):
    served = await serve(limits=WebhookLimits(max_buffered_bytes=1500))
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + b"content-length: 2000\r\n\r\n" + b" " * 1400)
    await until(lambda: served.receiver.body_budget.used_bytes == 1400)
    done = await served.post(answer())
    assert (done.status_code, done.headers["retry-after"]) == (503, "1")
    writer.close()
    await writer.wait_closed()
    await until(lambda: not served.receiver.body_budget.used_bytes)
    assert (await served.post(answer())).status_code == 200
    assert reader is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /webhooks HTTP/1.1\r\nhost: x\r\n" + b"x-long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde",
    ],
)
async def test_invalid_http_is_rejected_and_the_next_client_served(serve, answer, raw):
    served = await serve()
    try:
        response = await exchange(served.port, raw)
    except ConnectionError:
        response = b""
    assert not response or response[9:10] == b"4"
    assert (await served.post(answer())).status_code == 200


# -- what cannot be stored -------------------------------------------------------------------------------------------


class Full(SQLiteJournal):
    """A journal whose disk is full while `full` says so."""

    full = True

    async def add(self, entries, *, deadline=None):  # noqa: ARG002
        if self.full:
            raise JournalFullError("no room left for the journal /var/lib/j.db", hint="free disk space")
        return await super().add(entries)


async def test_outage_is_logged_once_per_interval(serve, answer, tmp_path, caplog):
    async with Full(tmp_path / "full.db") as journal:
        served = await serve(journal=journal)
        for number in range(20):
            assert (await served.post(answer(number))).status_code == 503
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1
    assert "503" in lines[0]
    assert "no room left for the journal" in lines[0]


async def test_failed_store_is_answered_with_503(serve, answer, tmp_path):
    async with Full(tmp_path / "full.db") as journal:
        served = await serve(journal=journal)
        done = await served.post(answer())
        assert (done.status_code, done.headers["retry-after"]) == (503, "5")
        assert done.json() == {"error": "it could not be stored; send it again"}
        journal.full = False
        assert (await served.post(answer())).json()["queued"] == 1
        assert served.receiver.body_budget.used_bytes == 0


async def test_locked_journal_is_answered_with_503_after_the_timeout(serve, answer, tmp_path):
    async with SQLiteJournal(tmp_path / "held.db", busy_timeout=0.2) as journal:
        served = await serve(journal=journal)
        holder = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        done = await asyncio.gather(*(served.post(answer(number)) for number in range(5)))
        assert {response.status_code for response in done} == {503}
        ready = await served.client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        holder.execute("ROLLBACK")
        holder.close()
        assert (await served.post(answer())).status_code == 200
        assert len(await served.log()) == 1


async def test_internal_error_is_answered_in_json(serve, answer, monkeypatch, caplog):
    served = await serve()

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(served.receiver._handler, "handle", broken)
    done = await served.post(answer())
    assert (done.status_code, done.json()) == (500, {"error": "internal error; send it again"})
    assert "ZeroDivisionError" in caplog.text
    assert socket.gethostname() not in done.text
