"""Line of a list: text spans, each in one style, made printable and cut to their width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from sprig_tui.text import ELLIPSIS, printable

MAX_TEXT_CHARS = 65_536
"""Longest part of a span that is shown; scrolling sideways does not reach beyond it either."""


class TextSpan(NamedTuple):
    """Text in one style."""

    text: str
    style: str = ""
    """A component class without its `line--`: `muted`, `good`, `bad`, `warning`, `accent`, `strong`, or one that the
    subclass adds; empty for the plain one."""
    width: int = 0
    """Exact width in cells, cut or padded; 0 for the width of the text."""


Line = Sequence[TextSpan]
"""Spans of one line, from left to right."""


def visible_text(text: str, width: int) -> str:
    """The text as it may be written to the terminal; in exactly `width` cells where that is not 0."""
    if width and len(text) == width and text.isascii() and text.isprintable():
        return text
    # a column shows few characters: the rest of the text is not processed
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
