"""The dialog that follows one test event until Segment has answered, and then says what to look for."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from sprig_tui.config.environment import Environment
from sprig_tui.console.core import Session
from sprig_tui.console.dialogs import Dialog, plain_content
from sprig_tui.console.environments.trial_event import delivery_progress_text
from sprig_tui.console.hints import hint
from sprig_tui.errors import JournalError

POLL_INTERVAL_S = 0.15
"""Seconds between two looks."""


class SendTestEventScreen(Dialog[None]):
    """Shows how far one delivery is. It goes on by itself when this is closed."""

    def __init__(self, session: Session, environment: Environment, delivery_id: int) -> None:
        super().__init__(f"Test event to {environment.name}")
        self._session = session
        self._environment = environment
        self._delivery_id = delivery_id
        self._shown_text = ""

    def compose(self) -> ComposeResult:
        """What is known, and a way out."""
        with VerticalScroll(classes="dialog-box", can_focus=False):
            yield from self.head()
            yield Static(plain_content("Queued ..."), id="progress")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close", variant="primary")
            yield Static(hint(("enter or escape closes", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        """Look at once, then again and again."""
        self.query_one("#close").focus()
        self._timer = self.set_interval(POLL_INTERVAL_S, self._poll)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)

    async def _poll(self) -> None:
        text, over = await self._current_progress()
        if text != self._shown_text:
            self._shown_text = text
            self.query_one("#progress", Static).update(plain_content(text))
        if over:
            self._timer.stop()

    async def _current_progress(self) -> tuple[str, bool]:
        journal = self._session.journal
        if journal is None:
            return self._session.trouble or "the journal is not open", False
        try:
            detail = await journal.get(self._delivery_id)
            lane = (await journal.lanes()).get(self._environment.name)
        except JournalError as error:
            return error.message, False
        if detail is None:
            return "the journal no longer has it", True
        return delivery_progress_text(detail.delivery, lane, self._environment, self._session.clock.now())
