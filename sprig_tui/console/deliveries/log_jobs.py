"""What the Deliveries pane does about what it shows: replays and exports."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping

from textual.message import Message
from textual.reactive import reactive, var
from textual.widget import Widget

from sprig_tui.clock import Clock
from sprig_tui.console.commands import Commanded
from sprig_tui.console.deliveries.export_desk import ExportDesk
from sprig_tui.console.deliveries.job_line import JobLine
from sprig_tui.console.deliveries.log_lines import LogLines
from sprig_tui.console.deliveries.replay_desk import ReplayDesk
from sprig_tui.console.deliveries.withdraw_desk import WithdrawDesk
from sprig_tui.console.keyboard import opening
from sprig_tui.console.notices import tell, tell_fault, warn
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import ReplayState

NO_JOURNAL = "the journal is not open: the top line says why, or try again in a moment"


class LogJobs(Commanded, Widget):
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
    job_line: JobLine
    exports: ExportDesk | None = None

    class Queued(Message):
        """Deliveries were queued again, or a job that will do so was made: an engine may look now."""

    # -- replay and export ---------------------------------------------------------------------------------------------

    def desk(self, journal: Journal) -> ReplayDesk:
        """Where replays are asked for."""
        return ReplayDesk(
            self.app,
            journal,
            self.clock,
            self.protected,
            endpoints=self.endpoints,
            progress=self.job_line.tell_progress,
            queued=self.queued,
        )

    def queued(self) -> None:
        """Something was queued again, or will be: look, and tell."""
        self.post_message(self.Queued())
        self.job_line.stir()

    def action_replay(self) -> None:
        """See `Replay`."""
        self._replay_chosen(as_new=False)

    def action_send_as_new(self) -> None:
        """See `SendAsNew`."""
        self._replay_chosen(as_new=True)

    def action_replay_filter(self) -> None:
        """See `ReplayMatching`."""
        self._replay_matching(as_new=False)

    def action_send_filter_as_new(self) -> None:
        """See `SendMatchingAsNew`."""
        self._replay_matching(as_new=True)

    def action_withdraw(self) -> None:
        """See `Withdraw`."""
        chosen = self._chosen()
        if not chosen:
            warn(self.app, "no delivery is selected")
        elif self.journal is not None:
            self._work(self._withdraw_then_unmark(self.journal, chosen))

    async def _withdraw_then_unmark(self, journal: Journal, chosen: list[int]) -> None:
        if await WithdrawDesk(self.app, journal, progress=self.job_line.tell_progress).withdraw(chosen):
            self.lines.unmark()

    def action_withdraw_filter(self) -> None:
        """See `WithdrawMatching`."""
        if self.journal is not None:
            desk = WithdrawDesk(self.app, self.journal, progress=self.job_line.tell_progress)
            self._work(desk.withdraw_matching(self.filter))

    def _chosen(self) -> list[int]:
        """The marked ones, or the selected one."""
        return sorted(self.lines.marks) or [one for one in (self.lines.selected,) if one]

    def _replay_chosen(self, *, as_new: bool) -> None:
        chosen = self._chosen()
        if not chosen:
            warn(self.app, "no delivery is selected")
        elif self.journal is None:
            warn(self.app, NO_JOURNAL)
        else:
            self._work(self._replay_then_unmark(self.desk(self.journal), chosen, as_new=as_new))

    async def _replay_then_unmark(self, desk: ReplayDesk, chosen: list[int], *, as_new: bool) -> None:
        if await desk.replay(chosen, as_new=as_new):
            self.lines.unmark()

    def _replay_matching(self, *, as_new: bool) -> None:
        if self.journal is None:
            warn(self.app, NO_JOURNAL)
        else:
            self._work(self.desk(self.journal).replay_matching(self.filter, as_new=as_new))

    def _work(self, work: Coroutine[None, None, object]) -> None:
        """One question at a time."""
        self.run_worker(opening(self.app, work), group="replay", exclusive=True)

    def action_pause_replay(self) -> None:
        """See `PauseReplay`."""
        job = self.job_line.job
        if job is None:
            tell(self.app, "no bulk replay is running")
        else:
            self._work(self._set_job(job.id, "running" if job.state == "paused" else "paused"))

    def action_cancel_job(self) -> None:
        """See `Cancel`."""
        if self.exports is not None and self.exports.running:
            self.exports.cancel()
        elif self.job_line.job is None:
            tell(self.app, "no export and no bulk replay is running")
        elif refusal := self.refusal("pause_replay"):
            warn(self.app, refusal)
        else:
            self._work(self._set_job(self.job_line.job.id, "cancelled"))

    async def _set_job(self, job_id: int, state: ReplayState) -> None:
        if self.journal is None:
            return
        try:
            await self.journal.set_replay(job_id, state)
        except JournalError as error:
            tell_fault(self.app, error)
        self.queued()

    def action_export(self) -> None:
        """See `Export`."""
        if self.journal is None:
            warn(self.app, NO_JOURNAL)
            return
        if self.exports is None:
            self.exports = ExportDesk(self.app, self.clock, progress=self.job_line.tell_progress)
        self.run_worker(opening(self.app, self.exports.ask(self.journal, self.filter)), group="export")
