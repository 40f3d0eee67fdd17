"""A terminal that takes no output: a stalled connection, ctrl+s, a window that nobody serves."""

from __future__ import annotations

import time

from .terminal import DOWN, UP


def test_a_stalled_terminal_stops_no_delivery(terminal, home, segment):
    home.key(endpoint=segment.url)
    one = terminal(home.sample("flat.jsonl", environment="development"))
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("2")
    for _ in range(40):  # each moves the cursor: far more frames than the terminal and the queue before it hold
        one.press_unread(DOWN)
        one.press_unread(UP)
    while not segment.events:  # on a busy machine keys come as one burst, and a burst sends nothing
        one.press_unread("s")
        time.sleep(0.2)
    one.shows("Deliveries ── 1 ", "delivered", "last answer 200", "palette")
    one.press("q")
    assert one.leave() == 0
