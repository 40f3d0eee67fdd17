"""Panel whose title is repainted alone, and captions that avoid a new layout.

Textual repaints a whole widget when its title changes, and lays out the whole screen when the text of a Static does.
Both happen for each selected delivery, and would cost more than the rows themselves.
"""

from __future__ import annotations

from typing import Any, Self

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static


class Panel(Widget):
    """Widget with a frame; `retitle` paints its first row only."""

    _title = Content("")
    _retitling = False

    def retitle(self, title: Content) -> None:
        """Change the title, and paint it where it differs."""
        if title.is_same(self._title):
            return
        self._title = title
        self._retitling = True
        self.border_title = title
        self._retitling = False
        # regions are relative to the inside of the frame
        self.refresh(Region(-1, -1, self.outer_size.width, 1))

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Refresh as Textual does, but not for a new title: `retitle` paints that."""
        return self if self._retitling else super().refresh(*regions, **options)


class Caption(Static):
    """A few lines of text; takes no room while empty, and needs a new layout only for more or fewer lines."""

    def __init__(self, *, classes: str) -> None:
        super().__init__("", classes=classes, markup=False)
        self._text = Content("")

    def on_mount(self) -> None:
        self.display = bool(self._text.plain)

    def show(self, text: Content) -> None:
        """Show this."""
        before, self._text = self._text, text
        if not text.is_same(before):
            self.display = bool(text.plain)
            self.update(text, layout=self._rows(text) != self._rows(before))

    def _rows(self, text: Content) -> int:
        """Rows that Textual gives the text at the present width; -1 while the width is unknown."""
        width = self.content_size.width
        if not text.plain:
            return 0
        return text.get_height(self.styles.get_rules(), width) if width > 0 else -1
