"""A view that has nothing to show, and says so."""

from __future__ import annotations

from sprig_tui.console.payload.spans import CopiedText, RecordView, Span, SpanLine, wrap


class NoteView(RecordView):
    """A sentence of ours."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = wrap(text, self.width)

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        """One line."""
        return (Span(self._lines[index], "muted"),)

    def resize(self, width: int) -> None:
        """Fold anew."""
        super().resize(width)
        self._lines = wrap(self._text, width)

    def copy_line(self, index: int) -> CopiedText | None:  # noqa: ARG002 - there is nothing in any line
        """There is nothing to copy."""
        return None
