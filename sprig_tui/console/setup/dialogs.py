"""Dialogs of the set-up: choose among the actions of a step, and a guide with a command line to copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.widgets.dialogs import Dialog, hint, plain_content
from sprig_tui.console.widgets.line_picker import LinePicker
from sprig_tui.setup.guides import action_text
from sprig_tui.setup.model import ActionKind, Finding
from sprig_tui.text import one_line


class ActionPicker(LinePicker):
    """Asks which of some actions to do."""

    def __init__(self, title: str, actions: Sequence[ActionKind]) -> None:
        super().__init__(title, [action_text(action) for action in actions], verb="does it")
        self.actions = actions


class FindingPicker(LinePicker):
    """Asks which of some findings is meant."""

    def __init__(self, title: str, findings: Sequence[Finding], *, verb: str) -> None:
        super().__init__(title, [f"{finding.code}: {one_line(finding.evidence)}" for finding in findings], verb=verb)


class GuideForm(Dialog[None]):
    """Says what to do elsewhere, in a shell or in Segment; its command line is copied by key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", show=False),
        Binding("enter", "leave", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]

    def __init__(self, title: str, steps: Sequence[str], command: str) -> None:
        """`command` is empty where there is none."""
        super().__init__(title)
        self._steps = steps
        self._command = command

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-box", can_focus=False):
            yield from self.head()
            if self._command:
                yield Static("in another terminal:", classes="dialog-hint")
                yield Static(plain_content(self._command), id="guide-command")
            yield Static(plain_content("\n".join(self._steps)), id="guide-steps")
            keys = (("y copies the command", "y"),) if self._command else ()
            yield Static(hint(*keys, ("enter or escape closes", "escape")), classes="dialog-hint")

    def action_copy(self) -> None:
        """Copy the command line."""
        if self._command:
            self.post_message(CopyRequested(self._command, "the command"))

    def action_scroll(self, lines: int) -> None:
        """Scroll a dialog that is higher than the screen."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
