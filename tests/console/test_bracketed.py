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
