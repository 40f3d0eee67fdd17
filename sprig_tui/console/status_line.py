"""The line at the top: the selected environment's rate, and what stands in the journal."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sprig_tui.console.status_text import status_pieces
from sprig_tui.console.vitals import Vitals


class StatusLine(Widget):
    """Renders `vitals`; repaints only when they are other ones."""

    ALLOW_SELECT = False

    vitals: reactive[Vitals] = reactive(Vitals())
    selected: reactive[str] = reactive("")

    def __init__(self, label: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._label = label

    def render(self) -> Content:
        """One line."""
        pieces = status_pieces(self.vitals, self.selected, self._label, self.size.width)
        return Content.assemble(*(piece if piece.style else piece.text for piece in pieces))
