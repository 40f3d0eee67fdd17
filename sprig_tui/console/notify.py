"""Notices in the corner of the screen; their text is never read as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sprig_tui.errors import SprigTuiError
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

MAX_NOTICE_CHARS = 400
"""Characters of a notice; more would cover the screen."""
NOTICE_TIMEOUT_S = {"information": 4.0, "warning": 8.0, "error": 12.0}


def notify(app: App[Any], text: str, *, severity: SeverityLevel = "information") -> None:
    """Show a notice; line breaks stay, other control characters are made visible."""
    shown = "\n".join(printable(line, limit=MAX_NOTICE_CHARS) for line in text.split("\n")[:6])
    app.notify(shown, severity=severity, timeout=NOTICE_TIMEOUT_S[severity], markup=False)
    if severity != "information" and (keyboard := getattr(app, "keyboard", None)) is not None:
        keyboard.drop_typed_ahead()


def notify_warning(app: App[Any], text: str) -> None:
    """Show a warning, such as for something that was not done."""
    notify(app, text, severity="warning")


def notify_error(app: App[Any], error: SprigTuiError) -> None:
    """Show an error and its hint."""
    notify(app, f"{error.message}\n{error.hint}" if error.hint else error.message, severity="error")
