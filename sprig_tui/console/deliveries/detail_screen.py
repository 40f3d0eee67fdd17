"""The detail screen: one delivery in full, kept up to date, with what can be done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen

from sprig_tui.clock import Clock
from sprig_tui.console.commands import Commanded, bindings
from sprig_tui.console.deliveries.commands import DETAIL_COMMANDS
from sprig_tui.console.deliveries.detail_text import DetailView, heading
from sprig_tui.console.deliveries.matches import Matches
from sprig_tui.console.deliveries.replay_desk import ReplayDesk
from sprig_tui.console.key_bar import KeyBar
from sprig_tui.console.notices import tell, tell_fault, warn
from sprig_tui.console.payload.payload_lines import PayloadLines
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import Delivery, Detail

LOOK_EVERY = 0.5
"""Seconds between two looks at whether it changed."""


class DetailScreen(Commanded, Screen[int]):
    """Dismissed with the delivery that it showed last."""

    HELP = "Everything about one delivery: what became of it, each attempt, the exact call, and what came in."
    VERBS = DETAIL_COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(DETAIL_COMMANDS)
    AUTO_FOCUS = "PayloadLines"

    class CopyRequested(Message):
        """A text is to be copied."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    def __init__(self, journal: Journal, matches: Matches, delivery_id: int, desk: ReplayDesk, clock: Clock) -> None:
        """`matches`: what `[` and `]` go through."""
        super().__init__()
        self._journal = journal
        self._matches = matches
        self._desk = desk
        self._clock = clock
        self.delivery_id = delivery_id
        self.detail: Detail | None = None
        self.view: DetailView | None = None
        self.lines = PayloadLines()
        self._frame = Vertical(self.lines, classes="pane detail-frame")

    def compose(self) -> ComposeResult:
        """The lines in a frame, and the keys."""
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        """Look, and go on looking."""
        self.run_worker(self._watch(), group="watch")

    async def _watch(self) -> None:
        shown: Delivery | None = None
        while True:
            try:
                rows = await self._journal.rows([self.delivery_id])
                if rows and rows[0] != shown:
                    detail = await self._journal.get(self.delivery_id)
                    if detail is not None:
                        self._show(detail, same=shown is not None and shown.id == rows[0].id)
                        shown = rows[0]
            except JournalError as error:
                self._frame.border_subtitle = Content(f"cannot read the journal: {error.message}")
                shown = None
            await asyncio.sleep(LOOK_EVERY)

    def _show(self, detail: Detail, *, same: bool) -> None:
        self.detail = detail
        self.view = DetailView(detail, self._clock.now())
        self.lines.show(self.view, cursor=self.lines.cursor if same else 0)
        self._frame.border_title = Content(heading(detail.delivery))
        self._frame.border_subtitle = None
        self.refresh_bindings()

    def refusal(self, action: str) -> str:
        """Also where there is no origin."""
        if action == "go_to_origin" and (self.detail is None or not self.detail.delivery.origin_id):
            return "origin: this delivery came from no other"
        return super().refusal(action)

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_detail(self) -> None:
        """See `CloseDetail`."""
        self.dismiss(self.delivery_id)

    def action_replay_this(self) -> None:
        """See `ReplayThis`."""
        self._work(self._replay(as_new=False))

    def action_send_this_as_new(self) -> None:
        """See `SendThisAsNew`."""
        self._work(self._replay(as_new=True))

    async def _replay(self, *, as_new: bool) -> None:
        added = await self._desk.replay([self.delivery_id], as_new=as_new)
        if as_new and added:
            await self._go_to(added[0].id)

    def action_go_to_origin(self) -> None:
        """See `GoToOrigin`."""
        if self.detail is not None and self.detail.delivery.origin_id:
            self._work(self._go_to(self.detail.delivery.origin_id))

    def action_older_delivery(self) -> None:
        """See `OlderDelivery`."""
        self._step(-1)

    def action_newer_delivery(self) -> None:
        """See `NewerDelivery`."""
        self._step(1)

    def _step(self, steps: int) -> None:
        position = self._matches.position(self.delivery_id) + steps
        if 0 <= position < len(self._matches):
            self._work(self._go_to(self._matches[position]))
        else:
            tell(self.app, f"there is no {'older' if steps < 0 else 'newer'} delivery in the log")

    async def _go_to(self, delivery_id: int) -> None:
        try:
            detail = await self._journal.get(delivery_id)
        except JournalError as error:
            tell_fault(self.app, error)
            return
        if detail is None:
            warn(self.app, f"delivery {delivery_id} is no longer in the journal")
            return
        self.delivery_id = delivery_id
        self._show(detail, same=False)

    def action_copy_detail(self) -> None:
        """See `CopyDetail`."""
        copied = self.view.copied(max(0, self.lines.cursor)) if self.view is not None else None
        if copied is not None:
            self.post_message(self.CopyRequested(copied.text, copied.what))

    def _work(self, work: Coroutine[None, None, object]) -> None:
        self.run_worker(work, group="work", exclusive=True)

    @on(PayloadLines.Moved)
    def _moved(self, event: PayloadLines.Moved) -> None:
        event.stop()
