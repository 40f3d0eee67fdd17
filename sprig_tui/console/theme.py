"""Themes of the console, and its style sheets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from textual.color import Color
from textual.theme import Theme

from sprig_tui.config.toml_file import nearest_key_hint

if TYPE_CHECKING:
    from textual.css.stylesheet import Stylesheet

FOLDER = Path(__file__).parent / "styles"


def sheets() -> list[str | PurePath]:
    """Every style sheet, in the order of application."""
    return [*sorted(FOLDER.glob("*.tcss"))]


def first_sheets() -> list[str | PurePath]:
    """The style sheets of the first paint."""
    return [FOLDER / "base.tcss"]


def load_later_sheets(stylesheet: Stylesheet) -> None:
    """Load the other style sheets, in the order of application, where they are not loaded yet."""
    later = [PurePath(sheet) for sheet in sheets() if sheet not in first_sheets()]
    if not all(stylesheet.has_source(str(sheet)) for sheet in later):
        stylesheet.read_all(later)
        stylesheet.parse()


MUTED, DISABLED = "$muted", "$disabled"
"""For texts made of pieces: in these Textual takes `$text-muted` for the colour of the greatest contrast."""


def add_muted(variables: dict[str, str]) -> dict[str, str]:
    """The variables of a theme with those of MUTED and DISABLED: a share of the foreground, or grey in ANSI."""
    foreground = Color.parse(variables["foreground"])
    red, green, blue = foreground.rgb
    for name, share in (("muted", 0.7), ("disabled", 0.4)):
        color = "ansi_bright_black" if foreground.ansi is not None else f"rgba({red},{green},{blue},{share})"
        variables[name] = color
    return variables


DEFAULT_THEME = "sprig"
ANSI_THEME = "sprig-ansi"
"""The theme of terminals of 16 and 256 colours: in their own 16 colours, which their owner chose to be readable."""
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
    Theme(
        name=ANSI_THEME,
        ansi=True,
        primary="ansi_green",
        secondary="ansi_blue",
        accent="ansi_cyan",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables={
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "surface": "ansi_default",
            "panel": "ansi_default",
            "text-muted": "ansi_bright_black",
            "text-disabled": "ansi_bright_black",
            "border": "ansi_green",
            "border-blurred": "ansi_bright_black",
            "block-cursor-foreground": "ansi_black",
            "block-cursor-background": "ansi_green",
            "block-cursor-blurred-foreground": "ansi_default",
            "block-cursor-blurred-background": "ansi_default",
            "block-cursor-blurred-text-style": "reverse",
            "input-cursor-background": "ansi_default",
            "input-cursor-foreground": "ansi_default",
            "input-selection-background": "ansi_cyan",
            "input-selection-foreground": "ansi_black",
            "link-color": "ansi_default",
            "link-color-hover": "ansi_black",
            "link-background-hover": "ansi_green",
            "scrollbar": "ansi_bright_black",
            "scrollbar-hover": "ansi_green",
            "scrollbar-active": "ansi_green",
            "scrollbar-background": "ansi_default",
            "scrollbar-background-hover": "ansi_default",
            "scrollbar-background-active": "ansi_default",
        },
    ),
)


def default_theme(color_system: str | None) -> str:
    """The theme where none is chosen, by Rich's name of the terminal's colours; None for no colours."""
    return ANSI_THEME if color_system in ("standard", "256") else DEFAULT_THEME


def choose_theme(wanted: object, known: Iterable[str], default: str = DEFAULT_THEME) -> tuple[str, str]:
    """The theme to use, and the problem with `console.theme` of the config; empty where there is none."""
    if wanted is None:
        return default, ""
    names = list(known)
    if isinstance(wanted, str) and wanted in names:
        return wanted, ""
    shown = repr(wanted[:60]) if isinstance(wanted, str) else "that"
    return default, f"console.theme: there is no theme {shown}; {nearest_key_hint(str(wanted)[:60], names)}"
