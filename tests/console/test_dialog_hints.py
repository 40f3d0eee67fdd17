"""What a dialog says to press can be clicked as well."""

from __future__ import annotations

import pytest
from textual.widgets import Input

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def click_on(console, pilot, text: str) -> None:
    await console.until(lambda: text in console.text())
    y, line = next((y, line) for y, line in enumerate(console.text().splitlines()) if text in line)
    await pilot.click(offset=(line.index(text) + 1, y))
    await pilot.pause()


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ("1 a", "escape to cancel"),
        ("1 e", "escape to cancel"),
        ("1 n", "escape to cancel"),
        ("2 o", "escape cancels"),
        ("question_mark", "escape closes"),
        ("L", "escape closes"),
    ],
)
async def test_a_click_leaves_a_dialog(console, keys, hint):
    async with console.running() as pilot:
        await console.press(*keys.split())
        assert len(pilot.app.screen_stack) == 2
        await click_on(console, pilot, hint)
        await console.until(lambda: len(pilot.app.screen_stack) == 1)


async def test_a_click_accepts(console):
    async with console.running() as pilot:
        await console.press("1", "a")
        pilot.app.screen.query_one(Input).value = KEY
        await click_on(console, pilot, "enter to save")
        await console.until(lambda: console.config().get("environments") == {"production": {"write_key": KEY}})
