"""Many keys in one write: each command that opens something, followed at once by what is meant for it.

SPRIG_TUI_TEST_ROUNDS says how often each burst is written (once by default). In no round may a key go astray: nothing
is sent, stored or changed but what the burst says.
"""

from __future__ import annotations

import os

import pytest

from .conftest import KEY
from .terminal import DOWN, ENTER, FULL, NARROW, TAB, ctrl
from .terminal import ESCAPE_IN_BURST as ESCAPE

ROUNDS = int(os.environ.get("SPRIG_TUI_TEST_ROUNDS", "1"))
sizes = pytest.mark.parametrize("size", [FULL, NARROW] if ROUNDS > 1 else [NARROW], ids=str)
pytestmark = pytest.mark.timeout(180 + 30 * ROUNDS)


@pytest.fixture
def filled(home, segment, terminal):
    """The console on a journal with four deliveries, all delivered, and their file open."""

    def start(size=FULL):
        home.key(endpoint=segment.url)
        one = terminal(home.sample("flat.jsonl", environment="development"), size=size)
        one.shows("flat.jsonl  1 of 4", "no deliveries yet")
        one.press("1", DOWN)
        one.shows("t test")
        one.press("2")
        one.shows("S send all")
        one.write("Sy")
        one.until(lambda: len(segment.events) == 4)
        one.shows("4 records, 4 queued", "Deliveries ── 4 ")
        return one

    return start


def environment(home):
    return home.config()["environments"]["development"]


@sizes
def test_deliveries(filled, home, segment, size):
    one = filled(size)
    before = home.config()
    one.press("3")
    for number in range(ROUNDS):
        one.write(f"/status:failed{ENTER}")
        one.shows("/status:failed ── 0 of 4")
        one.write(f"/{ctrl('u')}survey:Checkout{ENTER}/{ctrl('u')}{ENTER}")
        one.shows("Deliveries ── 4 ", gone="/survey:Checkout")
        one.write(f"e{ctrl('u')}out-{number}.jsonl{ENTER}")
        one.shows("enter again saves it")
        one.press(ENTER)
        out = home.folder / f"out-{number}.jsonl"
        one.until(out.exists)
        assert out.read_text().count("\n") == 4
        one.write(f"R{ESCAPE}wn")
        one.write(f"{ENTER}]]{ESCAPE}")
        one.write(f"?{ESCAPE}L{ESCAPE}")
        one.write(f"{ctrl('p')}workers{ENTER}")
        one.shows("Live workers")
        one.write(f"{ESCAPE}/x-{number}{ENTER}")
        one.shows(f"/x-{number} ── 0 of 4")
        one.write(f"/{ctrl('u')}{ENTER}")
        one.shows("Deliveries ── 4 ", gone=f"/x-{number}")
    one.press("q")
    assert one.leave() == 0
    assert len(segment.events) == 4
    assert home.config() == before
    assert [one.attempts for one in home.deliveries()] == [1] * 4


@sizes
def test_replays(filled, home, segment, size):
    one = filled(size)
    one.press("3")
    for number in range(ROUNDS):
        one.write("wy")
        one.until(lambda number=number: len(segment.events) == 5 + number)
        # one whose answer is not written down yet cannot be sent again
        one.until(lambda: all(one.state == "delivered" for one in home.deliveries()))
        one.shows(f"Deliveries ── {5 + number} ")
    one.write(f"/id:1{ENTER}")
    one.shows("/id:1 ── 1 of")
    one.write("Ry")
    # the yes is taken before the next key: a busy machine may join two writes, and a longer burst says no
    one.until(lambda: {delivery.id: delivery.attempts for delivery in home.deliveries()}[1] == 2)
    one.press("q")
    assert one.leave() == 0


@sizes
def test_environments(filled, home, segment, size):
    one = filled(size)
    for number in range(ROUNDS):
        key = f"{KEY[:-4]}{number:04}"
        one.write(f"1a{key}{ENTER}")
        one.shows("enter again saves it")
        one.press(ENTER)
        one.until(lambda key=key: environment(home)["write_key"] == key)
        one.shows("Environments", gone="enter again saves it")
        one.write(f"e{TAB}{ctrl('u')}{number % 40 + 1}{ENTER}")
        one.shows("enter again saves it")
        one.press(ENTER)
        one.until(lambda rate=number % 40 + 1: environment(home).get("requests_per_second") == rate)
        one.shows("Environments", gone="enter again saves it")
        one.write(f"nstaging-{number}{ENTER}")
        one.shows("enter again saves it")
        one.press(ENTER)
        one.shows(f"Write key of staging-{number}")
        one.write(f"{key[::-1]}{ENTER}")
        one.shows(f"key of staging-{number} saved", gone="Write key of")
        one.write("Xy")
        one.until(lambda number=number: f"staging-{number}" not in home.config()["environments"])
        one.shows("Environments", gone=(f"○ Staging-{number}", f"● Staging-{number}", "Remove staging"))
        one.write(f"1{DOWN}")
    assert len(segment.events) == 4
    one.press("q")
    assert one.leave() == 0


