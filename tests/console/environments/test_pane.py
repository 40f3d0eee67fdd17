"""Environments in the real console: added, edited, removed, selected."""

from __future__ import annotations

from textual.widgets import Input

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def test_environment_is_added_edited_and_removed(console, screen_text):
    async with console.running() as pilot:
        await console.press("n", *"Staging EU", "enter")
        assert "cannot name an environment" in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = "staging-eu"
        await console.press("enter")
        await console.until(lambda: "Write key of staging-eu" in screen_text(pilot.app))
        await console.press("escape")
        await console.until(lambda: pilot.app.main.environments.selected == "staging-eu")
        await console.press("e")
        pilot.app.screen.query_one("#endpoint", Input).value = "eu"
        pilot.app.screen.query_one("#rate", Input).value = "nine"
        await console.press("enter")
        assert "'nine' is not a number" in screen_text(pilot.app)
        pilot.app.screen.query_one("#rate", Input).value = "9"
        pilot.app.screen.query_one("#sprig-id", Input).value = "aB3dE5gH7j"
        await console.press("enter")
        await console.until(lambda: console.config()["environments"]["staging-eu"].get("endpoint") == "eu")
        assert console.config()["environments"]["staging-eu"] == {
            "endpoint": "eu",
            "requests_per_second": 9.0,
            "sprig_environment_id": "aB3dE5gH7j",
        }
        await console.press("X", "y")
        await console.until(lambda: "staging-eu" not in console.config().get("environments", {}))
        await console.until(lambda: pilot.app.main.environments.selected == "production")


async def test_shared_key_is_warned_of(console, screen_text):
    console.keys(production=KEY, development=KEY)
    async with console.running() as pilot:
        assert "same key in production and" in screen_text(pilot.app)


async def test_keys_and_mouse_select_an_environment(console):
    async with console.running() as pilot:
        pane = pilot.app.main.environments
        await console.press("1", "j")
        assert pane.selected == "development"
        await console.press("j", "k")
        assert pane.selected == "production"
        await pilot.click(pane, offset=(4, 3))
        await pilot.pause()
        assert pane.selected == "development"
        assert pilot.app.main.status.selected == "development"
