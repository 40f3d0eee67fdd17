"""Input with a history and completion: up and down go through what was entered before, tab takes the completion."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from sprig_tui.config.secret_shapes import holds_secret

MAX_HISTORY = 50


class HistoryInput(Input):
    """`history` may be a list that outlives the input; the newest entry is its last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "complete", show=False),
        Binding("up", "earlier(-1)", "earlier", show=False),
        Binding("down", "earlier(1)", "later", show=False),
    ]

    def __init__(self, history: list[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._history: list[str] = [] if history is None else history
        self._history_index = len(self._history)
        self._draft = ""
        """The text that was typed before the history was entered."""

    def add_to_history(self, text: str) -> None:
        """Append a text to the history, unless it is the newest entry, or holds a key."""
        if text and text not in self._history[-1:] and not holds_secret(text):
            self._history.append(text)
            del self._history[:-MAX_HISTORY]
        self._history_index = len(self._history)

    def action_complete(self) -> None:
        self.action_end()
        self.action_cursor_right()

    def action_earlier(self, steps: int) -> None:
        """Step through the history."""
        at = self._history_index + steps
        if not 0 <= at <= len(self._history):
            return
        if self._history_index == len(self._history):
            self._draft = self.value
        self._history_index = at
        self.value = self._history[at] if at < len(self._history) else self._draft
        self.action_end()
