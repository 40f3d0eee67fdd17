"""`sprig-tui help`: the list, a topic in a pipe, at a terminal and in a pager, and words that name none."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.forked import popen
from support.pages_of_documentation import PAGES

from sprig_tui.cli import output, style
from sprig_tui.cli.program import run
from sprig_tui.docs.topics import TOPICS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*argv: str) -> tuple[int, str, str]:
        style.set_color_choice("auto")
        code = run(list(argv))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_without_a_topic_all_are_listed(cli: Run) -> None:
    code, out, _ = cli("help")
    assert code == 0
    for name, about in TOPICS.items():
        assert f"{name:<14}{about}\n" in out


@pytest.mark.parametrize("words", [("replay",), ("withdraw",), ("journal", "resume")])
def test_in_a_pipe_a_topic_is_its_markdown(cli: Run, words: tuple[str, ...]) -> None:
    assert cli("help", *words) == (0, PAGES["replay"], "")


def test_an_unknown_topic_names_the_nearest(cli: Run) -> None:
    code, out, err = cli("help", "webhok")
    assert (code, out) == (2, "")
    assert "there is no topic 'webhok'; did you mean webhooks?" in err
    assert "sprig-tui help lists the topics" in err


def test_text_of_a_command_line_cannot_control_the_terminal(cli: Run) -> None:
    _, _, err = cli("help", "\x1b[2J\u202e")
    assert "\x1b" not in err
    assert "\u202e" not in err


def test_a_text_that_fits_is_not_paged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PAGER", "false")
    output.write_paged(["one", "two"])
    assert capsys.readouterr().out == "one\ntwo\n"


def test_at_a_terminal_a_long_topic_goes_rendered_to_the_pager(tmp_path: Path) -> None:
    inner, outer = pty.openpty()
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\ntr "a-z" "A-Z"\n', encoding="utf-8")
    pager.chmod(0o755)
    with popen(
        ["help", "replay"],
        stdin=outer,
        stdout=outer,
        stderr=outer,
        env={**os.environ, "PAGER": str(pager), "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80", "LINES": "24"},
    ) as process:
        os.close(outer)
        seen = b""
        try:
            while more := os.read(inner, 65_536):
                seen += more
        except OSError:
            pass  # the other end is closed: it is over
    os.close(inner)
    assert process.returncode == 0
    text: Any = seen.decode()
    assert "REPLAY AND IDS\r\n\r\nA REPLAY QUEUES DELIVERIES AGAIN" in text
    assert max(map(len, text.splitlines())) <= 80
