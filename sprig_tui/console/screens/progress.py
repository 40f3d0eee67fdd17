"""Progress dialog of a long task; escape stops the task, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from sprig_tui.console.widgets.dialogs import Dialog, hint, plain_content
from sprig_tui.errors import SprigTuiError

if TYPE_CHECKING:
    from textual.app import App

Result = TypeVar("Result")

PROGRESS_INTERVAL_S = 0.1
"""Seconds between two repaints of the progress."""

ProgressWork = Callable[["TaskProgress"], Awaitable[object]]


class TaskProgress:
    """Progress text of a task, set from any thread, and its stop flag."""

    def __init__(self) -> None:
        self.text = ""
        self.stopped = threading.Event()


class ProgressScreen(Dialog[object]):
    """Runs a task and shows its progress. Result: that of the task, its SprigTuiError, or None when stopped."""

    PASSES_BY = True
    """The screen closes on its own: keys typed before it opened are for the screen after it, not for its Stop."""

    def __init__(self, title: str, work: ProgressWork) -> None:
        super().__init__(title)
        self._work = work
        self._progress = TaskProgress()
        # not named _task: Textual has one, and waits for it when the screen closes
        self._job: asyncio.Task[None] | None = None
        self._ended: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield Static("", id="progress")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Stop", id="stop")
            yield Static(hint(("escape stops it", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        self.query_one("#stop").focus()
        self._job = asyncio.create_task(self._run())
        self.set_interval(PROGRESS_INTERVAL_S, self._show)

    def on_unmount(self) -> None:
        """Stop the task with the screen."""
        self._progress.stopped.set()
        if self._job is not None:
            self._job.cancel()

    async def _run(self) -> None:
        try:
            result: object = await self._work(self._progress)
        except SprigTuiError as error:
            result = error
        self._ended = (result,)
        self.on_screen_resume()

    def on_screen_resume(self) -> None:
        """Close once the task has ended, perhaps while the palette was in front."""
        if self._ended and self.is_current:
            (result,), self._ended = self._ended, ()
            self.dismiss(result)

    def _show(self) -> None:
        self.query_one("#progress", Static).update(plain_content(self._progress.text))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_leave()


async def with_progress(app: App[Any], title: str, text: str, work: Callable[[], Awaitable[Result]]) -> Result | None:
    """The result of the work, None where the user stopped it; raises its SprigTuiError."""

    async def run(progress: TaskProgress) -> Result:
        progress.text = text
        return await work()

    result: Any = await app.push_screen_wait(ProgressScreen(title, run))
    if isinstance(result, SprigTuiError):
        raise result
    done: Result | None = result
    return done
