"""A scrollbar that is painted when it looks other than before: over a million lines a page moves it by nothing."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from textual.reactive import Reactive
from textual.scrollbar import ScrollBar

if TYPE_CHECKING:
    from rich.console import RenderableType

EIGHTHS_PER_CELL = 8
"""Textual draws the ends of the thumb by eighths of a cell."""


def thumb_ends(size: int, lines: float, window: float, position: float) -> tuple[int, int]:
    """Where the thumb begins, and how long it is, in eighths of a cell, as Textual works it out; (0, 0) for none."""
    if size <= 0 or window <= 0 or lines <= window:
        return 0, 0
    lines, window = ceil(lines), ceil(window)
    thumb = max(1.0, window / (lines / size))
    return int((size - thumb) * (position / (lines - window)) * EIGHTHS_PER_CELL), ceil(thumb * EIGHTHS_PER_CELL)


class CachedScrollBar(ScrollBar):
    """Textual's own, but for when it is painted."""

    window_virtual_size: Reactive[int] = Reactive(100, repaint=False)
    window_size: Reactive[int] = Reactive(0, repaint=False)
    position: Reactive[float] = Reactive(0, repaint=False)

    _drawn = (-1, -1)

    def render(self) -> RenderableType:
        """As Textual; remembers how it looks."""
        self._drawn = self._ends()
        return super().render()

    def watch_position(self) -> None:
        """Scrolled."""
        self._paint_if_moved()

    def watch_window_virtual_size(self) -> None:
        """More lines, or fewer."""
        self._paint_if_moved()

    def watch_window_size(self) -> None:
        """Another height."""
        self._paint_if_moved()

    def _ends(self) -> tuple[int, int]:
        size = self.size.height if self.vertical else self.size.width
        return thumb_ends(size, self.window_virtual_size, self.window_size, self.position)

    def _paint_if_moved(self) -> None:
        if self._ends() != self._drawn:
            self.refresh()
