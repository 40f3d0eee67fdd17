"""Flows of the Payload pane: one at a time, and where they are about what is selected, after that is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from textual.widget import Widget

from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify_warning

SHOW_TIMEOUT_S = 3.0
"""Longest wait for what the log or the list selects to be shown, before a command gives up."""


class PaneFlows:
    """Runs the flows of a pane in its worker; `is_ahead` says whether the list selects what is not shown yet."""

    def __init__(self, pane: Widget, is_ahead: Callable[[], bool]) -> None:
        self._pane = pane
        self._is_ahead = is_ahead
        self.is_stale: Callable[[], bool] = lambda: False
        """Whether the log has selected another delivery, which is not shown yet."""

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Run a flow in place of one that still runs; keys wait for its dialogs."""
        flow = track_flow(self._pane.app, work)
        self._pane.run_worker(flow, group="payload-flow", exclusive=True, exit_on_error=False)

    def when_shown(self, action: Callable[[], None]) -> None:
        """Do something once what is selected is shown; at once where it is."""

        async def later() -> None:
            if await self.is_shown():
                action()

        if self._is_behind:
            self.run(later())
        else:
            action()

    async def is_shown(self) -> bool:
        """Wait until what is selected is shown; False, with a notice, where it takes too long."""
        try:
            async with asyncio.timeout(SHOW_TIMEOUT_S):
                while self._is_behind:  # noqa: ASYNC110 - no single event reports it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            text = "nothing was done: what is selected cannot be shown yet; try again in a moment"
            notify_warning(self._pane.app, text)
            return False
        return True

    @property
    def _is_behind(self) -> bool:
        return self.is_stale() or self._is_ahead()
