"""Preview as lines: broken between words and within the terminal's width, and whole in a pipe."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.cli import output
from sprig_tui.cli.text_wrap import flow, text_width, wrap

Run = Callable[..., Any]
NOTE = "survey unknown: when it was created is neither in the record nor in the catalogue"
LONG = "an answer that is longer than any column " * 4


@given(st.text(st.sampled_from("ab c-日é \u0301"), max_size=200), st.integers(8, 60))
def test_wrapped_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    lines = list(wrap(text, width))
    assert all(text_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    words = set(text.split())
    if all(text_width(word) <= width for word in words):
        assert {word for line in lines for word in line.split()} == words


def test_parts_stand_beside_each_other_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [("one", ""), ("two words", ""), ("three words more", "")]
    assert list(flow(parts, 0, "  ")) == ["  one  two words  three words more"]
    assert list(flow(parts, 20)) == ["one  two words", "three words more"]
    monkeypatch.setattr(output, "paint", lambda text, name: f"<{name}:{text}>")
    assert list(flow([("one two three", "good")], 9)) == ["<good:one two>", "<good:three>"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_preview_wraps_notes_at_words_within_the_terminal_width(
    cli: Run, write: Run, answer: Run, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    file = write(
        answer(1, surveyName=None, response=LONG, attributes={"a_rather_long_name_of_an_attribute": "日本語" * 20}),
        answer(2, userId=None),
        '{"surveyId": 5',
    )
    monkeypatch.setattr(output, "terminal_columns", lambda: width)
    done = cli("preview", file, "-e", "development")
    assert done.code == 1
    lines = done.out.splitlines()
    assert [line for line in lines if text_width(line) > width] == []
    told = " ".join(done.out.split())
    assert NOTE in told
    assert "no User ID: Segment drops it without a word" in told
    assert "withheld, invalid: not valid JSON" in told
    assert "would be sent to development (https://api.segment.io), which has no write key yet" in told


def test_in_a_pipe_nothing_is_cut(process: Run, write: Run, answer: Run) -> None:
    path = f"properties.{'long' * 12}"
    file = write(answer(1, response=LONG, attributes={"long" * 12: "v" * 300}))
    done = process("preview", file, "-e", "development", COLUMNS="40")
    assert done.code == 0
    assert "…" not in done.out
    assert LONG.strip() in done.out
    assert "v" * 300 in done.out
    assert path.removeprefix("properties.") in done.out
    assert any(NOTE in line for line in done.out.splitlines())


def test_the_width_is_the_terminals_own(terminal: Run, write: Run, answer: Run) -> None:
    os.environ.pop("COLUMNS", None)
    at = terminal("preview", write(answer(1)), "-e", "development", "--color", "never")
    assert at.ends() == 0
    assert max(map(text_width, at.seen.splitlines())) <= 80


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_doctor_keeps_to_the_terminals_width_too(cli: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    whole = " ".join(cli("doctor", "--offline").out.split())
    monkeypatch.setattr(output, "terminal_columns", lambda: width)
    lines = cli("doctor", "--offline").out.splitlines()
    broken = [line for line in lines if text_width(line) > width]
    assert broken == []
    assert " ".join(" ".join(lines).split()) == whole or "/" in whole  # only paths are broken within a word


def test_answers_typed_at_the_terminal_are_waited_for_with_a_word(terminal: Run) -> None:
    at = terminal("preview", "-", "-e", "development")
    at.says("reading answers from this terminal; Ctrl-D ends them")
    at.types("\x04")
    assert at.ends() == 0
    assert "the input holds no records" in at.seen
