"""The widget that shows a view: its lines in colours, what opens, and the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from sprig_tui.console.line import Line, Part
from sprig_tui.console.line_view import LineView
from sprig_tui.console.payload.spans import View
from sprig_tui.sprig.minimal import MINIMAL_RECORD

HINT: tuple[Line, ...] = (
    (),
    (Part("  no payload yet", "strong"),),
    (Part("  o", "accent"), Part("  open a file or folder of answers: JSON, JSON Lines, CSV, each also .gz")),
    (Part("   ", ""), Part("  or drop one on this terminal", "muted")),
    (Part("  3", "accent"), Part("  go to the deliveries; what is selected there is shown here")),
    (),
    (Part("  a record of your own holds at least", "muted"),),
    *((Part(f"  {line}", "string"),) for line in MINIMAL_RECORD.splitlines()),
)


class PayloadLines(LineView):
    """The lines of one view at a time."""

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
        self._view: View | None = None

    @property
    def view(self) -> View | None:
        """What is shown."""
        return self._view

    def show(self, view: View | None, *, cursor: int = 0) -> None:
        """Show a view from its first line, or none."""
        self._view = view
        self.scroll_to(0, 0, animate=False)
        self._lay_out()
        self.cursor = cursor
        if self.cursor > 0:
            self.bring_into_sight(self.cursor)

    def line(self, index: int) -> Line | None:
        """A line of the view."""
        if self._view is None or index >= len(self._view):
            return None
        return [Part(*span) for span in self._view.line(index)]

    def empty_lines(self) -> Sequence[Line]:
        """What to do when nothing is open."""
        return HINT

    def action_choose(self) -> None:
        """Open or close what stands in the line."""
        if self._view is not None and 0 <= self.cursor < len(self._view) and self._view.toggle(self.cursor):
            self._lay_out()

    def on_resize(self) -> None:
        """Fold to the new width."""
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
