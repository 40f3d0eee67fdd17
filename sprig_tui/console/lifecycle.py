"""Start and end of the console: what follows the first paint, and what precedes the exit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sprig_tui.console.notify import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from sprig_tui.console.background import BackgroundTasks
    from sprig_tui.console.flows import Flows
    from sprig_tui.console.main_screen import MainScreen

JOURNAL_OPEN_TIMEOUT_S = 1.0
"""Longest time that keys typed before the start wait for the journal."""
QUIET_EXIT_S = 0.3
"""Seconds that the exit may take before a notice says what it waits for."""


class ConsoleStart:
    """Follows the first paint: the config, the panes, the background tasks, and the set-up screen of a first start."""

    def __init__(
        self,
        app: App[Any],
        main: MainScreen,
        background: BackgroundTasks,
        *,
        on_start: Callable[[], None],
        is_guided: bool,
    ) -> None:
        """`on_start` is called when all panes are mounted; with `is_guided` the set-up screen may come by itself."""
        self._app = app
        self._main = main
        self._background = background
        self._on_start = on_start
        self._is_guided = is_guided
        self._journal_tried = asyncio.Event()

    def on_session_change(self) -> None:
        """The journal is open now, or could not be opened."""
        self._journal_tried.set()

    async def run(self) -> None:
        """Start; keys that were typed ahead wait for it."""
        await asyncio.to_thread(self._main.console.config_editor.follow)
        await self._main.mount_panes()
        self._on_start()
        self._remove_stale_edits()
        self._background.start()
        # keys typed ahead may need the journal; if it takes longer to open, their commands report that
        with suppress(TimeoutError):
            await asyncio.wait_for(self._journal_tried.wait(), JOURNAL_OPEN_TIMEOUT_S)
        if self._is_guided and self._journal_tried.is_set():
            await self._guide()
        elif self._is_guided:
            # keys do not wait any longer; the set-up comes when the journal does
            self._app.run_worker(self._guide(), exit_on_error=False)

    def _remove_stale_edits(self) -> None:
        """Remove what consoles left that were killed during an edit."""
        from sprig_tui.console.payload.external_editor import remove_stale_edit_folders

        work = partial(remove_stale_edit_folders, self._main.session.dependencies.paths.state_dir)
        self._app.run_worker(work, thread=True, exit_on_error=False, group="stale-edits")

    async def _guide(self) -> None:
        """Open the set-up screen, unless something else came in front meanwhile."""
        from sprig_tui.console.setup.first_start import is_wanted

        await self._journal_tried.wait()
        if await is_wanted(self._main.session) and self._app.screen is self._main:
            self._main.action_set_up()


class ConsoleExit:
    """Leaves the console after the requests in flight; a second call leaves at once."""

    def __init__(self, app: App[Any], main: MainScreen, background: BackgroundTasks, flows: Flows) -> None:
        self._app = app
        self._main = main
        self._flows = flows
        self._background = background
        self._is_leaving = False
        self._asks_about_edits = False

    def ask(self) -> None:
        """Leave, after a question where edits would be lost that were not sent."""
        edited = self._main.payload.edited if "payload" in self._main.panes else 0
        if edited and not self._is_leaving and not self._asks_about_edits:
            self._flows.run(self._ask_about_edits(edited))
        else:
            self.leave()

    async def _ask_about_edits(self, edited: int) -> None:
        """Leave if the user agrees that edits which were not sent are lost; ctrl+q meanwhile leaves at once."""
        from sprig_tui.console.widgets.dialogs import ask_confirmation

        records = "1 record" if edited == 1 else f"{edited:,} records"
        text = "It was edited and not sent, and the edit is kept nowhere else." if edited == 1 else ""
        text = text or "They were edited and not sent, and the edits are kept nowhere else."
        self._asks_about_edits = True
        try:
            if await ask_confirmation(self._app, f"Leave without sending {records}?", text, yes="Leave"):
                self.leave()
        finally:
            self._asks_about_edits = False

    def leave(self) -> None:
        """Leave without a question."""
        if self._is_leaving:
            self._app.exit(0)
            return
        self._main.save_state()
        self._is_leaving = True
        self._app.run_worker(self._drain_and_exit(), exit_on_error=False)

    def hang_up(self) -> None:
        """Leave: the terminal is gone. SIGHUP may report the same, which must not count as a second call of `leave`."""
        if not self._is_leaving:
            self.leave()

    async def _drain_and_exit(self) -> None:
        app = self._app
        closing = asyncio.ensure_future(self._background.stop())
        done, _ = await asyncio.wait((closing,), timeout=QUIET_EXIT_S)
        if not done:
            notify(app, "finishing the requests in flight; q again aborts them, nothing is lost")
            await closing
        app.exit(0, message=self._main.session.queued_at_close_text())
