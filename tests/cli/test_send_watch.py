"""`send --watch`, as a process: real folders, the fake Segment on a socket, signals, restarts."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.forked import popen
from support.live_sink import LiveSink

Run = Callable[..., Any]


class Watcher:
    """The command under test; `next()` gives each object that it writes."""

    def __init__(self, *argv: str) -> None:
        self._process = popen(
            ["send", "--watch", *argv, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._rows: queue.Queue[dict[str, Any]] = queue.Queue()
        self._lines: queue.Queue[str] = queue.Queue()
        self._threads = [threading.Thread(target=self._read_rows), threading.Thread(target=self._read_said)]
        for thread in self._threads:
            thread.start()

    def _read_rows(self) -> None:
        for line in self._process.stdout or ():
            self._rows.put(json.loads(line))

    def _read_said(self) -> None:
        for line in self._process.stderr or ():
            self.said.append(line)
            self._lines.put(line)

    def next(self) -> dict[str, Any]:
        return self._rows.get(timeout=30)

    def hears(self, text: str) -> None:
        while text not in self._lines.get(timeout=30):
            pass

    def ended(self) -> int:
        return self._process.wait(30)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        self._process.kill()
        self.ended()

    def close(self) -> list[dict[str, Any]]:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(30)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return [self._rows.get() for _ in range(self._rows.qsize())]


@contextmanager
def watching(*argv: str) -> Iterator[Watcher]:
    """The command, watching; nothing that it wrote may be left over in the end."""
    watcher = Watcher(*argv)
    try:
        watcher.hears("watching")
        yield watcher
    finally:
        left = watcher.close()
    assert left == [], watcher.said


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def drop(inbox: Path, answer: Run) -> Run:
    """Put a file of answers into the folder, as most programs do: under another name first."""

    def put(name: str, *numbers: int, **changed: Any) -> Path:
        part = inbox / f"{name}.part"
        part.write_text("".join(json.dumps(answer(number, **changed)) + "\n" for number in numbers))
        return part.rename(inbox / name)

    return put


DEVELOPMENT = ("inbox", "-e", "development")


def test_watch_sends_each_file_once_across_a_restart(configured: Path, sink: LiveSink, drop: Run) -> None:
    drop("first.jsonl", 1, 2)
    with watching(*DEVELOPMENT) as watcher:
        assert watcher.next() == {
            "file": "inbox/first.jsonl",
            "records": 2,
            "new": 2,
            "known": 0,
            "delivered": 2,
            "failed": 0,
            "withheld": 0,
            "queued": 0,
            "reasons": {},
            "queued_before": {"delivered": 0, "failed": 0, "withheld": 0, "queued": 0},
        }
        drop("second.jsonl", 3)
        assert watcher.next()["file"] == "inbox/second.jsonl"
        assert watcher.stop() == 0
    assert sink.sink.stats.events == 3
    drop("third.jsonl", 4)
    with watching(*DEVELOPMENT) as watcher:
        row = watcher.next()
        assert (row["file"], row["delivered"]) == ("inbox/third.jsonl", 1)
        assert watcher.stop() == 0
    assert "2 files were read before" in "".join(watcher.said)
    assert sink.sink.stats.events == 4


def test_a_folder_read_again_after_a_prune_sends_nothing(configured: Path, sink: LiveSink, drop: Run, cli: Run) -> None:
    drop("first.jsonl", 1, 2)
    with watching(*DEVELOPMENT) as watcher:
        watcher.next()
        assert watcher.stop() == 0
    assert cli("journal", "prune", "--older-than", "0s", "--yes").code == 0
    drop("first.jsonl", 1, 2, 3)
    with watching(*DEVELOPMENT) as watcher:
        row = watcher.next()
        assert (row["records"], row["known"], row["delivered"]) == (3, 2, 1)
        assert watcher.stop() == 0
    assert sink.sink.stats.events == 3


def test_a_killed_watch_sends_nothing_twice_even_if_it_forgot(configured: Path, sink: LiveSink, drop: Run) -> None:
    drop("first.jsonl", 1, 2)
    with watching(*DEVELOPMENT) as watcher:
        watcher.next()
        watcher.kill()
    with contextlib.closing(sqlite3.connect(configured / "journal.db")) as journal:
        journal.execute("DELETE FROM positions")
        journal.commit()
    with watching(*DEVELOPMENT) as watcher:
        row = watcher.next()
        assert (row["records"], row["known"], row["delivered"]) == (2, 2, 0)
        assert watcher.stop() == 0
    assert (sink.sink.stats.events, sink.sink.stats.duplicates) == (2, 0)


def test_a_file_that_grows_is_read_again_for_what_is_new(
    configured: Path, sink: LiveSink, drop: Run, answer: Run
) -> None:
    file = drop("answers.jsonl", 1)
    with watching(*DEVELOPMENT) as watcher:
        watcher.next()
        with file.open("a") as stream:
            stream.write(json.dumps(answer(2)) + "\n")
        row = watcher.next()
        assert (row["records"], row["known"], row["delivered"]) == (2, 1, 1)
        assert watcher.stop() == 0
    assert (sink.sink.stats.events, sink.sink.stats.duplicates) == (2, 0)


def test_watch_continues_after_a_faulty_file(
    configured: Path, sink: LiveSink, inbox: Path, drop: Run, tmp_path: Path
) -> None:
    with watching("inbox") as watcher:
        drop("nowhere.jsonl", 1)
        row = watcher.next()
        assert (row["file"], row["records"]) == ("inbox/nowhere.jsonl", 0)
        assert "which environment?" in row["error"]
        drop("protected.jsonl", 1, environment="production")
        assert "production is protected" in watcher.next()["error"]
        (inbox / "other.json").write_text('{"name": "package"}')
        assert "is not a file of answers" in watcher.next()["error"]
        Path(os.fsdecode(os.fsencode(inbox) + b"/\xff.json")).write_text('{"userId": ""}')
        assert watcher.next()["file"] == r"inbox/\xff.json"
        (inbox / "link.json").symlink_to(tmp_path / "home" / "config.toml")
        watcher.hears("is a link, and is not followed")
        drop("good.jsonl", 2, environment="development")
        assert watcher.next()["delivered"] == 1
        assert watcher.stop() == 0
    assert [event["userId"] for event in sink.sink.events] == ["acct_2"]


def test_a_writer_that_pauses_in_the_middle_of_a_line(configured: Path, sink: LiveSink, inbox: Path, drop: Run) -> None:
    with watching("inbox") as watcher:
        drop("whole.jsonl", 1, 2, environment="development")
        assert watcher.next()["delivered"] == 2
        text = (inbox / "whole.jsonl").read_text().replace("acct_1", "acct_3").replace("000000000001", "000000000003")
        (inbox / "half.jsonl").write_text(text[:-40])
        watcher.hears("half.jsonl stops in the middle of a line")
        with (inbox / "half.jsonl").open("a") as rest:
            rest.write(text[-40:])
        row = watcher.next()
        assert (row["records"], row["delivered"], row["withheld"]) == (2, 1, 0)
        assert watcher.stop() == 0


def test_watch_needs_an_environment_for_anonymous_answers_too(configured: Path, sink: LiveSink, drop: Run) -> None:
    with watching("inbox") as watcher:
        drop("nowhere.jsonl", 1, 2, userId="")
        row = watcher.next()
        assert (row["records"], row["error"]) == (0, "which environment? its first answer names none")
        drop("protected.jsonl", 1, userId="", environment="production")
        row = watcher.next()
        assert (row["records"], row["error"]) == (0, "production is protected, and there is no terminal to ask at")
        assert watcher.stop() == 0


def test_a_config_that_changes_gives_refused_files_another_chance(configured: Path, sink: LiveSink, drop: Run) -> None:
    config = configured / "config.toml"
    whole = config.read_text()
    config.write_text(whole.partition("[environments.development]")[0])
    drop("answers.jsonl", 1, environment="development")
    with watching("inbox") as watcher:
        assert watcher.next()["error"] == "development has no write key"
        config.write_text(whole)
        assert watcher.next()["delivered"] == 1
        assert watcher.stop() == 0


def test_the_folder_may_go_and_come_back(configured: Path, sink: LiveSink, inbox: Path, drop: Run) -> None:
    with watching(*DEVELOPMENT) as watcher:
        inbox.rmdir()
        watcher.hears("there is no folder inbox now")
        inbox.mkdir()
        drop("answers.jsonl", 1)
        watcher.hears("inbox is there again")
        assert watcher.next()["delivered"] == 1
        assert watcher.stop() == 0


def test_watch_names_an_endpoint_that_is_down_and_delivers_later(configured: Path, sink: LiveSink, drop: Run) -> None:
    sink.down()
    drop("answers.jsonl", 1)
    with watching(*DEVELOPMENT, "--give-up-after", "1s") as watcher:
        row = watcher.next()
        assert (row["queued"], row["delivered"]) == (1, 0)
        assert watcher.stop() == 0
    sink.up()
    with watching(*DEVELOPMENT) as watcher:
        sink.wait_until(lambda stats: stats.events == 1)
        assert watcher.stop() == 0


def test_a_declared_protected_environment_is_consent(configured: Path, sink: LiveSink, drop: Run) -> None:
    drop("answers.jsonl", 1, 2)
    with watching("inbox", "-e", "production") as watcher:
        assert watcher.next()["delivered"] == 2
        assert watcher.stop() == 0


def test_without_waiting_it_stores_only(configured: Path, sink: LiveSink, drop: Run) -> None:
    drop("answers.jsonl", 1)
    with watching(*DEVELOPMENT, "--no-wait") as watcher:
        assert watcher.next()["queued"] == 1
        assert watcher.stop() == 0
    assert sink.sink.stats.requests == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--watch", "nowhere"), "nowhere is not there"),
        (("--watch", "home/config.toml"), "home/config.toml is not a folder"),
        (("--watch", "inbox", "-e", "staging"), "no environment is called"),
        (("--watch", "inbox", "answers.jsonl"), "takes a folder and nothing else"),
        (("--watch", "inbox", "--dry-run"), "takes a folder and nothing else"),
        ((), "name the files to send, or a folder"),
    ],
)
def test_watch_refuses_contradictory_options(
    cli: Run, configured: Path, inbox: Path, argv: tuple[str, ...], said: str
) -> None:
    done = cli("send", *argv)
    assert done.code == 2
    assert said in done.err


def test_an_environment_without_a_key_is_refused_at_once(cli: Run, home: Path, inbox: Path) -> None:
    done = cli("send", "--watch", "inbox", "-e", "development")
    assert done.code == 2
    assert "development has no write key" in done.err
