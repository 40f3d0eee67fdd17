"""The tour of the topic `console`, step by step as it is written there, in a window that changes its size on the way.

What the steps lead to is seen in both sizes, 120x40 and 80x24; what other steps open, test_dialogs sees in both.
"""

from __future__ import annotations

from .conftest import KEY
from .terminal import DOWN, ENTER, ESCAPE, NARROW, ctrl


def test_add_a_key(home, segment, terminal):
    home.write(f'[environments.development]\nendpoint = "{segment.url}"\n')
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.press("1", DOWN, "a")
    one.shows("Write key of development")
    one.paste(f"'{KEY[:-1]}'")
    one.shows("quotes", "31")
    one.press(ctrl("u"))
    one.paste(KEY)
    one.shows("looks like a write key")
    one.press(ENTER)
    one.shows("Deliveries", gone="Write key of")
    one.press("t")
    one.shows_in_both("Test event to development", "Look for")
    one.press(ENTER)
    one.shows_in_both("Deliveries ── 1 ", "delivered", gone="Test event to")
    assert [event["event"] for event in segment.events] == ["sprig-tui test event"]
    one.press("q")
    assert one.leave() == 0


def test_look_before_anything_leaves(home, terminal):
    home.sample("trouble-anonymous.jsonl")
    one = terminal()
    one.shows("no deliveries yet")
    one.press("o")
    one.shows("Open a file or folder", "trouble-anonymous.jsonl")
    one.write(f"trouble-anonymous.jsonl{ENTER}")
    one.shows_in_both("trouble-anonymous.jsonl  1 of 5", "[Fields]")
    for view in ("[JSON]", "[Raw]", "[curl]", "[Fields]"):
        one.press("v")
        one.shows(view)
    one.press("\x1b2")
    one.shows("[JSON]")
    one.press("\x1b1")
    one.shows("[Fields]")
    one.press("n", "n")
    one.shows("3 of 5")
    one.press("p")
    one.shows("2 of 5")
    one.press("!")
    one.shows_in_both("! 2 of 5")
    one.press("q")
    assert one.leave() == 0
    assert home.deliveries() == []


def test_send(home, segment, terminal):
    home.key("production", endpoint=segment.url, protected=True)
    home.key("development", endpoint=segment.url)
    home.sample("flat.jsonl", environment="production")
    one = terminal(home.sample("export.csv"))
    one.shows("no deliveries yet", "export.csv  1 of")
    one.press("1", DOWN, "2")
    one.shows_in_both("S send all")
    one.press("s")
    one.until(lambda: len(segment.events) == 1)
    one.press("o")
    one.shows("Open a file or folder")
    one.write(f"{ctrl('u')}flat.jsonl{ENTER}")
    one.shows("flat.jsonl  1 of 4")
    one.write(f"1{ESCAPE}")
    one.press("\x1b[A", "2", "S")
    one.shows_in_both("Type production to go ahead")
    one.write(f"production{ENTER}")
    one.until(lambda: len(segment.events) == 5)
    one.shows("Deliveries ── 5 ", gone="Type production")
    one.press("q")
    assert one.leave() == 0
    assert {delivery.state.value for delivery in home.deliveries()} == {"delivered"}


def test_watch(home, segment, terminal):
    segment.set_faults("400@1-100")
    home.key("development", endpoint=segment.url)
    one = terminal(home.sample("flat.jsonl", environment="development"))
    one.shows("no deliveries yet")
    one.press("1", DOWN, "S")
    one.shows("y Send 4")
    one.press("y")
    one.shows_in_both("Deliveries ── 4 ", "failed 4")
    segment.set_faults()
    one.press("3")
    one.write(f"/status:failed{ENTER}")
    one.shows("/status:failed ── 4 of 4")
    one.press(ENTER)
    one.shows_in_both("attempt", "400", "message")
    one.press("r")
    one.shows("delivered")
    one.press(ESCAPE)
    one.shows_in_both("/status:failed ── 3 of 4", "failed 3")
    one.press("R")
    one.shows("y Replay 3")
    one.press("y")
    one.until(lambda: len(segment.events) == 4)
    one.shows("/status:failed ── 0 of 4", "failed 0")
    one.press("?")
    one.shows("escape closes")
    one.press(ESCAPE)
    # a notice may hide the title of the help, but not its last line; escape and z read at once are alt and z
    one.shows("Payload", gone="escape closes")
    one.press("z")
    one.shows_in_both("Deliveries", gone=("Payload", "escape closes"))
    one.press("z", ctrl("p"))
    one.shows("Search for commands")
    one.press(ESCAPE)
    one.shows("Payload", gone="Search for commands")
    one.press("q")
    assert one.leave() == 0
    assert len(segment.events) == 4


def test_read_only_has_no_way_to_send(home, segment, terminal):
    home.key("development", endpoint=segment.url)
    one = terminal("--read-only", size=NARROW)
    one.shows("no deliveries yet")
    one.write(f"1{DOWN}ty{ENTER}")
    one.shows("read-only", "typed ahead")
    one.press("q")
    assert one.leave() == 0
    assert segment.events == ()
