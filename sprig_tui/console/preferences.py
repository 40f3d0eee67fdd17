"""Preferences of the config's `[console]` and `[keys]`: theme and keymap as they are in use, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.theme import BUILTIN_THEMES

from sprig_tui.console.themes import THEMES, choose_theme
from sprig_tui.errors import KeymapError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings


class Preferences(NamedTuple):
    """What the console goes by; key bar, help and doctor tell the same."""

    theme: str
    keymap: dict[str, str]
    """Command id to keys by comma; empty where the config has none, or one that is refused."""
    faults: tuple[str, ...]
    """What is refused, and why, a sentence each."""


def preferences(settings: Settings) -> Preferences:
    """Those of the config; one fault in the keymap refuses all of it."""
    theme, theme_fault = choose_theme(
        settings.console.get("theme"), {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}
    )
    faults = [theme_fault] if theme_fault else []
    keymap: dict[str, str] = {}
    if settings.keys:
        from sprig_tui.console.catalogue import key_slots
        from sprig_tui.console.keymap import check_keymap

        try:
            keymap = check_keymap(settings.keys, key_slots())
        except KeymapError as error:
            faults.append(f"{error.message}; {error.hint}; all keys are as they came")
    return Preferences(theme, keymap, tuple(faults))
