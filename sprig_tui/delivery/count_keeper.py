"""Count keeper: counts what deliveries have changed for the statistics, a block at a time, while others go on."""

from __future__ import annotations

import asyncio
import logging

from sprig_tui.clock import MonotonicClock, SystemMonotonicClock
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal

CHECK_INTERVAL_S = 2.0
"""Seconds between two looks whether there is something to count."""
STEP_PAUSE_S = 0.02
"""Pause after a block, of some 10 ms of work."""

_log = logging.getLogger(__name__)


class CountKeeper:
    """Keeps the counts of a journal up to date between `start` and `stop`; every engine has one.

    Errors of the journal are only logged: statistics count what is not kept.
    """

    def __init__(self, journal: Journal, *, timing: MonotonicClock | None = None) -> None:
        self._journal = journal
        self._timing = timing or SystemMonotonicClock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Count from now on, whenever something is left to count."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Count no more; does nothing when not started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def _run(self) -> None:
        never = asyncio.Event()
        wait_s = CHECK_INTERVAL_S
        while True:
            await self._timing.wait(never, wait_s)
            try:
                wait_s = STEP_PAUSE_S if await self._journal.keep_counts(1) else CHECK_INTERVAL_S
            except JournalError as error:
                _log.info("statistics were not kept: %s", error)
                wait_s = CHECK_INTERVAL_S
