"""Flows of the console: dialogs and commands that run in workers of the app, and the report of what fails in them."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify_error, notify_warning
from sprig_tui.errors import ConfigError, SprigTuiError

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.background import BackgroundTasks
    from sprig_tui.console.session import Session

_log = logging.getLogger(__name__)


class Flows:
    """Runs flows of an app; an error of ours becomes a notice, any other one is logged too, and the screen stays."""

    def __init__(self, app: App[Any], session: Session, background: BackgroundTasks) -> None:
        """`background` starts the log file where a fault comes before everything else did."""
        self._app = app
        self._session = session
        self._background = background

    def run(self, work: Coroutine[None, None, object], *, opens: bool = True) -> None:
        """Run a flow in a worker, and report its errors. Keys wait for its dialogs, unless it `opens` none."""
        guarded = self._report_errors(work)
        self._app.run_worker(track_flow(self._app, guarded) if opens else guarded, exit_on_error=False, group="flow")

    async def _report_errors(self, work: Coroutine[None, None, object]) -> None:
        try:
            await work
        except ConfigError as error:
            notify_error(self._app, error)
        except SprigTuiError as error:
            _log.warning("%s", error.message)
            notify_error(self._app, error)

    def report_fault(self, error: BaseException, worker: str) -> None:
        """Log the traceback of an unexpected error, and say where it is."""
        self._background.start_log()
        _log.error("unexpected fault in %s", worker, exc_info=error)
        text = f"unexpected fault: {type(error).__name__}; what was journaled is safe; see {self._log_file}"
        notify_warning(self._app, text)

    def fatal_text(self, error: BaseException | None) -> str:
        """Log the traceback of an error that ends the app, and return a sentence for the shell."""
        self._background.start_log()
        _log.critical("unexpected fault, the console ended", exc_info=error)
        return (
            f"sprig-tui: unexpected fault: {type(error).__name__}; what was journaled is safe, and the next start"
            f" resumes with it\n  details are in {self._log_file}"
        )

    @property
    def _log_file(self) -> object:
        return self._session.dependencies.paths.log_file
