"""Colour for terminals: whether, and how."""

from __future__ import annotations

import os
from typing import Literal, TextIO

Choice = Literal["auto", "always", "never"]

CODES = {
    "good": "32",
    "warning": "33",
    "bad": "31",
    "dim": "2",
    "strong": "1",
    "name": "36",
}

_chosen: list[Choice] = ["auto"]


def choose(choice: Choice) -> None:
    """Hold to the person's `--color`."""
    _chosen[0] = choice


def wanted(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream: `--color`, then NO_COLOR, then whether it is a terminal."""
    if _chosen[0] != "auto":
        return _chosen[0] == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def obeyed(stream: TextIO) -> bool:
    """Whether there is a terminal that moves its cursor when told to."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, name: str) -> str:
    """The text between the escape sequences of a style."""
    return f"\x1b[{CODES[name]}m{text}\x1b[0m" if text else text
