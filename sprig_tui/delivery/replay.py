"""Bulk replays: moves running jobs on, a stretch at a time, as long as little stands queued before them."""

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
"""Deliveries that one step looks at."""
MAX_BACKLOG_ROWS = 10_000
"""Queued deliveries from which on jobs wait: what is re-queued can no longer be paused or cancelled."""
BLOCKED_POLL_S = 0.1
"""Seconds between two looks while the backlog drains."""
IDLE_POLL_S = 1.0
"""Seconds between two looks for a job that another process may have started."""

_log = logging.getLogger(__name__)


class ReplayRunner:
    """Drives every running job in the journal, whoever started it, so also one that a killed process left behind.

    A step is one transaction, so two drivers on one journal do no harm. Pausing, resuming and cancelling are done in
    the journal (`set_replay`) by any process, and hold from the next step on.
    """

    def __init__(
        self,
        journal: Journal,
        timing: MonotonicClock,
        served_environments: Callable[[], Collection[str]],
        on_queued: Callable[[], None],
    ) -> None:
        """`served` names the environments whose backlog will drain; `queued` is called after something was queued."""
        self._journal = journal
        self._timing = timing
        self._served_environments = served_environments
        self._on_queued = on_queued
        self._wakeup = asyncio.Event()
        self._stopping = False
        self.jobs: tuple[ReplayJob, ...] = ()
        """Jobs that run or are paused, newest first, as last seen."""
        self.error = ""
        self._retry_after: dict[int, tuple[float, str]] = {}
        """Jobs whose last step failed: when to try again (monotonic), and why."""

    def wake(self) -> None:
        """Look for work now."""
        self._wakeup.set()

    def stop(self) -> None:
        """Begin no further step."""
        self._stopping = True
        self._wakeup.set()

    async def run(self) -> None:
        """Drive jobs until stopped; a job that was not finished goes on at the next start."""
        pause = MIN_JOURNAL_BACKOFF_S
        while not self._stopping:
            self._wakeup.clear()
            try:
                rest = await self._step_jobs()
            except Exception as error:  # noqa: BLE001 - the outer edge: without it jobs would run for ever
                self.error = self._log_error("bulk replays", error, self.error)
                rest, pause = pause, min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self.error, pause = next((text for _, text in self._retry_after.values()), ""), MIN_JOURNAL_BACKOFF_S
            if rest:
                await self._timing.wait(self._wakeup, rest)

    async def _step_jobs(self) -> float:
        """One step of each running job; returns the seconds to rest."""
        jobs = await self._journal.replays()
        self.jobs = tuple(job for job in jobs if job.state in ("running", "paused"))
        running = [job for job in self.jobs if job.state == "running"]
        if not running:
            return IDLE_POLL_S
        counts = await self._journal.counts()
        lanes = await self._journal.lanes()
        rest = BLOCKED_POLL_S
        now = self._timing.monotonic()
        self._retry_after = {job.id: self._retry_after[job.id] for job in running if job.id in self._retry_after}
        for job in running:
            if self._stopping or self._backlog(job, counts, lanes) >= MAX_BACKLOG_ROWS:
                continue
            if job.id in self._retry_after and now < self._retry_after[job.id][0]:
                continue
            try:
                moved = await self._journal.step_replay(job.id, STEP_ROWS)
            except Exception as error:  # noqa: BLE001 - one job that cannot go on must not hold up the others
                self._retry_after[job.id] = (now + MAX_JOURNAL_BACKOFF_S, self._log_error(f"replay {job.id}", error))
                continue
            self._retry_after.pop(job.id, None)
            rest = 0.0
            self.jobs = tuple(moved if known.id == moved.id else known for known in self.jobs)
            if moved.queued > job.queued:
                self._on_queued()
        return rest

    @staticmethod
    def _log_error(what: str, error: Exception, before: str = "") -> str:
        """What to say of an error; it is also logged, unless it was said `before`."""
        expected = isinstance(error, JournalError)
        why = str(error) if expected else f"internal error ({type(error).__name__})"
        text = f"cannot move {what} on, trying again: {why}"
        if text != before:
            _log.warning("%s", text, exc_info=None if expected else error)
        return text

    def _backlog(self, job: ReplayJob, counts: Counts, lanes: dict[str, Lane]) -> int:
        """Queued deliveries that will go out before those of the job.

        Not those of a paused lane or of one without a key; nor of one that fails, as long as another of them goes on.
        """
        names = [name for name in self._served_environments() if not job.environments or name in job.environments]
        states = {name: lanes[name].state if name in lanes else "open" for name in names}
        moving = [name for name in names if states[name] == "open"]
        return sum(
            counts.by_environment.get(name, {}).get(State.QUEUED, 0) - counts.queued_elsewhere.get(name, 0)
            for name in moving or [name for name in names if states[name] != "paused"]
        )
