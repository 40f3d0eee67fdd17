"""Bursts: keys that came together are one, however late the app comes to them."""

from __future__ import annotations

import asyncio

import pytest
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.events import Key
from textual.message import Message

from sprig_tui.console.keyboard.bursts import MAX_BURST_GAP_S, BurstTracker
from sprig_tui.console.keyboard.key_parser import KeyParser


class Terminal(App):
    """App that takes its keys from a terminal."""

    is_headless = False


def key(name, at):
    event = Key(name, name)
    event.time = at
    return event


@pytest.fixture
def tracker():
    return BurstTracker(Terminal())


async def is_single(tracker, event):
    tracker.current = tracker.count_key(event)
    return await tracker.is_single_key()


async def test_a_key_that_the_app_comes_to_late_knows_of_those_behind_it(tracker):
    long_ago = Message().time - 60
    parser = KeyParser(XTermParser(), tracker.announce)
    first, second, *_ = parser.feed("the survey", long_ago)
    assert not await is_single(tracker, first)
    assert not await is_single(tracker, second)


async def test_keys_of_the_next_read_belong_to_it_too_where_that_came_at_once(tracker):
    long_ago = Message().time - 60
    for gap, single in ((MAX_BURST_GAP_S * 0.9, False), (MAX_BURST_GAP_S * 1.1, True)):
        tracker.announce(long_ago, 1)
        tracker.announce(long_ago + gap, 46)
        assert await is_single(tracker, key("t", long_ago)) is single
        long_ago += 10


async def test_a_key_alone_is_single_also_after_keys_that_never_came(tracker):
    now = Message().time - 60
    tracker.announce(now, 5)
    tracker.announce(now + 1, 1)
    assert await is_single(tracker, key("t", now + 1))
    for number in range(2, 5):
        tracker.announce(now + number, 1)
        assert await is_single(tracker, key("t", now + number))


async def test_a_key_waits_until_no_more_can_follow(tracker):
    tracker.current = tracker.count_key(key("t", Message().time))
    waits = asyncio.ensure_future(tracker.is_single_key())
    await asyncio.sleep(0)
    assert not waits.done()
    tracker.count_key(key("y", Message().time))
    assert not await waits
