"""No key is lost that was meant for what the console does: one that waits, or one beside something else."""

from __future__ import annotations

import asyncio

from textual import events

from sprig_tui.console.keyboard import queue
from sprig_tui.console.keyboard.queue import track_flow

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def test_a_pane_keeps_the_focus_where_a_dialog_opens_while_another_window_has_it(console):
    async with console.running() as pilot:
        app, main = pilot.app, pilot.app.main
        await console.press("3")
        app.post_message(events.AppBlur())
        await console.until(lambda: not app.app_focus)
        main.environments.action_new_environment()
        await console.until(lambda: app.screen is not main)
        app.post_message(events.AppFocus())
        await console.until(lambda: app.app_focus)
        await console.press("escape")
        await console.until(lambda: app.screen is main)
        assert main.focused is main.deliveries.lines
        await console.press("slash")
        assert main.focused is main.deliveries.bar.input


async def test_a_dialog_that_opens_while_another_window_has_the_focus_takes_keys(console):
    async with console.running() as pilot:
        app = pilot.app
        app.post_message(events.AppBlur())
        await console.until(lambda: not app.app_focus)
        app.action_help()
        await console.until(lambda: app.screen is not app.main)
        app.post_message(events.AppFocus())
        await console.until(lambda: app.screen.focused is not None)


async def test_a_warning_that_no_key_caused_drops_no_key(console):
    async with console.running() as pilot:
        app, go_on = pilot.app, asyncio.Event()
        await console.press("3")
        app.run_worker(track_flow(app, go_on.wait()))
        await app._press_keys(["1", "2"])
        assert len(app.keyboard._waiting) == 2
        app._background._on_warning("the clock jumped")
        go_on.set()
        await console.until(lambda: app.main.focused_scope() == "payload")
        assert "the clock jumped" in console.notices()
        assert not any("dropped" in notice for notice in console.notices())


async def test_escape_frees_the_keys_of_a_slow_command_and_says_so(console, monkeypatch):
    monkeypatch.setattr(queue, "SLOW_AFTER_S", 0.0)
    async with console.running() as pilot:
        app, go_on = pilot.app, asyncio.Event()
        await console.press("3")
        for before in ((), ("1",)):
            app.run_worker(track_flow(app, go_on.wait()))
            await app._press_keys([*before, "escape"])
            assert console.notices()[-1].startswith("keys wait no longer for the last command")
            assert app.main.focused_scope() == "deliveries"
        assert any("escape frees them" in notice for notice in console.notices())
        await console.press("2")
        await console.until(lambda: app.main.focused_scope() == "payload")
        go_on.set()
