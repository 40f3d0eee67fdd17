"""The curl view: a command that sends the same call, folded to the width."""

from __future__ import annotations

from collections.abc import Sequence

from sprig_tui.console.payload.spans import Copied, Span, Spans, View, chop
from sprig_tui.text import printable


class CurlView(View):
    """A command over several lines; a line that does not fit goes on below, which a copy does not have."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._command = tuple(lines)
        self._folded: list[Span] = []
        self.resize(self.width)

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._folded)

    def line(self, index: int) -> Spans:
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

    def copied(self, index: int) -> Copied:
        """The whole command."""
        del index
        return Copied("\n".join(self._command), "the curl command")
