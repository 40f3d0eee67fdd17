"""Line picker: a dialog that asks which of some lines is meant."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from sprig_tui.console.widgets.dialogs import Dialog, hint
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList


class TextLines(LineList):
    """Constant lines."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(id="action-list")
        self._texts = texts

    def on_mount(self) -> None:
        self.resize(len(self._texts))
        self.styles.height = len(self._texts)

    def line(self, index: int) -> Line | None:
        return (TextSpan(f" {self._texts[index]}"),)


class LinePicker(Dialog[int | None]):
    """Asks which of some lines is meant. Result: its index, or None."""

    def __init__(self, title: str, texts: Sequence[str], *, verb: str, about: str = "") -> None:
        """`verb` says what enter does, such as `does it`; `about` is a text above the lines."""
        super().__init__(title, about)
        self.lines = TextLines(texts)
        self._verb = verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield self.lines
            yield Static(hint((f"enter {self._verb}", "enter"), ("escape closes", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        self.lines.focus()

    @on(LineList.Selected)
    def _on_selected(self, event: LineList.Selected) -> None:
        event.stop()
        self.dismiss(event.index)
