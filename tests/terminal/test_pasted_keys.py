"""Text pasted into a terminal without bracketed paste: a burst of keys, of which each may be a command.

Whatever the text is, and whichever pane has the focus: nothing is sent, stored or changed.
"""

from __future__ import annotations

import time

import pytest

from sprig_tui.console.driver import INPUT_POLL_S

from .conftest import KEY
from .terminal import DOWN, ENTER, NARROW, PATIENCE_S, ctrl
from .terminal import ESCAPE as BARE_ESCAPE
from .terminal import ESCAPE_IN_BURST as ESCAPE

TEXTS = (
    "sprig",
    "System",
    "test",
    "ty",
    "stand by",
    "the survey is done, please send it to production",
    "Rhythm",
    "by the way, they pay",
    "xylophone",
    f"null{ENTER}",
    f"note{ENTER}staging{ENTER}yes{ENTER}",
    f"export{ENTER}yes{ENTER}",
    f"a{KEY}{ENTER}{ENTER}",
    f"sk_live_51H8xyzTsy{ENTER}",
    "https://app.sprig.com/surveys/4711?tab=responses&sort=yes",
    "SELECT * FROM deliveries WHERE state = 'failed' AND sent = 'y';" + ENTER,  # noqa: S608
    f"DELETE y;{ENTER}y{ENTER}",
    f"2026-11-23T09:14:02Z WARN sender: retry 3, status 503, try again{ENTER}y{ENTER}",
    f'{{"userId": "tsy", "response": 5}}{ENTER}',
    f'{{{ENTER}  "surveyName": "Sy",{ENTER}  "t": "y"{ENTER}}}{ENTER}',
    f"export SEGMENT_WRITE_KEY=s{KEY}{ENTER}",
    f"SyRy{ENTER}y",
)
"""None of them comes to a q while the panes have the keys: that leaves the console."""


def back_to_the_panes(one, bright):
    """Close whatever is open: behind it the key bar is dimmed."""
    deadline = time.monotonic() + PATIENCE_S
    while one.cell(*one.place("palette")) != bright:
        assert time.monotonic() < deadline, f"escape does not come back to the panes:\n{one.framed()}"
        one.press(ESCAPE)
        one.settle()


@pytest.mark.parametrize("pane", ["1", "2", "3"], ids=["environments", "payload", "deliveries"])
@pytest.mark.timeout(240)
def test_a_pasted_text_sends_and_changes_nothing(home, segment, terminal, pane):
    home.key(endpoint=segment.url)
    home.environ["EDITOR"] = "true"
    one = terminal(home.sample("flat.jsonl", environment="development"), size=NARROW)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("t test")
    one.press("2")
    one.shows("S send all")
    one.press("S")
    one.shows("Send all 4 records")
    one.press("y")
    one.until(lambda: len(segment.events) == 4)
    one.shows("Deliveries ── 4 ", "4 records, 4 queued")
    before, files = home.config(), sorted(home.folder.iterdir())
    one.settle()
    bright = one.cell(*one.place("palette"))
    for text in TEXTS:
        one.press(pane)
        one.write(text)
        # keys that are pressed while the text is at work are dropped with it
        one.settle()
        if text.startswith("{"):  # taken for a paste, which ends when nothing more comes
            one.read(2 * INPUT_POLL_S)
            one.settle()
        back_to_the_panes(one, bright)
        assert len(segment.events) == 4, text
        assert home.config() == before, text
        assert sorted(home.folder.iterdir()) == files, text
    one.press("q")
    assert one.leave() == 0
    kept = home.deliveries()
    assert [delivery.attempts for delivery in kept] == [1] * 4
    assert {delivery.reason for delivery in kept} == {""}


def test_a_command_pressed_by_hand_does_not_ask(home, segment, terminal):
    home.key(endpoint=segment.url)
    one = terminal(home.sample("flat.jsonl", environment="development"), size=NARROW)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("t test")
    one.press("t")
    one.shows("Segment answered 200")
    one.press(ESCAPE)
    one.shows("Deliveries ── 1 ", gone="Segment answered")
    one.press("2")
    one.shows("S send all")
    one.press("s")
    one.until(lambda: len(segment.events) == 2)
    one.write("sn")
    one.shows("Send this record?", "came together", "1 key typed ahead")
    one.press("y")
    one.shows("known: it is delivery 2", gone="came together")
    one.press("q")
    assert one.leave() == 0


def test_keys_typed_while_an_editor_is_open_are_no_commands(home, segment, terminal):
    home.key(endpoint=segment.url)
    editor = home.file("editor.sh", "#!/bin/sh\ntouch opened\nuntil [ -e typed ]; do sleep 0.05; done\n")
    editor.chmod(0o700)
    home.environ["EDITOR"] = str(editor)
    one = terminal(home.sample("flat.jsonl", environment="development"), size=NARROW)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("t test")
    one.press("2")
    one.shows("S send all")
    one.press("e")
    one.until((home.folder / "opened").exists)
    for key in ("s", f"t{ENTER}", "s"):
        one.press(key)
    home.file("typed", "")
    one.shows("no deliveries yet", "palette")
    one.settle()
    one.press("?")
    one.shows("escape closes")
    one.press(ESCAPE)
    one.shows("no deliveries yet", gone="escape closes")
    one.press("q")
    assert one.leave() == 0
    assert home.deliveries() == []
    assert segment.events == ()


def test_what_stays_queued_is_said_on_the_way_out(home, terminal):
    home.key("production", protected=True)
    one = terminal(home.sample("flat.jsonl", environment="development"), size=NARROW)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("a add key")
    one.press("2")
    one.shows("S send all")
    one.press("S")
    one.shows("Send all 4 records")
    one.press("y")
    one.shows("4 records, 4 queued")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert "sprig-tui: 4 deliveries stay queued; the next sprig-tui, or" in one.text


def test_after_a_paste_whose_end_is_lost_escape_gives_the_keys_back(home, terminal):
    one = terminal(size=NARROW)
    one.shows("Environments", "no deliveries yet")
    one.write("\x1b[200~y, or so")
    one.shows("a paste has begun, and its end does not come")
    one.press("1", "?")
    one.press(BARE_ESCAPE)
    # the keys in between belong to it
    one.shows("its end never came", "after 10", gone="Help:")
    one.press("?")
    one.shows("Help:")
    one.press(ESCAPE)
    one.write("\x1b[200~once more")
    one.shows("a paste has begun, and its end does not come", gone="Help:")
    one.press(ctrl("q"))
    assert one.leave() == 0
    one.assert_as_it_was()


STANDS_STILL = """
import select, time
from sprig_tui.console.keyboard.key_parser import KeyParser
feed = KeyParser.feed
def slow(self, text, read_at):
    yield from feed(self, text, read_at)
    if text.endswith("["):
        select.select([0], [], [], 20)
        time.sleep(0.2)
KeyParser.feed = slow
"""
"""The thread that reads keys stands still, with half of a sequence, for longer than it waits for the other half."""


def test_a_sequence_that_was_read_in_two_parts_is_one_key_on_a_busy_machine(home, terminal):
    one = terminal(size=NARROW, prepare=STANDS_STILL)
    one.shows("Environments", "no deliveries yet")
    one.write("\x1b[")
    one.write("11~")
    one.shows("Help:")
