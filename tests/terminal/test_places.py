"""Keys and pastes where they mean something and where they do not: never silence, never another command."""

from __future__ import annotations

import pytest

from .conftest import KEY
from .terminal import ENTER, FULL, NARROW, ctrl


@pytest.mark.parametrize("size", [FULL, NARROW], ids=str)
def test_a_key_that_does_nothing_says_so(home, terminal, size):
    home.key()
    one = terminal(home.sample("flat.jsonl", environment="development"), size=size)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("3", "d")
    one.until(lambda: "d does nothing in Deliveries: ? lists the keys" in one.notices)
    one.press("2", "b")
    one.until(lambda: "b does nothing in Payload; in Deliveries it is withdraw: 3 goes there" in one.notices)
    # what begins something works from every pane; a record is never sent out of sight
    one.press("1", "s")
    one.until(lambda: "this is the record that s sends: press it again" in one.notices)
    one.press("3", "S")
    one.shows("Send all 4 records")
    one.press("n")
    one.shows("Deliveries", gone="Send all 4")
    one.press("3", ENTER)
    one.until(lambda: "no delivery is selected" in one.notices)
    one.press(ctrl("c"))
    one.until(lambda: "q or ctrl+q quits" in one.notices)
    one.press("L")
    one.shows("Live workers")
    one.press(ctrl("c"))
    one.until(lambda: "escape goes back; ctrl+q quits" in one.notices)
    one.press("q")
    one.shows("Deliveries", gone="Live workers")
    one.press("q")
    assert one.leave() == 0
    assert home.deliveries() == []


def test_a_paste_says_where_it_belongs(home, terminal):
    one = terminal(size=NARROW)
    one.shows("no deliveries yet")
    for size in (NARROW, FULL):
        one.reshape(size)
        for text, advice in (
            ('{"userId": "a", "response": 5}', "holds no answers"),
            (KEY, "that looks like a Write Key"),
            (f"{home.folder}/no/such.jsonl", f"there is no {home.folder}/no/such.jsonl"[:20]),
            ("some words \x1bq\x1b[A\x1bs", "nothing was opened: a paste is opened if it is JSON"),
        ):
            one.paste(text)
            one.until(lambda advice=advice: advice in one.notices, advice)
            assert KEY not in one.text.replace("\n", "")
    # a terminal without bracketed paste gives keys: none of them is a command
    one.write(f'say {{"userId": "tttt", "response": 5}}{ENTER}{KEY}{ENTER}')
    one.until(lambda: "typed ahead: dropped" in one.notices)
    one.settle()
    # only JSON is told from keys: it is longer than what is typed ahead, and begins as nothing else
    records = home.sample("flat.jsonl", environment="development").read_text(encoding="utf-8")
    one.write(records.replace("\n", ENTER) * 5)
    one.shows("text pasted at", "1 of 20")
    one.reshape(NARROW)
    one.shows("text pasted at", "1 of 20")
    one.press("q")
    assert one.leave() == 0
    assert home.deliveries() == []
    assert KEY.encode() not in bytes(one.written)


def test_after_a_clash_all_tell_the_same_keys(home, terminal, shell):
    home.write('[keys]\nreplay = "q"\nexport = "ctrl+e"\n')
    one = terminal()
    one.shows("no deliveries yet", "the default keys are in use")
    one.press("3", "?")
    one.shows("Help: Deliveries", "r           Queue the marked")
    assert "^e" not in one.text
    one.press("q")
    one.shows("Deliveries", gone="Help: Deliveries")
    one.press("q")
    assert one.leave() == 0
    two = shell()
    two.write("sprig-tui doctor --offline\r")
    for words in ("is to do both replay and leave", "the default keys are in use"):
        two.until(lambda words=words: words in " ".join(two.text.split()), words)
