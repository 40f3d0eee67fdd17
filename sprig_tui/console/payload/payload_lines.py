"""Widget for the lines of a view, with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.payload.views.base import RecordView
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.sprig.missing_fields import MINIMAL_RECORD

HINT: tuple[Line, ...] = (
    (),
    (TextSpan("  no payload yet", "strong"),),
    (TextSpan("  o", "accent"), TextSpan("  open a file or folder of answers: JSON, JSON Lines, CSV, each also .gz")),
    (TextSpan("   ", ""), TextSpan("  or drop one on this terminal", "muted")),
    (TextSpan("  3", "accent"), TextSpan("  go to the deliveries; what is selected there is shown here")),
    (),
    (TextSpan("  a record of your own holds at least", "muted"),),
    *((TextSpan(f"  {line}", "string"),) for line in MINIMAL_RECORD.splitlines()),
)
BROWSER_HINT: tuple[Line, ...] = (
    *HINT[:2],
    (TextSpan("   ", ""), TextSpan("  paste answers to see them here: JSON, JSON Lines or Sprig's CSV")),
    *HINT[4:],
)
"""The same where files are out of reach."""


class PayloadLines(LineList):
    """Lines of one view at a time."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--key", "line--string", "line--number", "line--word"}
    DEFAULT_CSS = """
    PayloadLines {
        & > .line--key { color: $text-primary; }
        & > .line--string { color: $text-success; }
        & > .line--number { color: $text-warning; }
        & > .line--word { color: $text-accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "choose", "Open", show=False, id="payload.open")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._view: RecordView | None = None

    @property
    def view(self) -> RecordView | None:
        """The view shown."""
        return self._view

    def show(self, view: RecordView | None, *, cursor: int = 0) -> None:
        """Show a view from its first line; None for no view."""
        self._view = view
        if self.scroll_offset != (0, 0):
            self.scroll_to(0, 0, animate=False)
        self._lay_out()
        self.cursor = cursor
        if self.cursor > 0:
            self.scroll_to_line(self.cursor)

    def line(self, index: int) -> Line | None:
        if self._view is None or index >= len(self._view):
            return None
        return [TextSpan(*span) for span in self._view.line(index)]

    def empty_lines(self) -> Sequence[Line]:
        permissions: Permissions = getattr(self.app, "permissions", Permissions())
        return BROWSER_HINT if permissions.browser else HINT

    def action_choose(self) -> None:
        if self._view is not None and 0 <= self.cursor < len(self._view) and self._view.toggle(self.cursor):
            self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if self._view is not None and width > 0:
            if self._view.width != width:
                self._view.resize(width)
            self.resize(len(self._view))
        elif self._view is None:
            self.resize(0)
        self.revise()
