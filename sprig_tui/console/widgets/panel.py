"""What stands around lists that are painted often: a frame whose title alone is painted again, and texts in it.

Textual paints a whole widget when its title changes, and lays the whole screen out when the text of a Static does. Both
happen with each delivery that is selected, and cost more than the rows themselves.
"""

from __future__ import annotations

from typing import Any, Self

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static


class Panel(Widget):
    """A widget with a frame; `retitle` paints its first row only."""

    _title = Content("")
    _retitling = False

    def retitle(self, title: Content) -> None:
        """Another title, painted only where it is another one."""
        if title.is_same(self._title):
            return
        self._title = title
        self._retitling = True
        self.border_title = title
        self._retitling = False
        # places are relative to what is inside of the frame
        self.refresh(Region(-1, -1, self.outer_size.width, 1))

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """As Textual, but not for a title: `retitle` does that."""
        return self if self._retitling else super().refresh(*regions, **options)


class Caption(Static):
    """A few lines of text, and no room where it is empty; the screen is laid out anew only for more or fewer lines."""

    def __init__(self, *, classes: str) -> None:
        super().__init__("", classes=classes, markup=False)
        self._text = Content("")

    def on_mount(self) -> None:
        """Nothing is said yet."""
        self.display = bool(self._text.plain)

    def show(self, text: Content) -> None:
        """Show this."""
        before, self._text = self._text, text
        if not text.is_same(before):
            self.display = bool(text.plain)
            self.update(text, layout=self._rows(text) != self._rows(before))

    def _rows(self, text: Content) -> int:
        """As many as Textual gives it at the present width; -1 while that is not known."""
        width = self.content_size.width
        if not text.plain:
            return 0
        return text.get_height(self.styles.get_rules(), width) if width > 0 else -1
