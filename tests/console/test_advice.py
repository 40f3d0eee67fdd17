"""Pasted text that is no file: what is said of it."""

from __future__ import annotations

import pytest

from sprig_tui.console.keyboard.advice import MAX_KEY_CHARS, paste_advice

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


@pytest.mark.parametrize("text", [KEY, f"{KEY[:16]}\n{KEY[16:]}", (KEY * 7)[:MAX_KEY_CHARS]])
def test_paste_advice_recognizes_a_key(text):
    assert paste_advice(text).startswith("that looks like a key")


@pytest.mark.parametrize("text", ["a" * 1_000_000, "ab" * 30, (KEY * 7)[: MAX_KEY_CHARS + 1], KEY[:15]])
def test_paste_advice_does_not_take_other_texts_for_a_key(text):
    assert paste_advice(text).startswith("a pasted text goes into a field")
