"""Detail screen: one delivery in full, kept up to date, with its commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen

from sprig_tui.clock import Clock
from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.deliveries import DETAIL_COMMANDS
from sprig_tui.console.deliveries.detail_view import DetailContent, delivery_heading
from sprig_tui.console.deliveries.forget import ForgetActions
from sprig_tui.console.deliveries.repair import repair_refusal
from sprig_tui.console.deliveries.replay import ReplayActions
from sprig_tui.console.deliveries.search import MatchIndex
from sprig_tui.console.keyboard.queue import LOADING_GROUP_PREFIX, track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.payload_lines import PayloadLines
from sprig_tui.console.screens.explain import ExplainRequested
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, DeliveryDetail

POLL_INTERVAL_S = 0.5
"""Seconds between two polls for changes."""
MAX_DERIVED = 20
"""Derived deliveries listed at most."""


class DetailLines(PayloadLines):
    """Enter, or a click on the cursor, follows a link line to its delivery; on other lines it folds JSON."""

    def action_choose(self) -> None:
        if isinstance(self.view, DetailContent) and self.view.leads_to(self.cursor):
            self.post_message(self.Selected(self, self.cursor))
        else:
            super().action_choose()


class _ShownDetail(NamedTuple):
    """The records shown; while they are equal, nothing has to be drawn."""

    delivery: Delivery
    derived: tuple[Delivery, ...]
    more_derived: bool
    origin: Delivery | None


class DetailResult(NamedTuple):
    """How the detail screen was left."""

    delivery_id: int
    """The delivery shown last."""
    repairs: bool = False
    """Whether the user wants to repair it."""


class DetailScreen(HasCommands, Screen[DetailResult]):
    """One delivery."""

    HELP = "Everything about one delivery: what became of it, each attempt, the exact call, and what came in."
    COMMAND_CLASSES = DETAIL_COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(DETAIL_COMMANDS)
    AUTO_FOCUS = "PayloadLines"

    def __init__(
        self,
        journal: Callable[[], Journal | None],
        matches: MatchIndex,
        delivery_id: int,
        replays: ReplayActions,
        clock: Clock,
        forgets: ForgetActions,
    ) -> None:
        """`journal` gives the one that is open now, `matches` are the deliveries that `[` and `]` step through."""
        super().__init__()
        self._open_journal = journal
        self._matches = matches
        self._replays = replays
        self._forgets = forgets
        self._clock = clock
        self.delivery_id = delivery_id
        self.detail: DeliveryDetail | None = None
        self.view: DetailContent | None = None
        self._shown_detail: _ShownDetail | None = None
        self.lines = DetailLines()
        self._frame = Vertical(self.lines, classes="pane detail-frame")

    @property
    def _journal(self) -> Journal:
        """The journal, which is another one where it was lost and is back. Raises JournalError while there is none."""
        if (journal := self._open_journal()) is None:
            raise JournalError("the journal is not open; try again in a moment")
        return journal

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        # keys that were typed with the one that opened it are meant for what it will show
        self.run_worker(self._load(), group=f"{LOADING_GROUP_PREFIX}detail")

    async def _load(self) -> None:
        await self._update()
        self.run_worker(self._poll_loop(), group="watch")

    async def _poll_loop(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            await self._update()

    async def _update(self) -> None:
        try:
            detail = await self._read(self.delivery_id)
            if detail is not None and detail != self._shown_detail and detail.delivery.id == self.delivery_id:
                await self._show_detail(detail)
        except JournalError as error:
            self._frame.border_subtitle = Content(f"cannot read the journal: {error.message}")
            self._shown_detail = None

    async def _read(self, delivery_id: int) -> _ShownDetail | None:
        rows = await self._journal.get_many([delivery_id])
        if not rows:
            return None
        derived = await self._journal.page(Query((Term("origin", str(delivery_id)),)), limit=MAX_DERIVED)
        origin = await self._journal.get_many([rows[0].origin_id]) if rows[0].origin_id else ()
        return _ShownDetail(rows[0], derived.deliveries, derived.more, origin[0] if origin else None)

    async def _show_detail(self, shown: _ShownDetail) -> None:
        detail = await self._journal.get(shown.delivery.id)
        if detail is None:
            return
        same = self.detail is not None and self.detail.delivery.id == shown.delivery.id
        self._shown_detail = shown
        self.delivery_id = shown.delivery.id
        self.detail = detail
        self.view = DetailContent(
            detail, self._clock.now(), shown.derived, more_derived=shown.more_derived, origin=shown.origin
        )
        self.lines.show(self.view, cursor=self.lines.cursor if same else 0)
        self._frame.border_title = Content(delivery_heading(detail.delivery))
        self._frame.border_subtitle = None
        self.refresh_bindings()

    def refusal(self, action: str) -> str:
        """As in `HasCommands`; some commands need an origin or derived deliveries."""
        if action == "go_to_origin" and (self.detail is None or not self.detail.delivery.origin_id):
            return "origin: this delivery came from no other"
        if action == "repair_this" and self.detail is not None:
            return repair_refusal(self.detail.delivery)
        if action == "go_to_made" and (self._shown_detail is None or not self._shown_detail.derived):
            return "made of it: nothing was made of this delivery"
        return super().refusal(action)

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_detail(self) -> None:
        self.dismiss(DetailResult(self.delivery_id))

    def action_repair_this(self) -> None:
        self.dismiss(DetailResult(self.delivery_id, repairs=True))

    def action_replay_this(self) -> None:
        self._run_flow(self._replay(as_new=False))

    def action_send_this_as_new(self) -> None:
        self._run_flow(self._replay(as_new=True))

    def action_forget_this(self) -> None:
        self._run_flow(self._forget())

    def action_explain_this(self) -> None:
        if self.detail is None:
            notify_warning(self.app, "explain: this delivery is still being read; try again in a moment")
        else:
            self.post_message(ExplainRequested(self.detail))

    async def _forget(self) -> None:
        try:
            await self._forgets.forget(self._journal, [self.delivery_id])
        except JournalError as error:
            notify_error(self.app, error)

    async def _replay(self, *, as_new: bool) -> None:
        try:
            added = await self._replays.replay(self._journal, [self.delivery_id], as_new=as_new)
        except JournalError as error:
            notify_error(self.app, error)
            return
        if as_new and added:
            await self._go_to(added[0].id)

    def action_go_to_origin(self) -> None:
        if self.detail is not None and self.detail.delivery.origin_id:
            self._run_flow(self._go_to(self.detail.delivery.origin_id))

    def action_go_to_made(self) -> None:
        if self._shown_detail is None or self.view is None:
            return
        if len(self._shown_detail.derived) == 1:
            self._run_flow(self._go_to(self._shown_detail.derived[0].id))
        elif places := self.view.derived_lines():
            self.lines.cursor = next((place for place in places if place > self.lines.cursor), places[0])

    def action_older_delivery(self) -> None:
        self._step(-1)

    def action_newer_delivery(self) -> None:
        self._step(1)

    def _step(self, steps: int) -> None:
        position = self._matches.position(self.delivery_id) + steps
        if 0 <= position < len(self._matches):
            self._run_flow(self._go_to(self._matches[position]))
        else:
            notify(self.app, f"there is no {'older' if steps < 0 else 'newer'} delivery in the log")

    async def _go_to(self, delivery_id: int) -> None:
        try:
            detail = await self._read(delivery_id)
            if detail is not None:
                await self._show_detail(detail)
        except JournalError as error:
            notify_error(self.app, error)
            return
        if detail is None:
            notify_warning(self.app, f"delivery {delivery_id} is no longer in the journal")

    def action_copy_detail(self) -> None:
        copied = self.view.copy_line(max(0, self.lines.cursor)) if self.view is not None else None
        if copied is not None:
            self.post_message(CopyRequested(copied.text, copied.what))

    def _run_flow(self, work: Coroutine[None, None, object]) -> None:
        self.run_worker(track_flow(self.app, work), group="work", exclusive=True)

    @on(PayloadLines.Highlighted)
    def _on_highlighted(self, event: PayloadLines.Highlighted) -> None:
        event.stop()
        if isinstance(event, PayloadLines.Selected) and self.view is not None:
            self._run_flow(self._go_to(self.view.leads_to(event.index)))
