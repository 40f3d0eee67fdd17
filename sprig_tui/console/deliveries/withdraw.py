"""Withdraw actions: count queued deliveries, ask for confirmation, and withhold them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

from textual.widget import Widget

from sprig_tui.console.keyboard.queue import stop_tracking_flow
from sprig_tui.console.notify import notify, notify_end, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.delivery.withdraw import UNDO_FILTER, QueuedDeliveries, WithdrawJob, find_queued, find_queued_among
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query
from sprig_tui.text import one_line


class WithdrawActions:
    """Withdrawals of the Deliveries pane, one at a time. The methods wait for a dialog, so they run in workers."""

    def __init__(self, pane: Widget, *, on_progress: Callable[[str], None]) -> None:
        self._pane = pane
        self._on_progress = on_progress
        self._count: asyncio.Task[QueuedDeliveries] | None = None
        self._job: WithdrawJob | None = None
        self._asks = False

    @property
    def running(self) -> bool:
        """Whether one counts or withdraws."""
        return self._count is not None or self._job is not None

    def cancel(self) -> None:
        """Stop it: what was withdrawn stays so, the rest stays queued."""
        if self._count is not None:
            self._count.cancel()
        if self._job is not None:
            self._job.cancel()

    async def withdraw(self, journal: Journal, ids: Sequence[int]) -> bool:
        """Withdraw these deliveries; returns whether any was withdrawn. Errors are shown."""
        return await self._withdraw(journal, lambda: find_queued_among(journal, ids, self._show_count), "")

    async def withdraw_matching(self, journal: Journal, query: Query) -> bool:
        """Withdraw everything that matches and is queued now; returns whether any was withdrawn. Errors are shown."""
        named = query.text or "everything in the journal"
        return await self._withdraw(journal, lambda: find_queued(journal, query, self._show_count), named)

    def _show_count(self, number: int) -> None:
        self._on_progress(f"counting what is queued: {number:,}  x stops")

    async def _withdraw(
        self, journal: Journal, find: Callable[[], Coroutine[None, None, QueuedDeliveries]], named: str
    ) -> bool:
        if self.running or self._asks:
            notify_warning(self._pane.app, "a withdrawal is running already; x stops it")
            return False
        self._asks = True
        try:
            queued = await self._count_queued(find())
            if queued is None or not await self._confirmed(queued, named):
                return False
            stop_tracking_flow(self._pane.app)
            self._job = WithdrawJob(journal, queued.ids)
            await self._job.run(self._show_job)
        except JournalError as error:
            notify_error(self._pane.app, error)
        finally:
            job, self._job, self._asks = self._job, None, False
            self._on_progress("")
        if job is None or not job.position:
            return False
        is_part = job.done.leased or job.was_cut_short
        notify_end(self._pane.app, withdraw_outcome(job), severity="warning" if is_part else "information")
        return job.done.withdrawn > 0

    async def _count_queued(self, find: Coroutine[None, None, QueuedDeliveries]) -> QueuedDeliveries | None:
        """Those that can be withdrawn; None where there are none, or where counting them was stopped."""
        self._on_progress("counting what is queued …")
        self._count = asyncio.create_task(find)
        try:
            queued = await self._count
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            notify(self._pane.app, "stopped: nothing was withdrawn")
            return None
        finally:
            self._count.cancel()
            self._count = None
            self._on_progress("")
        if not queued.ids:
            notify_warning(self._pane.app, "nothing to withdraw: none of them is queued")
            return None
        return queued

    async def _confirmed(self, queued: QueuedDeliveries, named: str) -> bool:
        question, text = withdraw_question(len(queued.ids)), withdraw_explanation(queued, named)
        return await ask_confirmation(self._pane.app, question, text, yes=f"Withdraw {len(queued.ids):,}")

    def _show_job(self, job: WithdrawJob) -> None:
        self._on_progress(f"withdrawing: {job.position:,} of {job.total:,}  x stops")


def withdraw_question(total: int) -> str:
    """The title of the dialog."""
    return "Withdraw this delivery?" if total == 1 else f"Withdraw {total:,} queued deliveries?"


def withdraw_explanation(queued: QueuedDeliveries, named: str) -> str:
    """What a withdrawal does, in a few lines."""
    lines = [f"queued, of what matches {one_line(named, limit=200)}"] if named else []
    lines.append(
        " · ".join(
            f"{one_line(name, limit=40) or 'without an environment'} {number:,}"
            for name, number in queued.environments.items()
        )
    )
    them = "it" if sum(queued.environments.values()) == 1 else "them"
    lines.append(f"not sent, but kept as withheld: withdrawn; a replay of {UNDO_FILTER} queues {them} again")
    lines.append("what a worker is sending at the moment is left alone")
    return "\n".join(lines)


def withdraw_outcome(job: WithdrawJob) -> str:
    """Result of a withdrawal, and how to undo it."""
    done = job.done
    parts = [f"{done.withdrawn:,} withdrawn"]
    if done.leased:
        parts.append(f"{done.leased:,} left alone: a worker has {'it' if done.leased == 1 else 'them'}")
    if done.not_queued:
        parts.append(f"{done.not_queued:,} ended before")
    if job.was_cut_short:
        parts.append(f"stopped: {job.total - job.position:,} stay queued")
    undo = f"\nto undo: filter {UNDO_FILTER}, then R" if done.withdrawn else ""
    return ", ".join(parts) + undo
