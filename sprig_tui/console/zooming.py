"""One pane at a time may have the whole room between status line and key bar."""

from __future__ import annotations

from textual.binding import Binding
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Input

from sprig_tui.console.commands import SCOPE_TITLES

UNZOOM = Binding("escape", "unzoom", show=False, priority=True)


class Zooming(Screen[None]):
    """Sets a class `-zoom-SCOPE` for the style sheets; escape goes back, but for where a text is typed."""

    zoomed: reactive[str] = reactive("", repaint=False)
    """The scope of the pane; empty for none."""

    def watch_zoomed(self) -> None:
        """Give one pane all the room, or each its own."""
        self.update_classes({f"-zoom-{scope}": scope == self.zoomed for scope in SCOPE_TITLES})

    def action_unzoom(self) -> None:
        """Each its own."""
        self.zoomed = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is for what stands before it wherever it means something else."""
        if action == "unzoom":
            return bool(self.zoomed) and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)
