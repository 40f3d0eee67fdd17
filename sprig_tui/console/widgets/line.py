"""What stands in one line of a list: parts in a style each, made printable and cut to their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from sprig_tui.text import ELLIPSIS, printable

MAX_TEXT_CHARS = 65_536
"""Characters of one part that are looked at: what is beyond is not reachable by scrolling sideways either."""


class TextSpan(NamedTuple):
    """A stretch of a line in one style."""

    text: str
    style: str = ""
    """A component class without its `line--`: `muted`, `good`, `bad`, `warning`, `accent`, `strong`, or one that the
    subclass adds; empty for the plain one."""
    width: int = 0
    """Cells that it fills exactly, cut or padded; 0 for as many as it needs."""


Line = Sequence[TextSpan]
"""What stands in one line, from left to right."""


def visible_text(text: str, width: int) -> str:
    """A part as it may reach the terminal; in exactly `width` cells where that is not 0."""
    if width and len(text) == width and text.isascii() and text.isprintable():
        return text
    # A column of so many cells shows few characters: what is behind them is not looked at.
    text = printable(text, limit=min(MAX_TEXT_CHARS, 4 * width + 16) if width else MAX_TEXT_CHARS)
    return fit_span(text, width) if width else text


def fit_span(text: str, width: int) -> str:
    """The text in exactly `width` cells of a terminal: padded, or cut with an ellipsis at the end."""
    if text.isascii() and text.isprintable():  # a cell each; nearly everything that columns hold
        return text.ljust(width) if len(text) <= width else text[: max(0, width - 1)] + ELLIPSIS[:width]
    cells = cell_len(text)
    if cells <= width:
        return text + " " * (width - cells)
    return set_cell_size(text, width - 1) + ELLIPSIS if width > 0 else ""
