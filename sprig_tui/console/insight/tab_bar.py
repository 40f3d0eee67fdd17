"""Tab bar: the names of the groupings in one line; the chosen one is always in view."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sprig_tui.console.theme import MUTED

GAP_CELLS = 1


class TabBar(Widget):
    """Shows `names`; posts `Clicked` with the index of the one that was clicked."""

    ALLOW_SELECT = False

    chosen: reactive[int] = reactive(0)

    class Clicked(Message):
        """A name was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def render(self) -> Content:
        """The names from the first one that has to be shown for the chosen one to fit."""
        pieces: list[str | tuple[str, str]] = []
        for index in range(self._first(), len(self._names)):
            name = self._names[index]
            pieces += [" " * GAP_CELLS] if pieces else []
            pieces.append((f"▸{name}", "bold $text-primary") if index == self.chosen else (f" {name}", MUTED))
        return Content.assemble(*pieces)

    def _first(self) -> int:
        first = 0
        while first < self.chosen and self._cells(first, self.chosen + 1) > self.size.width:
            first += 1
        return first

    def _cells(self, start: int, end: int) -> int:
        return sum(cell_len(name) + 1 + GAP_CELLS for name in self._names[start:end]) - GAP_CELLS

    def on_click(self, event: events.Click) -> None:
        """Choose the name below the mouse."""
        event.stop()
        first = self._first()
        for index in range(first, len(self._names)):
            if self._cells(first, index) <= event.x < self._cells(first, index + 1) + GAP_CELLS:
                self.post_message(self.Clicked(index))
                return
