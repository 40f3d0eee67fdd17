"""What the Deliveries pane does about what it shows: replays and exports."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping

from textual.message import Message
from textual.reactive import reactive, var
from textual.widget import Widget

from sprig_tui.clock import Clock
from sprig_tui.console.commands import HasCommands
from sprig_tui.console.deliveries.export_desk import ExportAction
from sprig_tui.console.deliveries.job_line import JobStatus
from sprig_tui.console.deliveries.log_lines import LogLines
from sprig_tui.console.deliveries.replay_desk import ReplayActions
from sprig_tui.console.deliveries.withdraw_desk import WithdrawActions
from sprig_tui.console.keyboard import track_flow
from sprig_tui.console.notices import notify, notify_error, notify_warning
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import ReplayState

NO_JOURNAL = "the journal is not open: the top line says why, or try again in a moment"


class LogJobs(HasCommands, Widget):
    """The commands that work on several deliveries; the pane itself shows and moves."""

    journal: var[Journal | None] = var(None)
    protected: var[frozenset[str]] = var(frozenset[str]())
    """Names of environments that ask for their name before anything goes to them in bulk."""
    endpoints: var[Mapping[str, str]] = var(dict[str, str])
    """Environment -> URL that its deliveries go to now."""
    filter: reactive[Query] = reactive(MATCH_ALL, repaint=False)
    """What is shown; assign another to filter."""
    clock: Clock
    lines: LogLines
    job_line: JobStatus
    exports: ExportAction | None = None

    class Queued(Message):
        """Deliveries were queued again, or a job that will do so was made: an engine may look now."""

    # -- replay and export ---------------------------------------------------------------------------------------------

    def replay_actions(self, journal: Journal) -> ReplayActions:
        """Where replays are asked for."""
        return ReplayActions(
            self.app,
            journal,
            self.clock,
            self.protected,
            endpoints=self.endpoints,
            on_progress=self.job_line.show_progress,
            on_queued=self.queued,
        )

    def queued(self) -> None:
        """Something was queued again, or will be: look, and tell."""
        self.post_message(self.Queued())
        self.job_line.wake()

    def action_replay(self) -> None:
        """See `Replay`."""
        self._replay_selected(as_new=False)

    def action_send_as_new(self) -> None:
        """See `SendAsNew`."""
        self._replay_selected(as_new=True)

    def action_replay_filter(self) -> None:
        """See `ReplayMatching`."""
        self._replay_matching(as_new=False)

    def action_send_filter_as_new(self) -> None:
        """See `SendMatchingAsNew`."""
        self._replay_matching(as_new=True)

    def action_withdraw(self) -> None:
        """See `Withdraw`."""
        chosen = self._selected_ids()
        if not chosen:
            notify_warning(self.app, "no delivery is selected")
        elif self.journal is not None:
            self._run_flow(self._withdraw_then_unmark(self.journal, chosen))

    async def _withdraw_then_unmark(self, journal: Journal, delivery_ids: list[int]) -> None:
        if await WithdrawActions(self.app, journal, on_progress=self.job_line.show_progress).withdraw(delivery_ids):
            self.lines.unmark()

    def action_withdraw_filter(self) -> None:
        """See `WithdrawMatching`."""
        if self.journal is not None:
            desk = WithdrawActions(self.app, self.journal, on_progress=self.job_line.show_progress)
            self._run_flow(desk.withdraw_matching(self.filter))

    def _selected_ids(self) -> list[int]:
        """The marked ones, or the selected one."""
        return sorted(self.lines.marks) or [one for one in (self.lines.selected,) if one]

    def _replay_selected(self, *, as_new: bool) -> None:
        chosen = self._selected_ids()
        if not chosen:
            notify_warning(self.app, "no delivery is selected")
        elif self.journal is None:
            notify_warning(self.app, NO_JOURNAL)
        else:
            self._run_flow(self._replay_then_unmark(self.replay_actions(self.journal), chosen, as_new=as_new))

    async def _replay_then_unmark(self, actions: ReplayActions, delivery_ids: list[int], *, as_new: bool) -> None:
        if await actions.replay(delivery_ids, as_new=as_new):
            self.lines.unmark()

    def _replay_matching(self, *, as_new: bool) -> None:
        if self.journal is None:
            notify_warning(self.app, NO_JOURNAL)
        else:
            self._run_flow(self.replay_actions(self.journal).replay_matching(self.filter, as_new=as_new))

    def _run_flow(self, work: Coroutine[None, None, object]) -> None:
        """One question at a time."""
        self.run_worker(track_flow(self.app, work), group="replay", exclusive=True)

    def action_pause_replay(self) -> None:
        """See `PauseReplay`."""
        job = self.job_line.job
        if job is None:
            notify(self.app, "no bulk replay is running")
        else:
            self._run_flow(self._set_job(job.id, "running" if job.state == "paused" else "paused"))

    def action_cancel_job(self) -> None:
        """See `Cancel`."""
        if self.exports is not None and self.exports.running:
            self.exports.cancel()
        elif self.job_line.job is None:
            notify(self.app, "no export and no bulk replay is running")
        elif refusal := self.refusal("pause_replay"):
            notify_warning(self.app, refusal)
        else:
            self._run_flow(self._set_job(self.job_line.job.id, "cancelled"))

    async def _set_job(self, job_id: int, state: ReplayState) -> None:
        if self.journal is None:
            return
        try:
            await self.journal.set_replay(job_id, state)
        except JournalError as error:
            notify_error(self.app, error)
        self.queued()

    def action_export(self) -> None:
        """See `Export`."""
        if self.journal is None:
            notify_warning(self.app, NO_JOURNAL)
            return
        if self.exports is None:
            self.exports = ExportAction(self.app, self.clock, on_progress=self.job_line.show_progress)
        self.run_worker(track_flow(self.app, self.exports.ask(self.journal, self.filter)), group="export")
