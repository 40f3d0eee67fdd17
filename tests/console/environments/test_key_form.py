"""Write keys in the real console: added, linted, revealed, removed, never in a screenshot."""

from __future__ import annotations

import stat

from textual import events
from textual.widgets import Input

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def test_key_is_added_linted_and_saved(console, screen_text):
    async with console.running() as pilot:
        await console.press("a")
        pilot.app.screen.query_one(Input).value = f' "{KEY}"'
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "quotes around the key were taken off" in shown
        assert "looks like a write key" in shown
        assert KEY not in shown
        await console.press("enter")
        await console.until(lambda: pilot.app.session.settings.environments["production"].write_key)
        await console.until(lambda: "Zq8T…E1Rk" in screen_text(pilot.app))
        assert KEY not in screen_text(pilot.app)
    assert console.config() == {"environments": {"production": {"write_key": KEY}}}
    assert stat.S_IMODE(console.paths.config_file.stat().st_mode) == 0o600


NO_KEYS = {
    "": "there is no key",
    "https://api.segment.io": "this is an address",
    "ключ" * 8: "letters other than A to Z",
    "x" * 9_000: "are no write key",
}


async def test_no_key_is_rejected_a_paste_is_joined_and_a_suspicious_key_needs_a_second_enter(console, screen_text):
    async with console.running() as pilot:
        for typed, said in NO_KEYS.items():
            await console.press("a")
            pilot.app.screen.query_one(Input).value = typed
            await console.press("enter")
            assert said in screen_text(pilot.app)
            await console.press("escape")
            assert console.config() == {}, f"saved: {typed[:20]!r}"

        await console.press("a")
        pilot.app.screen.query_one(Input).post_message(events.Paste(f"{KEY[:20]}\n  {KEY[20:]}\n"))
        await console.until(lambda: "Zq8T…E1Rk, 32 characters" in screen_text(pilot.app))
        await console.press("ctrl+u", *"abc")
        assert "3 characters are too few for a write key" in screen_text(pilot.app)
        assert "placeholder" not in screen_text(pilot.app)
        await console.press("escape", "a")

        pilot.app.screen.query_one(Input).value = "Short7Key99"
        await console.press("enter")
        assert "enter again saves it anyway" in screen_text(pilot.app)
        await console.press("enter")
        await console.until(console.config)
    assert console.config()["environments"]["production"]["write_key"] == "Short7Key99"


async def test_key_of_another_environment_is_named_before_saving(console, screen_text):
    console.keys(production=KEY)
    async with console.running() as pilot:
        await console.press("1", "G", "a")
        pilot.app.screen.query_one(Input).value = KEY
        await pilot.pause()
        assert "this is the write key of production" in screen_text(pilot.app)
        assert "looks like a write key" not in screen_text(pilot.app)
        await console.press("enter")
        assert "enter again saves it anyway" in screen_text(pilot.app)
        await console.press("escape")
    assert list(console.config()["environments"]) == ["production"]


async def test_revealed_key_is_hidden_again_and_removing_it_asks_for_the_name(console, screen_text):
    console.keys(production=KEY)
    async with console.running() as pilot:
        pane = pilot.app.main.environments
        pane.focus()
        await console.press("v")
        assert KEY in screen_text(pilot.app)
        assert KEY not in pilot.app.export_screenshot()
        await console.press("v")
        assert KEY in screen_text(pilot.app)
        await console.press("escape")
        assert KEY not in screen_text(pilot.app)
        await console.press("v", "3")
        assert KEY not in screen_text(pilot.app)
        await console.press("1", "v")
        assert KEY in screen_text(pilot.app)
        pilot.app.post_message(events.AppBlur())
        await console.until(lambda: not pilot.app.app_focus)
        assert KEY not in screen_text(pilot.app)
        await console.press("1", "v")
        pane._hide_timer._callback()
        await pilot.pause()
        assert KEY not in screen_text(pilot.app)

        await console.press("1", "x")
        assert "Remove the write key Zq8T…E1Rk of production?" in screen_text(pilot.app)
        await console.press(*"prod", "enter", "escape")
        assert console.config()["environments"]["production"]["write_key"] == KEY
        await console.press("x", *"production", "enter")
        await console.until(lambda: not console.config()["environments"]["production"])
        await console.until(lambda: "no key: press a" in screen_text(pilot.app))


async def test_key_from_the_shell_cannot_be_removed(console, screen_text, monkeypatch):
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_PRODUCTION", KEY)
    async with console.running() as pilot:
        await console.press("1")
        assert "SPRIG_TUI_WRITE_KEY_" in screen_text(pilot.app)
        await console.press("x")
        assert "unset it there" in console.notices()[-1]
