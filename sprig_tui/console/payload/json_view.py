"""The JSON view: the call as it will be sent, or was, with indentation and in colours."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from sprig_tui.console.payload.json_tree import JsonNode, TreeLine, copy_line, line_spans, toggle_line, tree_lines
from sprig_tui.console.payload.spans import CopiedText, RecordView, SpanLine


def is_json(data: bytes) -> bool:
    """Whether it is one JSON value in UTF-8."""
    try:
        data.decode()
        msgspec.json.decode(data, type=Raw)
    except (ValueError, RecursionError):
        return False
    return True


class JsonView(RecordView):
    """A JSON document as a tree; texts and what has more than 200 items open in place."""

    def __init__(self, data: bytes) -> None:
        """`data` must be JSON (`is_json`)."""
        self._root = JsonNode(data.strip())
        self._root.open_up()
        self._lines: list[TreeLine] = []
        self._lay_out()

    def __len__(self) -> int:
        """Lines shown."""
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        """One line in colours."""
        return tuple(line_spans(self._lines[index], self.width))

    def resize(self, width: int) -> None:
        """Fold open texts anew."""
        super().resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        """Open or close an object, list or text, or show more of it."""
        changed = toggle_line(self._lines[index], self.width)
        if changed:
            self._lay_out()
        return changed

    def copy_line(self, index: int) -> CopiedText:
        """The value in this line."""
        return copy_line(self._lines[index])

    def _lay_out(self) -> None:
        self._lines = list(tree_lines(self._root, self.width))
