"""Screen of the live workers, read every second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sprig_tui.console.session import Session
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.dialogs import ESCAPE_CLOSES, hint
from sprig_tui.delivery.worker_table import format_workers, summarize_workers
from sprig_tui.errors import JournalError
from sprig_tui.journal.records import WorkerInfo
from sprig_tui.text import printable

WORKERS_POLL_S = 1.0
"""Seconds between two reads."""


class WorkersScreen(ModalScreen[None]):
    """Live workers on every machine that shares the journal, this console included."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,L", "leave", "close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(classes="dialog")
        self._session = session
        self._box = VerticalScroll(classes="dialog-box workers-box")
        self._trouble = Static("", classes="workers-trouble")
        self._table = Static("looking ...", classes="workers-table")
        self._shown_workers = False

    def compose(self) -> ComposeResult:
        """The table, scrolling where it is longer or wider than the screen."""
        with self._box:
            yield self._trouble
            yield self._table

    def on_mount(self) -> None:
        self._box.border_title = Content("Live workers")
        self._box.border_subtitle = hint(ESCAPE_CLOSES)
        self._trouble.display = False
        self.run_worker(self._poll_loop(), group="watch")

    async def _poll_loop(self) -> None:
        while True:
            await self._read()
            await asyncio.sleep(WORKERS_POLL_S)

    async def _read(self) -> None:
        journal = self._session.journal
        if journal is None:
            self._show_error(printable(self._session.trouble, limit=600) or "the journal is not open")
            return
        try:
            workers = await journal.workers()
        except JournalError as error:
            self._show_error(printable(error.message, limit=600))
            return
        self._shown_workers = True
        self._trouble.display = False
        self._table.display = True
        self._table.set_class(not workers, "-nobody")
        self._table.update(workers_text(workers, self._session.clock.now()))

    def _show_error(self, trouble: str) -> None:
        """Show the problem of the journal above the last list; in its place where there is none yet."""
        self._trouble.update(Content(f"{trouble}; what is shown is from before" if self._shown_workers else trouble))
        self._trouble.display = True
        self._table.display = self._shown_workers

    def action_scroll(self, lines: int) -> None:
        self._box.scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)


def workers_text(workers: Sequence[WorkerInfo], now: int) -> Content:
    """The number of workers, then a line for each, oldest start first."""
    if not workers:
        return Content("no worker is alive: what is queued waits for a console with an engine, or for sprig-tui run")
    heading, *lines = format_workers(workers, now)
    pieces: list[str | tuple[str, str]] = [summarize_workers(workers), "\n\n", (heading, MUTED)]
    return Content.assemble(*pieces, *(f"\n{line}" for line in lines))
