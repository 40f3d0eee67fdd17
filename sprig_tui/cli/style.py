"""Colours of terminal output."""

from __future__ import annotations

import os
from typing import Literal, TextIO

ColorChoice = Literal["auto", "always", "never"]

ANSI_CODES = {
    "good": "32",
    "warning": "33",
    "bad": "31",
    "dim": "2",
    "strong": "1",
    "name": "36",
}

_color_choice: list[ColorChoice] = ["auto"]


def set_color_choice(choice: ColorChoice) -> None:
    """Set the mode of `--color`."""
    _color_choice[0] = choice


def color_enabled(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream: `--color`, then NO_COLOR, then whether it is a terminal."""
    if _color_choice[0] != "auto":
        return _color_choice[0] == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def supports_cursor(stream: TextIO) -> bool:
    """Whether the stream is a terminal that supports cursor movement."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, name: str) -> str:
    """The text between the escape sequences of a style."""
    return f"\x1b[{ANSI_CODES[name]}m{text}\x1b[0m" if text else text
