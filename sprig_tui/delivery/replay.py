"""Bulk replays: advances running jobs step by step while the backlog is small."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from sprig_tui.clock import MonotonicClock
from sprig_tui.delivery.settlement import MAX_JOURNAL_BACKOFF_S, MIN_JOURNAL_BACKOFF_S
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import Counts, Lane, ReplayJob, State

STEP_ROWS = 1_000
"""Deliveries scanned by one step."""
MAX_BACKLOG_ROWS = 10_000
"""Backlog at which jobs wait, because deliveries that are queued again can no longer be paused or cancelled."""
BLOCKED_POLL_S = 0.1
"""Seconds between two polls while the backlog drains."""
IDLE_POLL_S = 1.0
"""Seconds between two polls for a job that another process may have started."""

_log = logging.getLogger(__name__)


class ReplayRunner:
    """Runs every running job in the journal, including those that another or a killed process started.

    A step is one transaction, so that two runners can share a journal. Jobs are paused, resumed and cancelled in the
    journal (`set_replay`) by any process; this takes effect at the next step.
    """

    def __init__(
        self,
        journal: Journal,
        timing: MonotonicClock,
        served_environments: Callable[[], Collection[str]],
        on_queued: Callable[[], None],
    ) -> None:
        """`served_environments` gives those whose backlog drains; `on_queued` is called when a step queued any."""
        self._journal = journal
        self._timing = timing
        self._served_environments = served_environments
        self._on_queued = on_queued
        self._wakeup = asyncio.Event()
        self._stopping = False
        self.jobs: tuple[ReplayJob, ...] = ()
        """Running and paused jobs, newest first, as of the last step."""
        self.error = ""
        self._retry_after: dict[int, tuple[float, str]] = {}
        """Job id -> time of the next attempt (monotonic seconds) and error text, for jobs whose last step failed."""

    def wake(self) -> None:
        """Poll for jobs now."""
        self._wakeup.set()

    def stop(self) -> None:
        """Start no further step."""
        self._stopping = True
        self._wakeup.set()

    async def run(self) -> None:
        """Run jobs until stopped; unfinished jobs resume at the next start."""
        pause = MIN_JOURNAL_BACKOFF_S
        while not self._stopping:
            self._wakeup.clear()
            try:
                wait = await self._step_jobs()
            except Exception as error:  # noqa: BLE001 - the outer edge: otherwise jobs would stay unfinished
                self.error = self._log_error("bulk replays", error, self.error)
                wait, pause = pause, min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self.error, pause = next((text for _, text in self._retry_after.values()), ""), MIN_JOURNAL_BACKOFF_S
            if wait:
                await self._timing.wait(self._wakeup, wait)

    async def _step_jobs(self) -> float:
        """One step of each running job; returns the seconds to wait before the next."""
        jobs = await self._journal.replays()
        self.jobs = tuple(job for job in jobs if job.state in ("running", "paused"))
        running = [job for job in self.jobs if job.state == "running"]
        if not running:
            return IDLE_POLL_S
        counts = await self._journal.counts()
        lanes = await self._journal.lanes()
        wait = BLOCKED_POLL_S
        now = self._timing.monotonic()
        self._retry_after = {job.id: self._retry_after[job.id] for job in running if job.id in self._retry_after}
        for job in running:
            if self._stopping or self._backlog(job, counts, lanes) >= MAX_BACKLOG_ROWS:
                continue
            if job.id in self._retry_after and now < self._retry_after[job.id][0]:
                continue
            try:
                updated = await self._journal.step_replay(job.id, STEP_ROWS)
            except Exception as error:  # noqa: BLE001 - an error in one job must not block the others
                self._retry_after[job.id] = (now + MAX_JOURNAL_BACKOFF_S, self._log_error(f"replay {job.id}", error))
                continue
            self._retry_after.pop(job.id, None)
            wait = 0.0
            self.jobs = tuple(updated if other.id == updated.id else other for other in self.jobs)
            if updated.queued > job.queued:
                self._on_queued()
        return wait

    @staticmethod
    def _log_error(what: str, error: Exception, before: str = "") -> str:
        """Text of an error; it is also logged, unless it equals `before`."""
        expected = isinstance(error, JournalError)
        why = str(error) if expected else f"internal error ({type(error).__name__})"
        text = f"cannot continue {what}, retrying: {why}"
        if text != before:
            _log.warning("%s", text, exc_info=None if expected else error)
        return text

    def _backlog(self, job: ReplayJob, counts: Counts, lanes: dict[str, Lane]) -> int:
        """Queued deliveries that will be sent before those of the job.

        Paused lanes and environments without a key do not count, nor do failing lanes while another lane works.
        """
        names = [name for name in self._served_environments() if not job.environments or name in job.environments]
        states = {name: lanes[name].state if name in lanes else "open" for name in names}
        moving = [name for name in names if states[name] == "open"]
        return sum(
            counts.by_environment.get(name, {}).get(State.QUEUED, 0) - counts.queued_elsewhere.get(name, 0)
            for name in moving or [name for name in names if states[name] != "paused"]
        )
