"""Bracketed pastes: whole, however they are read, and without a key in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from sprig_tui.console.keyboard import bracketed
from sprig_tui.console.keyboard.bracketed import BurstPaste, PasteSplitter

START, END = "\x1b[200~", "\x1b[201~"


def split(reads: list[str]) -> tuple[str, list[str]]:
    """What is left for the parser, and the pastes."""
    typed, pastes = [], []
    splitter = PasteSplitter(lambda size: pastes.append(f"{size} characters"))
    for read in reads:
        for part in splitter.feed(read):
            (pastes if isinstance(part, events.Paste) else typed).append(getattr(part, "text", part))
    return "".join(typed), pastes


def in_reads(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(
    typed=st.text("ab\r\x1b[", max_size=4).filter(lambda text: START[:3] not in text),
    pasted=st.text("a\x1b[201~\r", max_size=30).filter(lambda text: END not in text + "\x1b[201"),
    size=st.integers(1, 40),
)
def test_a_paste_is_whole_and_what_is_around_it_is_typed(typed, pasted, size):
    whole = f"{START}{pasted}{END}"
    # a start that is cut within its first three characters is left to the parser, which joins it
    reads = [whole[:3], *in_reads(whole[3:], size)]
    assert split([typed, *reads, typed]) == (typed * 2, [pasted])


@pytest.mark.parametrize("keys", ["\x1b", "\x1b[", "\x1b[A", "\x1b[2~", "\x1b[20~q", "\x1b[I"])
def test_keys_are_not_held_back(keys):
    assert split([keys]) == (keys, [])


def test_a_longer_paste_is_dropped_with_its_length(monkeypatch):
    monkeypatch.setattr(bracketed, "MAX_PASTE_CHARS", 100)
    text = f"{START}{'x' * 101}{END}q{START}{'y' * 100}{END}"
    for size in (3, 7, 1_000):
        assert split(in_reads(text, size)) == ("q", ["101 characters", "y" * 100])


def stalled(start: str) -> tuple[PasteSplitter, list[int | None]]:
    """A splitter that has read the beginning of a paste, and waited for the rest; and what it reported."""
    reported: list[int | None] = []
    splitter = PasteSplitter(print, reported.append)
    assert list(splitter.feed(start)) == []
    splitter.wait(bracketed.PASTE_STALL_S * 0.9)
    assert reported == []
    for _ in range(2):
        splitter.wait(bracketed.PASTE_STALL_S)
    assert reported == [None]
    return splitter, reported


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("\x1b", []),
        ("\x1b\x1b", []),
        ("\x1b[27u", []),
        ("\x1b[27;129u", []),
        ("\x11", ["\x11"]),
        ("\x1b[113;5u", ["\x1b[113;5u"]),
    ],
)
@pytest.mark.parametrize(("start", "size"), [(f"{START}abc", 4), (f"{START}abc\x1b[20", 8)])
def test_a_paste_whose_end_never_comes_takes_no_keys_for_ever(start, size, key, typed):
    splitter, reported = stalled(start)
    assert list(splitter.feed("q")) == []
    assert list(splitter.feed(key)) == typed
    assert reported == [None, size]
    assert list(splitter.feed("q")) == ["q"]
    assert [paste.text for paste in splitter.feed(f"{START}x{END}")] == ["x"]


def test_a_paste_that_goes_on_late_is_whole():
    splitter, reported = stalled(f"{START}abc\x1b[20")
    assert [getattr(part, "text", part) for part in splitter.feed("1~q")] == ["abc", "q"]
    splitter, reported = stalled(f"{START}abc")
    assert list(splitter.feed("y" * 20)) == []
    assert list(splitter.feed("\x1b")) == []
    (paste, typed) = splitter.feed(f"z{END}q")
    assert (paste.text, typed) == (f"abc{'y' * 20}\x1bz", "q")
    assert reported == [None]


def test_after_a_paste_that_ended_late_escape_is_a_key_and_a_part_of_the_next():
    splitter, reported = stalled(f"{START}abc")
    assert [paste.text for paste in splitter.feed(END)] == ["abc"]
    assert list(splitter.feed("\x1b")) == ["\x1b"]
    assert list(splitter.feed(START)) == list(splitter.feed("\x1b")) == []
    assert [paste.text for paste in splitter.feed(END)] == ["\x1b"]
    assert reported == [None]


def test_an_escape_within_a_paste_is_part_of_it():
    reported = []
    splitter = PasteSplitter(print, reported.append)
    for read in (START, "\x1b", "\x11"):
        assert list(splitter.feed(read)) == []
    assert [paste.text for paste in splitter.feed(END)] == ["\x1b\x11"]
    assert reported == []


@pytest.mark.parametrize(
    ("reads", "pasted"),
    [
        (['{"userId": "acct_1", "response": 5, "x": 1}'], '{"userId": "acct_1", "response": 5, "x": 1}'),
        (['[\r  {"userId": "acct_1", "response": 5},\r', "y"], '[\r  {"userId": "acct_1", "response": 5},\ry'),
        (['{"userId": "acct_1"}'], ""),
        (["{" * 100], ""),
        (["[" * 100], ""),
        (["[}{]" * 30], ""),
        (['say {"userId": "acct_1", "response": 5, "x": 1}'], ""),
        (['{"userId": "acct_1", "response": 5, "x": \x1b[A'], ""),
    ],
)
def test_json_without_brackets_is_told_from_keys(reads, pasted):
    burst = BurstPaste(on_oversized=print)
    assert [burst.take(read) for read in reads] == [bool(pasted)] * len(reads)
    assert burst.has_begun == bool(pasted)
    assert "".join(paste.text for paste in burst.end()) == pasted
    assert not burst.has_begun
