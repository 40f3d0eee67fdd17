"""Themes of the console, and its style sheets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from textual.theme import Theme

from sprig_tui.config.toml_file import nearest_key_hint

FOLDER = Path(__file__).parent / "styles"


def sheets() -> list[str | PurePath]:
    """Every style sheet, in the order of application."""
    return [*sorted(FOLDER.glob("*.tcss"))]


def first_sheets() -> list[str | PurePath]:
    """The style sheets of the first paint."""
    return [FOLDER / "base.tcss"]


def later_sheets() -> list[PurePath]:
    """The other style sheets, in the order of application."""
    return [sheet for sheet in sorted(FOLDER.glob("*.tcss")) if sheet.name != "base.tcss"]


MUTED, DISABLED = "$foreground 70%", "$foreground 40%"
"""For texts made of pieces: in these Textual takes `$text-muted` for the colour of the greatest contrast."""
DEFAULT_THEME = "sprig"
THEMES = (
    Theme(
        name="sprig",
        primary="#5fb58c",
        secondary="#7aa2c9",
        accent="#9ccfd8",
        warning="#e0af68",
        error="#f0788c",
        success="#7fc98f",
        foreground="#d5dbd8",
        background="#12171a",
        surface="#181f23",
        panel="#222b30",
        dark=True,
        variables={
            "border-blurred": "#3a474d",
            "scrollbar-background": "#12171a",
            "scrollbar-background-hover": "#12171a",
            "scrollbar-background-active": "#12171a",
        },
    ),
    Theme(
        name="sprig-light",
        primary="#1f7a53",
        secondary="#2f5f8f",
        accent="#1d6d7a",
        warning="#8a5a00",
        error="#b3213c",
        success="#22723a",
        foreground="#1d2523",
        background="#fbfcfa",
        surface="#f3f5f2",
        panel="#e4e9e5",
        dark=False,
        variables={
            "border-blurred": "#b7c2bb",
            "scrollbar-background": "#fbfcfa",
            "scrollbar-background-hover": "#fbfcfa",
            "scrollbar-background-active": "#fbfcfa",
        },
    ),
)


def choose_theme(wanted: object, known: Iterable[str]) -> tuple[str, str]:
    """The theme to use, and the problem with `console.theme` of the config; empty where there is none."""
    if wanted is None:
        return DEFAULT_THEME, ""
    names = list(known)
    if isinstance(wanted, str) and wanted in names:
        return wanted, ""
    shown = repr(wanted[:60]) if isinstance(wanted, str) else "that"
    return DEFAULT_THEME, f"console.theme: there is no theme {shown}; {nearest_key_hint(str(wanted)[:60], names)}"