@sizes
def test_payload(filled, home, segment, size):
    one = filled(size)
    other = home.sample("webhooks.jsonl")
    for number in range(ROUNDS):
        one.write(f"2o{ctrl('u')}{other}{ENTER}")
        one.shows("webhooks.jsonl")
        one.write(f":{number % 20 + 2}{ENTER}")
        one.shows(f"webhooks.jsonl  {number % 20 + 2} of 25")
        one.write(f"o{ctrl('u')}{home.folder}/fl{TAB}{ENTER}n")
        one.shows("flat.jsonl  2 of 4")
        one.write(f"S{ESCAPE}S{ENTER}Sn")
        one.write(f":1{ENTER}")
        one.shows("flat.jsonl  1 of 4")
    assert len(segment.events) == 4
    one.press("q")
    assert one.leave() == 0


@sizes
def test_counts_and_explanations(filled, home, segment, size):
    """Escape and q right behind the key that opens a screen close that screen, and neither zooms, sends nor quits."""
    one = filled(size)
    before = home.config()
    one.press("3")
    for number in range(ROUNDS):
        one.write("ctT")
        one.shows("last 24 hours", "sprig-tui keys workspace")
        one.press(ESCAPE)
        one.shows("Deliveries ── 4 ", gone="last 24 hours")
        one.write(f"ct{ESCAPE}/x-{number}{ENTER}")
        one.shows(f"/x-{number} ── 0 of 4")
        one.write(f"/{ctrl('u')}{ENTER}")
        one.shows("Deliveries ── 4 ", gone=f"/x-{number}")
        if not number:  # said lately, it is not said again
            one.write("1E2")
            one.shows("E does nothing in")
        one.press("3")
        one.shows("R replay")
        one.write("gE2")
        one.shows("Explain ── delivery 1", "took it: yes")
        one.settle()  # what waits behind the 2 is dropped with it
        one.press(ESCAPE)
        one.shows("Deliveries ── 4 ", gone="Explain ──")
        one.press("2")
        one.shows("o open")
        one.write("3g2E")
        one.shows("Explain ── delivery 1", "took it: yes", "cannot be known")
        one.write(f"q3{ENTER}Eqq/y-{number}{ENTER}")
        one.shows(f"/y-{number} ── 0 of 4", gone="Explain")
        one.write(f"/{ctrl('u')}{ENTER}")
        one.shows("Deliveries ── 4 ", gone=f"/y-{number}")
    one.press("q")
    assert one.leave() == 0
    assert len(segment.events) == 4
    assert home.config() == before
    assert [one.attempts for one in home.deliveries()] == [1] * 4


@sizes
def test_text_that_meets_a_question_answers_nothing(filled, home, segment, size):
    """A filter typed right after S: no letter of it moves to Yes for its enter."""
    one = filled(size)
    before = home.config()
    for number in range(ROUNDS):
        # of another length each time: the notices of before may still be there
        more = "d" * 3 * number
        one.write(f"2S/status:failed{more}{ENTER}")
        one.shows("Send all 4 records", f"{14 + 3 * number} keys typed ahead")
        one.press("n")
        one.shows("Deliveries ── 4 ", gone="Send all 4 records")
        one.write(f"3R/survey:Checkout{more}{ENTER}")
        one.shows("Replay 4 deliveries", f"{16 + 3 * number} keys typed ahead")
        one.write(f"n/x-{number}{ENTER}")
        one.shows(f"/x-{number} ── 0 of 4")
        one.write(f"/{ctrl('u')}{ENTER}")
        one.shows("Deliveries ── 4 ", gone=f"/x-{number}")
        one.write(f"L/environment:all{more}xx{ENTER}")
        one.shows("Live workers", f"{18 + 3 * number} keys typed ahead")
        one.press(ESCAPE)
        one.shows("Deliveries ── 4 ", gone="Live workers")
    one.press("q")
    assert one.leave() == 0
    assert len(segment.events) == 4
    assert home.config() == before
    assert [one.attempts for one in home.deliveries()] == [1] * 4
