"""The line under the log: how far the bulk replay, or an export, came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from textual.content import Content
from textual.widgets import Static

from sprig_tui.console.commands import Permissions
from sprig_tui.console.deliveries.replay_text import job_end, job_line
from sprig_tui.console.notices import tell
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import ReplayJob

BUSY = 0.25
IDLE = 2.0
"""Seconds between two looks at the jobs while one is there, and while none is."""
STALLED_AFTER = 20
"""Looks without any progress after which nobody seems to move the job on."""


class JobLine(Static):
    """Shows the newest job that is not over, from whatever process; hidden while there is none."""

    def __init__(self) -> None:
        super().__init__("", markup=False, classes="log-job")
        self.display = False
        self.job: ReplayJob | None = None
        """The job that P and x are about."""
        self._others = 0
        self._progress = ""
        self._still = 0
        self._stirred = asyncio.Event()

    def tell_progress(self, text: str) -> None:
        """What a command of ours is doing; empty when it is done."""
        self._progress = text
        self._show()

    def stir(self) -> None:
        """A job was made or changed: look now."""
        self._stirred.set()

    async def run(self, journal: Callable[[], Journal | None]) -> None:
        """Look at the jobs, for ever."""
        while True:
            current = journal()
            if current is not None:
                # the log itself tells what is wrong with the journal
                with contextlib.suppress(JournalError):
                    self._take(await current.replays())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), BUSY if self.job else IDLE)
            self._stirred.clear()

    def _take(self, jobs: list[ReplayJob]) -> None:
        before = self.job
        open_jobs = [job for job in jobs if job.state in ("running", "paused")]
        self.job = open_jobs[0] if open_jobs else None
        self._others = max(0, len(open_jobs) - 1)
        self._still = self._still + 1 if self.job == before else 0
        if before is not None and (self.job is None or self.job.id != before.id):
            ended = next((job for job in jobs if job.id == before.id and job.state in ("done", "cancelled")), None)
            if ended is not None:
                tell(self.app, job_end(ended))
        self._show()

    def _show(self) -> None:
        text = self._progress
        if not text and self.job is not None:
            permissions = getattr(self.app, "permissions", Permissions())
            stalled = self._still > STALLED_AFTER and not permissions.engine
            text = job_line(self.job, self._others, stalled=stalled, width=self.app.size.width)
        if text != str(self.content):
            self.update(Content(text))
            self.display = bool(text)
