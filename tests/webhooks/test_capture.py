"""Captured requests, without their secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sprig_tui.errors import ConfigError
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.webhooks import capture as capture_module
from sprig_tui.webhooks.capture import RequestCapture

TOKEN = "production-token-0123456789"


async def test_captured_requests_hold_no_secrets(serve, answer, tmp_path):
    folder = tmp_path / "kept" / "raw"
    with RequestCapture(folder) as capture:
        served = await serve(on_request=capture.save)
        await served.post(answer(), **{"x-datadog-trace-id": "7", "cookie": "c=1"})
        await served.post(b"{broken")
        await served.post(answer(2), token="some-wrong-secret-token")
    first, second, third = sorted(folder.iterdir())
    head, _, body = first.read_bytes().partition(b"\r\n\r\n")
    assert head.startswith(b"POST /webhooks/production HTTP/1.1\r\n")
    assert b"x-datadog-trace-id: 7" in head
    assert json.loads(body) == answer()
    assert [file.name.split("-")[-1] for file in (first, second, third)] == ["200.http", "400.http", "401.http"]
    assert second.read_bytes().endswith(b"{broken")
    kept = b"".join(file.read_bytes() for file in folder.iterdir()).lower()
    assert b"authorization" not in kept
    assert b"cookie" not in kept
    assert TOKEN.encode() not in kept
    assert b"some-wrong-secret-token" not in kept
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_captured_control_characters_are_escaped(serve, answer, tmp_path):
    with RequestCapture(tmp_path / "kept") as capture:
        served = await serve(on_request=capture.save)
        await served.post(answer(), "/webhooks/%1b%5d0;x%0aHost:y", **{"x-title": b"\x9b31m\xff"})
    [kept] = (tmp_path / "kept").iterdir()
    head = kept.read_bytes().partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /webhooks/%1b%5d0;x%0aHost:y HTTP/1.1\r\n")
    assert "\x9b" not in head.decode()
    assert b"31m" in head


async def test_capture_stops_at_its_file_limit(serve, answer, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(capture_module, "MAX_FILES", 2)
    with RequestCapture(tmp_path / "kept") as capture:
        served = await serve(on_request=capture.save)
        for number in range(4):
            assert (await served.post(answer(number))).status_code == 200
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert caplog.text.count("no more are") == 1


async def test_capture_error_does_not_stop_the_receiver(serve, answer, tmp_path, caplog):
    folder = tmp_path / "kept"
    with RequestCapture(folder) as capture:
        served = await serve(on_request=capture.save)
        folder.rmdir()
        for number in range(3):
            assert (await served.post(answer(number))).status_code == 200
    assert caplog.text.count("capturing ends") == 1


def test_capture_folder_that_cannot_be_made_raises(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make the folder"), RequestCapture(tmp_path / "file" / "kept"):
        pass


async def test_captures_follow_store_raw(serve, answer, tmp_path):
    with RequestCapture(tmp_path / "kept") as capture:
        served = await serve(on_request=capture.save)
        await served.post(answer())
        capture.store_raw = "mapped"
        await served.post(answer(2))
    first, second = (file.read_bytes().partition(b"\r\n\r\n") for file in sorted((tmp_path / "kept").iterdir()))
    assert json.loads(first[2]) == answer()
    assert second[2] == b""
    assert b"bytes left out: journal.store_raw is mapped" in second[0]


async def test_answers_of_forgotten_persons_are_not_captured(serve, answer, tmp_path):
    with RequestCapture(tmp_path / "kept") as capture:
        served = await serve(on_request=capture.save)
        await served.journal.begin_forget([make_identifier("user", answer()["userId"])], "ann")
        responded = await served.post(answer())
        assert (responded.status_code, responded.json()["withheld"]) == (200, 1)
    (file,) = (tmp_path / "kept").iterdir()
    assert file.read_bytes().endswith(b"\r\n\r\n")


async def test_rejected_bodies_of_forgotten_persons_are_not_captured(serve, answer, tmp_path):
    """Also while the journal cannot be written, or the list cannot be read: a body without a verdict is left out."""
    theirs = json.dumps(answer()).encode()
    with RequestCapture(tmp_path / "kept") as capture:
        served = await serve(on_request=capture.save)
        await served.journal.begin_forget([make_identifier("user", answer()["userId"])], "ann")
        await served.post(theirs + b"{cut")
        await served.post(b'{"userId": "somebody-else", cut')
        async with SQLiteJournal(tmp_path / "journal.db") as other:
            await other.begin_forget([make_identifier("user", "another")], "ann")
        served.journal.forget_key_file.unlink()
        assert (await served.post(answer(2))).status_code == 503
    bodies = [file.read_bytes().partition(b"\r\n\r\n")[2] for file in sorted((tmp_path / "kept").iterdir())]
    assert bodies == [b"", b'{"userId": "somebody-else", cut', b""]
