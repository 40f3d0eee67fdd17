"""Notices in the corner: what happened and what to do now, never markup, whatever the text holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sprig_tui.errors import SprigTuiError
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

LONGEST = 400
"""Characters of a notice; more would cover the screen."""
SECONDS = {"information": 4.0, "warning": 8.0, "error": 12.0}


def tell(app: App[Any], text: str, *, severity: SeverityLevel = "information") -> None:
    """Show a notice; line breaks of ours stay, everything else of a foreign text is made visible."""
    shown = "\n".join(printable(line, limit=LONGEST) for line in text.split("\n")[:6])
    app.notify(shown, severity=severity, timeout=SECONDS[severity], markup=False)
    if severity != "information" and (keyboard := getattr(app, "keyboard", None)) is not None:
        keyboard.came_to_nothing()


def warn(app: App[Any], text: str) -> None:
    """Something is off, or was not done."""
    tell(app, text, severity="warning")


def tell_fault(app: App[Any], error: SprigTuiError) -> None:
    """An error of ours: what happened, and what to do now."""
    tell(app, f"{error.message}\n{error.hint}" if error.hint else error.message, severity="error")
