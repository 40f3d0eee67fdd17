"""A view that has nothing to show, and says so."""

from __future__ import annotations

from sprig_tui.console.payload.spans import Copied, Span, Spans, View, wrap


class NoteView(View):
    """A sentence of ours."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = wrap(text, self.width)

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._lines)

    def line(self, index: int) -> Spans:
        """One line."""
        return (Span(self._lines[index], "muted"),)

    def resize(self, width: int) -> None:
        """Fold anew."""
        super().resize(width)
        self._lines = wrap(self._text, width)

    def copied(self, index: int) -> Copied | None:  # noqa: ARG002 - there is nothing in any line
        """There is nothing to copy."""
        return None
