"""At a terminal, a real one: questions whose default is no, keys that are not shown, progress that leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.live_sink import LiveSink

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
Run = Callable[..., Any]


def test_a_protected_environment_asks_for_its_name(
    terminal: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    file = write(answer(1), answer(2))
    for typed in ("yes", "", "productio"):
        at = terminal("send", file, "-e", "production")
        at.says("type its name to continue: ")
        at.types(f"{typed}\n")
        assert at.ends() == 2
        assert "production was not confirmed" in at.seen
    assert sink.sink.stats.requests == 0
    at = terminal("send", file, "-e", "production")
    at.says("type its name to continue: ")
    at.types("production\n")
    assert at.ends() == 0
    assert "2 records: 2 delivered" in at.seen
    assert len(sink.sink.events) == 2


def test_a_key_is_typed_unseen_and_an_odd_one_is_asked_about(terminal: Run, home: Path) -> None:
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(f"{KEY[:20]}\n")
    at.says("store it anyway? [y/N] ")
    at.types("\n")
    assert at.ends() == 2
    assert not (home / "config.toml").exists()
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(f"{KEY}\n")
    assert at.ends() == 0
    assert KEY not in at.seen
    assert KEY in (home / "config.toml").read_text()


def test_removing_and_replaying_ask_with_no_as_default(
    terminal: Run, configured: Path, sink: LiveSink, cli: Run, write: Run, answer: Run
) -> None:
    assert cli("send", write(answer(1), answer(2)), "-e", "development").code == 0
    at = terminal("replay", "status:delivered")
    at.says("replay 2? [y/N] ")
    at.types("\n")
    assert at.ends() == 2
    at = terminal("keys", "remove", "production")
    at.says("type its name to continue: ")
    at.types("\x04")
    assert at.ends() == 2
    assert "[environments.production]\nwrite_key" in (configured / "config.toml").read_text()


def test_ctrl_c_at_a_question_is_130(terminal: Run, configured: Path, write: Run, answer: Run) -> None:
    at = terminal("send", write(answer(1), answer(2)), "-e", "production")
    at.says("type its name to continue: ")
    at.process.send_signal(2)
    assert at.ends() == 130
    assert not (configured / "journal.db").exists()


def test_progress_is_wiped_and_stays_off_stdout(
    terminal: Run, configured: Path, write: Run, answer: Run, tmp_path: Path
) -> None:
    out = (tmp_path / "out").open("w+b")
    at = terminal("send", write(*(answer(n) for n in range(3000))), "-e", "development", "--json", stdout=out)
    assert at.ends() == 0
    assert "3,000 records: 3,000 delivered" in at.seen.rpartition("\x1b[K")[2]
    out.seek(0)
    assert out.read().count(b"\n") == 1
    out.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_stdout_that_takes_nothing_is_named(home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sprig_tui", "paths"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert b"cannot write to stdout" in done.stderr


def test_closed_streams_are_no_fault(home: Path) -> None:
    for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'"{sys.executable}" -m sprig_tui paths {closed}'], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
