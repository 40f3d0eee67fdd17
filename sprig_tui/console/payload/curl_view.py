"""The curl view: a command that sends the same call, folded to the width."""

from __future__ import annotations

from collections.abc import Sequence

from sprig_tui.console.payload.spans import CopiedText, RecordView, Span, SpanLine, chop
from sprig_tui.text import printable


class CurlView(RecordView):
    """A command over several lines; a line that does not fit goes on below, which a copy does not have."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._command = tuple(lines)
        self._folded: list[Span] = []
        self.resize(self.width)

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._folded)

    def line(self, index: int) -> SpanLine:
        """One line."""
        return (self._folded[index],)

    def resize(self, width: int) -> None:
        """Fold anew."""
        super().resize(width)
        self._folded = [
            Span(part, "muted" if line.startswith("#") else "")
            for line in self._command
            for part in chop(printable(line), width)
        ]

    def copy_line(self, index: int) -> CopiedText:
        """The whole command."""
        del index
        return CopiedText("\n".join(self._command), "the curl command")
