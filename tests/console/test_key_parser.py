"""Keys as they are read: what belongs together, and which time each has."""

from __future__ import annotations

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key, MouseDown

from sprig_tui.console.keyboard.bursts import MAX_BURST_GAP_S
from sprig_tui.console.keyboard.key_parser import KeyParser

AT_ONCE, LATER = MAX_BURST_GAP_S, MAX_BURST_GAP_S * 1.01


@pytest.mark.parametrize(
    ("reads", "gap", "keys"),
    [
        (["\x1b", "z"], LATER, ["escape", "z"]),
        (["\x1b", "z"], AT_ONCE, ["alt+z"]),
        (["\x1bz"], LATER, ["alt+z"]),
        (["\x1bz", "b", "\x1b1", "["], LATER, ["alt+z", "b", "alt+1", "left_square_bracket"]),
        (["a\x1b", "zb"], LATER, ["a", "escape", "z", "b"]),
        (["\x1b", "\x1b", "z"], LATER, ["escape", "escape", "z"]),
        (["\x1b", "\x1b[A"], LATER, ["escape", "up"]),
        (["\x1b", "[A", "z"], LATER, ["up", "z"]),
        (["\x1b", "OR"], LATER, ["f3"]),
        (["\x1b[", "A"], LATER, ["up"]),
    ],
)
def test_escape_is_a_key_where_nothing_follows_at_once(reads, gap, keys):
    parser = KeyParser(XTermParser())
    seen = [
        (event.key, event.time)
        for number, read in enumerate([*reads, ""])
        for event in (parser.feed(read, number * gap) if read else parser.end_escape())
    ]
    assert [key for key, _ in seen] == keys
    times = [time for _, time in seen]
    assert times == sorted(times)
    assert set(times) <= {number * gap for number in range(len(reads))}


def test_an_escape_before_something_else_ends_at_once_with_the_time_of_its_read():
    parser = KeyParser(XTermParser())
    assert list(parser.feed("\x1b", 7.0)) == []
    (escape,) = parser.end_escape()
    assert isinstance(escape, Key)
    assert (escape.key, escape.time) == ("escape", 7.0)
    assert list(parser.end_escape()) == list(parser.tick()) == []
    assert [event.key for event in parser.feed("z", 7.0)] == ["z"]


def late(read):
    """What a read gives whose rest does not come at once."""
    parser = KeyParser(XTermParser())
    events = list(parser.feed(read, 1.0))
    # as a tenth of a second later
    parser._parser._timeout_time = 0.0
    return parser, [*events, *parser.tick()]


@pytest.mark.parametrize("cut", range(4, 10))
def test_a_report_of_the_mouse_whose_rest_comes_late_is_no_key(cut):
    report = "\x1b[<0;12;7M"
    parser, events = late(report[:cut])
    assert events == []
    (event,) = parser.feed(report[cut:], 2.0)
    assert isinstance(event, MouseDown)
    assert (event.x, event.y) == (11, 6)


def test_a_bracket_after_escape_is_a_key_after_a_while():
    assert [event.key for event in late("\x1b[")[1]] == ["left_square_bracket"]
