"""The line at the top: the selected environment's rate, and what stands in the journal."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sprig_tui.console.status_text import StatusPart, status_parts
from sprig_tui.console.vitals import ConsoleSnapshot


class StatusLine(Widget):
    """Says `vitals`; repaints only when it says something else: most of what they hold stands elsewhere."""

    ALLOW_SELECT = False

    snapshot: reactive[ConsoleSnapshot] = reactive(ConsoleSnapshot(), repaint=False)
    selected: reactive[str] = reactive("", repaint=False)

    def __init__(self, label: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._label = label
        self._shown: list[StatusPart] = []

    def watch_snapshot(self) -> None:
        """Other numbers."""
        self._refresh()

    def watch_selected(self) -> None:
        """Another environment."""
        self._refresh()

    def _refresh(self) -> None:
        if self._pieces() != self._shown:
            self.refresh()

    def _pieces(self) -> list[StatusPart]:
        return status_parts(self.snapshot, self.selected, self._label, self.size.width)

    def render(self) -> Content:
        """One line."""
        self._shown = self._pieces()
        return Content.assemble(*(piece if piece.style else piece.text for piece in self._shown))
