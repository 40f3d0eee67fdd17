"""Delivery actions: replay, withdrawal, forgetting, explanation and export of what is chosen, and their jobs.

Chosen are the marked deliveries of the log, else the one under the cursor, or everything that the filter matches.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING

from sprig_tui.clock import Clock
from sprig_tui.console.deliveries.export import ExportAction, JobStatus
from sprig_tui.console.deliveries.forget import ForgetActions
from sprig_tui.console.deliveries.replay import ReplayActions
from sprig_tui.console.deliveries.withdraw import WithdrawActions
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.screens.explain import ExplainRequested
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import ReplayState

if TYPE_CHECKING:
    from sprig_tui.console.deliveries.log import DeliveryLog

NO_JOURNAL = "the journal is not open: the top line says why, or try again in a moment"


class DeliveryActions:
    """Runs the actions of a log in its workers: one question at a time, and withdrawals beside them."""

    def __init__(self, log: DeliveryLog, clock: Clock) -> None:
        self._log = log
        self.job_line = JobStatus()
        """The line below the rows about what is running."""
        progress = self.job_line.show_progress
        self.replays = ReplayActions(log, clock, on_progress=progress, on_queued=log.queue_changed)
        self.forgets = ForgetActions(log, on_progress=progress)
        self._withdrawals = WithdrawActions(log, on_progress=progress)
        self._export = ExportAction(log, clock, on_progress=progress)

    def run_flow(self, work: Coroutine[None, None, object]) -> None:
        """Run a flow in place of one that still asks."""
        self._log.run_worker(track_flow(self._log.app, work), group="replay", exclusive=True)

    def _run_beside(self, work: Coroutine[None, None, object], group: str) -> None:
        """Run in a worker of its own: the next question of the log must not end it."""
        self._log.run_worker(track_flow(self._log.app, work), group=group)

    # -- what is chosen ------------------------------------------------------------------------------------------------

    def open_journal(self) -> Journal | None:
        """The journal; None, with a notice, while it is not open."""
        if self._log.journal is None:
            notify_warning(self._log.app, NO_JOURNAL)
        return self._log.journal

    def _chosen(self) -> tuple[Journal, list[int]] | None:
        """The journal with the chosen deliveries; None, with a notice, without them."""
        lines = self._log.lines
        ids = sorted(lines.marks) or ([lines.selected] if lines.selected else [])
        if not ids:
            notify_warning(self._log.app, "no delivery is selected")
            return None
        journal = self.open_journal()
        return (journal, ids) if journal is not None else None

    async def _unmark_after(self, work: Coroutine[None, None, object]) -> None:
        """Remove the marks where the work changed a delivery."""
        if await work:
            self._log.lines.unmark()

    # -- actions -------------------------------------------------------------------------------------------------------

    def replay(self, *, as_new: bool) -> None:
        """Queue the chosen deliveries again."""
        if chosen := self._chosen():
            self.run_flow(self._unmark_after(self.replays.replay(*chosen, as_new=as_new)))

    def replay_matching(self, *, as_new: bool) -> None:
        """Queue everything that the filter matches again."""
        if (journal := self.open_journal()) is not None:
            self.run_flow(self.replays.replay_matching(journal, self._log.filter, as_new=as_new))

    def withdraw(self) -> None:
        """Take the chosen deliveries back before they are sent."""
        if chosen := self._chosen():
            self._run_beside(self._unmark_after(self._withdrawals.withdraw(*chosen)), "withdraw")

    def withdraw_matching(self) -> None:
        """Take everything back that the filter matches."""
        if (journal := self.open_journal()) is not None:
            self._run_beside(self._withdrawals.withdraw_matching(journal, self._log.filter), "withdraw")

    def forget(self) -> None:
        """Forget the people of the chosen deliveries."""
        if chosen := self._chosen():
            self.run_flow(self._unmark_after(self.forgets.forget(*chosen)))

    def explain(self) -> None:
        """Ask for an explanation of the delivery under the cursor."""
        if chosen := self._chosen():
            self.run_flow(self._explain(chosen[0]))

    async def _explain(self, journal: Journal) -> None:
        try:
            detail = await journal.get(self._log.lines.selected)
        except JournalError as error:
            notify_error(self._log.app, error)
            return
        if detail is not None:
            self._log.post_message(ExplainRequested(detail))

    def export(self) -> None:
        """Ask where to write everything that the filter matches."""
        if (journal := self.open_journal()) is not None:
            self._run_beside(self._export.ask(journal, self._log.filter), "export")

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def pause_or_resume(self) -> None:
        """Pause the bulk replay, or go on with it."""
        job = self.job_line.job
        if job is None:
            notify(self._log.app, "no bulk replay is running")
        else:
            self.run_flow(self._set_job(job.id, "running" if job.state == "paused" else "paused"))

    def cancel(self) -> None:
        """Cancel the export, the withdrawal or the bulk replay that is running."""
        if self._export.running:
            self._export.cancel()
        elif self._withdrawals.running:
            self._withdrawals.cancel()
        elif self.job_line.job is None:
            notify(self._log.app, "no export, no withdrawal and no bulk replay is running")
        elif refusal := self._log.refusal("pause_replay"):
            notify_warning(self._log.app, refusal)
        else:
            self.run_flow(self._set_job(self.job_line.job.id, "cancelled"))

    async def _set_job(self, job_id: int, state: ReplayState) -> None:
        if (journal := self.open_journal()) is None:
            return
        try:
            await journal.set_replay(job_id, state)
        except JournalError as error:
            notify_error(self._log.app, error)
        self._log.queue_changed()
