"""Chosen delivery: what the log selects is fetched, and shown in the Payload pane in the same frame where it can be."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from sprig_tui.console.notify import notify_error
from sprig_tui.errors import JournalError

if TYPE_CHECKING:
    from textual.widget import Widget

    from sprig_tui.console.deliveries.log import DeliveryLog
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.console.session import Session

MAX_FRAME_WAIT_S = 0.05
"""Longest time that a frame with the cursor waits for the payload."""


class ChosenDelivery:
    """Keeps the Payload pane at the delivery that the log selects; `owner` runs the workers that fetch it."""

    def __init__(self, owner: Widget, session: Session, log: DeliveryLog, payload: PayloadInspector) -> None:
        self._owner = owner
        self._session = session
        self._log = log
        self._payload = payload
        self._frame_waits_since = 0.0
        """When the frame that is due was first held back; 0 for none."""
        self._late_choice = 0
        """The choice in the log whose payload took too long for one frame with it."""

    def show(self, event: DeliveryLog.DeliverySelected, *, has_files: bool) -> None:
        """Show the selected delivery; only a key or a click replaces a record of a file.

        `has_files`: files were named at the start, whether they are open yet or not.
        """
        payload = self._payload
        shown = payload.detail
        same = shown is not None and shown.delivery.message_id == event.delivery.message_id
        # a delivery whose person was forgotten has another message id, and its content must not stay on the screen
        if same and shown is not None and shown.delivery.id == event.delivery.id and not event.by_person:
            payload.update_delivery(event.delivery)
        elif event.by_person or shown is not None or not (payload.inspection or has_files):
            # keys wait for a delivery chosen by a key, not for one that the log follows
            group = "loading-delivery" if event.by_person else "delivery"
            self._owner.run_worker(self._fetch(event.delivery.id), exclusive=True, group=group, exit_on_error=False)

    async def _fetch(self, delivery_id: int) -> None:
        if (journal := self._session.journal) is None:
            return
        try:
            detail = await journal.get(delivery_id)
        except JournalError as error:
            self._log.mark_shown(delivery_id)
            notify_error(self._owner.app, error)
            return
        if detail is not None and delivery_id == self._log.lines.selected:
            self._payload.show_delivery(detail)
        self._log.mark_shown(delivery_id)
        self.stop_following_if_read()

    def stop_following_if_read(self) -> None:
        """Stop following while the Payload pane has the focus: its record must not change meanwhile."""
        if self._payload.has_focus_within and self._payload.detail is not None:
            self._log.stop_following()

    def is_stale(self) -> bool:
        """Whether the log has selected a delivery that the Payload pane does not show yet."""
        shown = self._payload.detail
        selected = self._log.lines.selected
        return self._log.is_selected_stale or bool(shown and selected and shown.delivery.id != selected)

    def frame_waits(self) -> bool:
        """Let rows of the log wait for the payload of the one that was chosen, if it comes at once."""
        lines = self._log.lines
        if not lines.has_unshown_choice or lines.choices == self._late_choice:
            self._frame_waits_since = 0.0
            return False
        now = monotonic()
        self._frame_waits_since = self._frame_waits_since or now
        if now - self._frame_waits_since < MAX_FRAME_WAIT_S:
            return True
        self._late_choice = lines.choices
        return False
