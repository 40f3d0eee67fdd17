"""Test event dialog: follows the delivery of a test event, and says where to look for it in Segment."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from sprig_tui.config.environment import Environment
from sprig_tui.console.session import Session
from sprig_tui.console.widgets.dialogs import Dialog, hint, plain_content
from sprig_tui.errors import JournalError
from sprig_tui.formatting import time_left
from sprig_tui.ingest.test_event import EVENT_NAME, TEST_USER_ID
from sprig_tui.journal.records import Delivery, Lane, State


def where_to_look(environment: Environment, message_id: str) -> str:
    """Where to look in Segment; a 200 alone does not prove that the key is the right one."""
    if environment.endpoint not in ("us", "eu"):
        return f"Look for {EVENT_NAME!r} with message id {message_id} at {environment.base_url}."
    return (
        f"Segment answers 200 to a wrong key as well. In Segment open Connections, Sources, the source that is meant"
        f" for {environment.name}, Debugger, and look for {EVENT_NAME!r} (user {TEST_USER_ID}, "
        f"message id {message_id})."
        f" If it is not there within a minute, the key belongs to another source or to none."
    )


def delivery_progress_text(
    delivery: Delivery, lane: Lane | None, environment: Environment, now: int
) -> tuple[str, bool]:
    """The state of the test event in words, and whether it is final."""
    if delivery.state is State.DELIVERED:
        result = f"Segment answered {delivery.status} after {delivery.latency_ms:.0f} ms."
        return f"{result}\n\n{where_to_look(environment, delivery.message_id)}", True
    if delivery.state is State.FAILED:
        return (
            f"Rejected: {delivery.status or ''} {delivery.error}".strip() + ". The Deliveries pane has the answer.",
            True,
        )
    if delivery.state is State.WITHHELD:
        return f"Withheld: {delivery.reason}. {delivery.detail}", True
    if lane is not None and lane.state == "paused":
        state = lane.cause if lane.is_held else f"paused: {lane.cause}"
        return f"Queued, but sending to {environment.name} is {state}. p resumes.", True
    if lane is not None and lane.state == "waiting" and lane.until > now:
        return f"Queued; the next try is in {time_left(lane.until, now)} ({lane.cause}).", False
    return "On its way ..." if delivery.leased else "Queued ...", False


POLL_INTERVAL_S = 0.15
"""Seconds between two polls."""


class SendTestEventScreen(Dialog[None]):
    """Shows the progress of one delivery, which continues when the dialog is closed."""

    def __init__(self, session: Session, environment: Environment, delivery_id: int) -> None:
        super().__init__(f"Test event to {environment.name}")
        self._session = session
        self._environment = environment
        self._delivery_id = delivery_id
        self._shown_text = ""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-box", can_focus=False):
            yield from self.head()
            yield Static(plain_content("Queued ..."), id="progress")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close", variant="primary")
            yield Static(hint(("enter or escape closes", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        self.query_one("#close").focus()
        self._timer = self.set_interval(POLL_INTERVAL_S, self._poll)

    def on_button_pressed(self, event: Button.Pressed) -> None:
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
