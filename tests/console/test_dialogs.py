"""Dialogs: No unless a person says Yes, and no text can style or break them."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from sprig_tui.console.widgets.dialogs import Confirm, ConfirmName, Prompt

from .screen_snapshot import settle

HOSTILE = "[/red] [bold]x[/] \x1b]0;owned\x07 \u202eabc"


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], False),
        (["escape"], False),
        (["n"], False),
        (["y"], True),
        (["right", "enter"], True),
        (["right", "left", "enter"], False),
        (["right", "d", "enter"], False),  # of a text that was meant for something else
        (["right", "tab", "right", "enter"], True),
    ],
)
async def test_confirm_defaults_to_no(host, keys, answer):
    async with host().run_test(size=(80, 24)) as pilot:
        given = []
        pilot.app.push_screen(Confirm("Send 12 answers?", "to production", yes="Send 12"), given.append)
        await pilot.pause()
        await pilot.press(*keys)
        assert given == [answer]


async def test_confirm_by_mouse(host):
    async with host().run_test(size=(80, 24)) as pilot:
        given = []
        pilot.app.push_screen(Confirm("Send?"), given.append)
        await pilot.pause()
        await pilot.click("#yes")
        assert given == [True]


async def test_confirm_name_requires_the_name(host, screen_text):
    async with host().run_test(size=(80, 24)) as pilot:
        given = []
        pilot.app.push_screen(ConfirmName("Send 12 to production?", name="production"), given.append)
        await pilot.pause()
        await pilot.press(*"prod", "enter")
        assert given == []
        assert "that is not production" in screen_text(pilot.app)
        await pilot.press(*"uction", "enter")
        assert given == [True]


async def test_prompt_checks_its_text_and_can_be_cancelled(host, screen_text):
    async with host().run_test(size=(80, 24)) as pilot:
        given = []
        prompt = Prompt("Name", check=lambda text: "" if text == "staging" else "no such thing")
        pilot.app.push_screen(prompt, given.append)
        await pilot.pause()
        await pilot.press("x", "enter")
        assert "no such thing" in screen_text(pilot.app)
        await pilot.press("escape")
        assert given == [None]


async def test_masked_prompt_hides_its_text(host, screen_text):
    async with host().run_test(size=(80, 24)) as pilot:
        given = []
        pilot.app.push_screen(Prompt("Write key", masked=True), given.append)
        await pilot.pause()
        pilot.app.screen.query_one(Input).insert_text_at_cursor("Zq8TsecretE1Rk")
        await pilot.pause()
        assert "Zq8T" not in screen_text(pilot.app)
        await pilot.press("enter")
        assert given == ["Zq8TsecretE1Rk"]


async def test_no_text_is_markup_or_reaches_the_terminal(host, screen_text):
    async with host().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(Confirm(HOSTILE, HOSTILE, yes=HOSTILE[:20]))
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "[/red]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "⟨U+202E⟩" in shown


async def test_a_moved_focus_is_painted_alone(host, monkeypatch):
    async with host().run_test(size=(80, 24)) as pilot:
        app, painted = pilot.app, []
        app.push_screen(Confirm("Send 12 answers?", "to production"))
        await settle(pilot)
        monkeypatch.setattr(app, "_display", lambda _, update: painted.append(update))
        for key in ("tab", "tab", "left"):
            await pilot.press(key)
            await settle(pilot)
        rows = {row for update in painted if update is not None for row, _, _ in update.spans}
        assert rows
        assert len(rows) < app.size.height // 2
