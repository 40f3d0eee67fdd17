"""Notices in the corner of the screen, and the history of them; their text is never read as markup."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from sprig_tui.clock import Clock
from sprig_tui.errors import SprigTuiError
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

MAX_NOTICE_CHARS = 400
"""Characters of a notice; more would cover the screen."""
MAX_KEPT_NOTICES = 200
NOTICE_TIMEOUT_S = {"information": 4.0, "warning": 8.0, "error": 12.0}
HELD_KEY_S = 1.0
"""Seconds within which the same notice again comes from a key that is held down."""


class PastNotice:
    """A notice that was shown, maybe several times in a row."""

    def __init__(self, text: str, severity: SeverityLevel, at_ms: int) -> None:
        self.text = text
        self.severity = severity
        self.at_ms = at_ms
        """When it was shown last, ms since 1970."""
        self.times = 1


class NoticeHistory:
    """The newest notices of this console, oldest first, to be read again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.notices: deque[PastNotice] = deque(maxlen=MAX_KEPT_NOTICES)
        self._added_at = 0.0

    def add(self, text: str, severity: SeverityLevel) -> bool:
        """Keep a notice; False where it repeats the newest one so soon that it is shown already."""
        before, self._added_at, at_ms = self._added_at, monotonic(), self._clock.now()
        newest = self.notices[-1] if self.notices else None
        if newest is None or (newest.text, newest.severity) != (text, severity):
            self.notices.append(PastNotice(text, severity, at_ms))
            return True
        newest.at_ms = at_ms
        newest.times += 1
        return self._added_at - before > HELD_KEY_S


def notify(app: App[Any], text: str, *, severity: SeverityLevel = "information", by_key: bool = True) -> None:
    """Show a notice; line breaks stay, other control characters are made visible.

    The same notice again takes the place of the first one, which Textual's app in `textual_private` sees to. A warning
    or an error drops the keys that were typed with the one that caused it; `by_key` is false where none did.
    """
    shown = "\n".join(printable(line, limit=MAX_NOTICE_CHARS) for line in text.split("\n")[:6])
    history: NoticeHistory | None = getattr(app, "notices", None)
    if history is None or history.add(shown, severity):
        app.notify(shown, severity=severity, timeout=NOTICE_TIMEOUT_S[severity], markup=False)
    if by_key and severity != "information" and (keyboard := getattr(app, "keyboard", None)) is not None:
        keyboard.drop_typed_ahead()


def notify_end(app: App[Any], text: str, *, severity: SeverityLevel = "information") -> None:
    """Show the end of a bulk job, and alert somebody who looks elsewhere, where the config asks for it."""
    notify(app, text, severity=severity)
    if (alerts := getattr(app, "alerts", None)) is not None:
        alerts.alert(text)


def notify_warning(app: App[Any], text: str, *, by_key: bool = True) -> None:
    """Show a warning, such as for something that was not done."""
    notify(app, text, severity="warning", by_key=by_key)


def notify_error(app: App[Any], error: SprigTuiError) -> None:
    """Show an error and its hint."""
    notify(app, f"{error.message}\n{error.hint}" if error.hint else error.message, severity="error")
