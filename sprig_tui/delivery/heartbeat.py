"""One process's place among the live workers: it reports every few seconds, and signs off when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from sprig_tui.clock import Clock, MonotonicClock, SystemClock, SystemMonotonicClock
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import WORKER_TTL_MS, Journal
from sprig_tui.journal.records import WorkerInfo

HEARTBEAT_INTERVAL_S = WORKER_TTL_MS / 3000
"""Seconds: two reports may be lost before anyone thinks the worker dead, and an idle machine's disk sleeps long."""
UNREGISTER_TIMEOUT_S = 1.0
"""Seconds that signing off may take; one that is not heard is forgotten soon all the same."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """Reports while it is entered. Trouble with the journal is only logged: who delivers has other words for it.

    `served` names the environments that are delivered for, `rate` gives deliveries per second; each report asks them.
    """

    def __init__(
        self,
        journal: Journal,
        role: str,
        *,
        served_environments: Callable[[], Collection[str]] = tuple,
        rate: Callable[[], float] = float,
        clock: Clock | None = None,
        timing: MonotonicClock | None = None,
    ) -> None:
        self.owner = uuid.uuid4().hex
        """The id of this worker, and the owner of its leases."""
        self._journal = journal
        self._role = role
        self._served_environments = served_environments
        self._rate = rate
        self._clock = clock or SystemClock()
        self._timing = timing or SystemMonotonicClock()
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._started_at = 0
        self.last_beat_at = float("-inf")
        """When the last report was begun that the journal took, monotonic seconds: from then on others count."""

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Report now, and from now on."""
        self._started_at = self._clock.now()
        self._task = asyncio.create_task(self._run())

    def beat_now(self) -> None:
        """Report now, because what there is to say has changed."""
        self._wakeup.set()

    async def stop(self) -> None:
        """Report no more, and sign off; does nothing where nothing was started."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait((task,))
        try:
            async with asyncio.timeout(UNREGISTER_TIMEOUT_S):
                await self._journal.unregister_worker(self.owner)
        except (JournalError, TimeoutError) as error:
            _log.info("signing off from the journal failed: %s", error)

    def worker_info(self) -> WorkerInfo:
        """This worker as it would report itself now."""
        import sprig_tui

        return WorkerInfo(
            id=self.owner,
            role=self._role,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=sprig_tui.__version__,
            environments=tuple(sorted(self._served_environments())),
            started_at=self._started_at,
            rate=self._rate(),
        )

    async def _run(self) -> None:
        while True:
            self._wakeup.clear()
            begun = self._timing.monotonic()
            try:
                await self._journal.heartbeat(self.worker_info())
                self.last_beat_at = begun
            except Exception as error:  # noqa: BLE001 - the outer edge: without it a live worker would look dead
                expected = isinstance(error, JournalError)
                _log.info("reporting to the journal failed: %s", error, exc_info=None if expected else error)
            await self._timing.wait(self._wakeup, HEARTBEAT_INTERVAL_S)
