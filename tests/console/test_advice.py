"""Pasted text that is no file, and keys that do nothing: what is said of them."""

from __future__ import annotations

import pytest

from sprig_tui.console.commands.registry import PANE_COMMANDS
from sprig_tui.console.keyboard.advice import MAX_KEY_CHARS, paste_advice, unbound_key

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


@pytest.mark.parametrize("text", [KEY, f"{KEY[:16]}\n{KEY[16:]}", (KEY * 7)[:MAX_KEY_CHARS]])
def test_paste_advice_recognizes_a_key(text):
    assert paste_advice(text).startswith("that looks like a key")


@pytest.mark.parametrize("text", ["a" * 1_000_000, "ab" * 30, (KEY * 7)[: MAX_KEY_CHARS + 1], KEY[:15]])
def test_paste_advice_does_not_take_other_texts_for_a_key(text):
    assert paste_advice(text).startswith("a pasted text goes into a field")


async def test_every_key_of_a_command_has_advice_in_every_pane(console):
    async with console.running() as pilot:
        for pane in "123":
            await console.press(pane)
            for command in PANE_COMMANDS:
                for key in pilot.app.keys_of(command):
                    if key not in pilot.app.screen.active_bindings:
                        assert "does nothing in" in unbound_key(pilot.app, key) or key in {"enter", "escape"}
