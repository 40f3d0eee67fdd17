"""Commands before the panes are mounted: a start may take long, and escape frees the keys that wait for it."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager

import pytest
from textual import events

from sprig_tui.console.commands.panes import STILL_LOADING
from sprig_tui.console.environments.config_editor import ConfigEditor
from sprig_tui.console.keyboard import queue

from .screen_snapshot import settle

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


@pytest.fixture
def slow_start(console, monkeypatch):
    """The console, whose start reads the config for as long as is wanted; its keys are freed."""
    read = threading.Event()
    monkeypatch.setattr(ConfigEditor, "follow", lambda _: read.wait(60))
    monkeypatch.setattr(queue, "SLOW_AFTER_S", 0.0)
    console.keys(development=KEY)

    @asynccontextmanager
    async def start(size=(120, 40)):
        try:
            async with console.running(size=size, ready=False) as pilot:
                await console.press("x", "escape")
                assert "keys wait no longer for the last command, which goes on" in console.notices()

                async def go_on():
                    read.set()
                    await console.until(lambda: "deliveries" in pilot.app.main.panes)
                    await console.until(lambda: pilot.app.main.snapshot.journal == "sqlite")

                yield pilot, go_on
        finally:
            read.set()

    return start


async def test_no_key_ends_a_console_whose_panes_are_not_there_yet(console, slow_start):
    async with slow_start() as (pilot, go_on):
        await console.press("1")
        for key in ("c", "i", "u", "w", "I", "o", "s", "S", "2", "3", "z", "z"):
            before = len(console.notices())
            await console.press(key)
            assert pilot.app.shows_panes
            if key.lower() in "ciuwos":
                assert console.notices()[before:] in ([], [STILL_LOADING])
        assert STILL_LOADING in console.notices()
        pilot.app.post_message(events.Paste('{"userId": "acct_1", "response": 5}'))
        await settle(pilot)
        await go_on()
        await console.press("1", "w")
        assert pilot.app.main.deliveries.filter.text == "status:queued env:development"


async def test_a_key_that_is_added_before_the_panes_are_there_is_used(console, slow_start):
    async with slow_start() as (_, go_on):
        await console.press("a", *KEY.replace("Rk", "Rx"), "enter")
        await console.until(lambda: any("key of development saved" in text for text in console.notices()))
        assert console.config()["environments"]["development"]["write_key"] == KEY.replace("Rk", "Rx")
        await go_on()
        assert not any("unexpected" in text for text in console.notices())
        assert "Zq8T…E1Rx" in console.text()


async def test_a_dialog_has_its_styles_before_the_panes_are_there(console, slow_start):
    async with slow_start() as (pilot, go_on):
        await console.press("question_mark")
        box = pilot.app.screen.query_one(".dialog-box")
        early = box.region
        await go_on()
        await settle(pilot)
        await console.press("escape", "question_mark")
        assert early == pilot.app.screen.query_one(".dialog-box").region
