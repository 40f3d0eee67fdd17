"""The line under the log: how far the bulk replay, or an export, came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from textual.content import Content
from textual.widgets import Static

from sprig_tui.console.commands import Permissions
from sprig_tui.console.deliveries.replay_text import job_end_text, job_text
from sprig_tui.console.notices import notify
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import ReplayJob

ACTIVE_POLL_S = 0.25
IDLE_POLL_S = 2.0
"""Seconds between two looks at the jobs while one is there, and while none is."""
STALLED_AFTER_POLLS = 20
"""Looks without any progress after which nobody seems to move the job on."""


class JobStatus(Static):
    """Shows the newest job that is not over, from whatever process; hidden while there is none."""

    def __init__(self) -> None:
        super().__init__("", markup=False, classes="log-job")
        self.display = False
        self.job: ReplayJob | None = None
        """The job that P and x are about."""
        self._other_jobs = 0
        self._progress_text = ""
        self._unchanged_polls = 0
        self._wakeup = asyncio.Event()

    def show_progress(self, text: str) -> None:
        """What a command of ours is doing; empty when it is done."""
        self._progress_text = text
        self._show_job()

    def wake(self) -> None:
        """A job was made or changed: look now."""
        self._wakeup.set()

    async def run(self, journal: Callable[[], Journal | None]) -> None:
        """Look at the jobs, for ever."""
        while True:
            current = journal()
            if current is not None:
                # the log itself tells what is wrong with the journal
                with contextlib.suppress(JournalError):
                    self._poll(await current.replays())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wakeup.wait(), ACTIVE_POLL_S if self.job else IDLE_POLL_S)
            self._wakeup.clear()

    def _poll(self, jobs: list[ReplayJob]) -> None:
        before = self.job
        open_jobs = [job for job in jobs if job.state in ("running", "paused")]
        self.job = open_jobs[0] if open_jobs else None
        self._other_jobs = max(0, len(open_jobs) - 1)
        self._unchanged_polls = self._unchanged_polls + 1 if self.job == before else 0
        if before is not None and (self.job is None or self.job.id != before.id):
            ended = next((job for job in jobs if job.id == before.id and job.state in ("done", "cancelled")), None)
            if ended is not None:
                notify(self.app, job_end_text(ended))
        self._show_job()

    def _show_job(self) -> None:
        text = self._progress_text
        if not text and self.job is not None:
            permissions = getattr(self.app, "permissions", Permissions())
            stalled = self._unchanged_polls > STALLED_AFTER_POLLS and not permissions.engine
            text = job_text(self.job, self._other_jobs, stalled=stalled, width=self.app.size.width)
        if text != str(self.content):
            self.update(Content(text))
            self.display = bool(text)
