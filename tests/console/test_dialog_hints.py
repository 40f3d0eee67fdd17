"""What a dialog says to press can be clicked as well."""

from __future__ import annotations

from textual.widgets import Input

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def click_on(console, pilot, text: str) -> None:
    await console.until(lambda: text in console.text())
    y, line = next((y, line) for y, line in enumerate(console.text().splitlines()) if text in line)
    await pilot.click(offset=(line.index(text) + 1, y))
    await pilot.pause()


LEAVES = (
    ("1 a", "escape to cancel"),
    ("1 e", "escape to cancel"),
    ("1 n", "escape to cancel"),
    ("2 o", "escape cancels"),
    ("question_mark", "escape closes"),
    ("L", "escape closes"),
)


async def test_a_click_leaves_a_dialog_and_a_click_accepts(console):
    async with console.running() as pilot:
        for keys, hint in LEAVES:
            await console.press(*keys.split())
            assert len(pilot.app.screen_stack) == 2, keys
            await click_on(console, pilot, hint)
            assert len(pilot.app.screen_stack) == 1, f"{keys}: it is still open after a click on {hint!r}"
        await console.press("1", "a")
        pilot.app.screen.query_one(Input).value = KEY
        await click_on(console, pilot, "enter to save")
        await console.until(lambda: console.config().get("environments") == {"production": {"write_key": KEY}})
