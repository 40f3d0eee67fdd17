"""Export action, and the line under the log that shows exports and bulk replays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from sprig_tui.clock import Clock
from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.deliveries.replay_text import job_end_text, job_text
from sprig_tui.console.keyboard.queue import stop_tracking_flow
from sprig_tui.console.notify import notify, notify_end, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import Prompt, ask_confirmation
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.formatting import local_time
from sprig_tui.journal.base import Journal
from sprig_tui.journal.export import ExportProgress, export_deliveries
from sprig_tui.journal.export_format import format_from_path
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import ReplayJob
from sprig_tui.text import one_line, printable


class ExportAction:
    """Export of the filtered deliveries to a file; one at a time."""

    def __init__(self, pane: Widget, clock: Clock, *, on_progress: Callable[[str], None]) -> None:
        self._pane = pane
        self._clock = clock
        self._on_progress = on_progress
        self._task: asyncio.Task[ExportProgress] | None = None

    @property
    def running(self) -> bool:
        """Whether a file is being written."""
        return self._task is not None

    def cancel(self) -> None:
        """Stop the export; no file is left."""
        if self._task is not None:
            self._task.cancel()

    async def ask(self, journal: Journal, query: Query) -> None:
        """Ask for a path, then write the file; runs in a worker."""
        if self.running:
            notify_warning(self._pane.app, "an export is running already; x cancels it")
            return
        what = f"what matches {one_line(query.text, limit=200)}" if query.terms else "all deliveries"
        day = f"{local_time(self._clock.now()):%Y-%m-%d}"
        typed = await self._pane.app.push_screen_wait(
            Prompt(
                "Export to a file",
                f"{what}: .jsonl for programs, .csv for spreadsheets",
                value=f"deliveries-{day}.jsonl",
                check=_path_problem,
                saves=True,
            )
        )
        if typed is None:
            return
        path = _path(typed)
        exists = await asyncio.to_thread(path.exists)
        text = f"{printable(str(path))} is there already."
        if exists and not await ask_confirmation(self._pane.app, "Replace the file?", text, yes="Replace it"):
            return
        await self.write(journal, query, path, overwrite=exists)

    async def write(self, journal: Journal, query: Query, path: Path, *, overwrite: bool) -> None:
        """Write the file and show the result."""
        stop_tracking_flow(self._pane.app)
        self._task = asyncio.ensure_future(
            export_deliveries(journal, query, path, overwrite=overwrite, on_progress=self._report_progress)
        )
        try:
            done = await self._task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            notify(self._pane.app, "the export was cancelled; no file was written")
        except SprigTuiError as error:
            notify_error(self._pane.app, error)
        else:
            notify_end(self._pane.app, f"{done.rows:,} deliveries are in {printable(str(path))}")
        finally:
            # cancelled with the worker when the console closes, so that no partial file stays
            self._task.cancel()
            self._task = None
            self._on_progress("")

    def _report_progress(self, progress: ExportProgress) -> None:
        self._on_progress(
            f"export  {progress.rows:,} written, {int(progress.fraction_done * 100)} % searched  x cancels"
        )


def _path(typed: str) -> Path:
    return Path(typed.strip().strip("'\"")).expanduser().absolute()


def _path_problem(typed: str) -> str:
    """Why a path cannot be used; empty when it can."""
    if not typed.strip() or "\0" in typed:
        return "type the name of a file"
    try:
        path = _path(typed)
        format_from_path(path)
        if not path.parent.is_dir():
            return f"there is no folder {printable(str(path.parent))}"
        if path.is_dir():
            return "that is a folder: name a file in it"
    except SprigTuiError as error:
        return f"{error.message}: {error.hint}"
    except (OSError, RuntimeError) as error:  # a name too long; a home folder that is not known
        return f"that cannot be a path: {error}"
    return ""


ACTIVE_POLL_S = 0.25
IDLE_POLL_S = 2.0
"""Seconds between two polls with and without a job."""
STALLED_AFTER_POLLS = 20
"""Polls without progress after which the job counts as stalled."""


class JobStatus(Static):
    """Line for the newest open replay job of any process, or for a running export; hidden without one."""

    def __init__(self) -> None:
        super().__init__("", markup=False, classes="log-job")
        self.display = False
        self.job: ReplayJob | None = None
        """The job that P and x act on."""
        self._other_jobs = 0
        self._progress_text = ""
        self._unchanged_polls = 0
        self._wakeup = asyncio.Event()

    def show_progress(self, text: str) -> None:
        """Show the progress of a command of this pane; empty when it is done."""
        self._progress_text = text
        self._show_job()

    def wake(self) -> None:
        """Poll now: a job was created or changed."""
        self._wakeup.set()

    async def run(self, journal: Callable[[], Journal | None]) -> None:
        """Poll the jobs until cancelled."""
        while True:
            current = journal()
            if current is not None:
                # the log shows journal errors
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
                notify_end(self.app, job_end_text(ended))
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
