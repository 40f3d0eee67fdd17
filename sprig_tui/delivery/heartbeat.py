"""Worker heartbeat: registers this process with the journal, refreshes it every 10 s, unregisters it on exit."""

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
from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import WORKER_TTL_MS
from sprig_tui.journal.records import WorkerInfo

HEARTBEAT_INTERVAL_S = WORKER_TTL_MS / 3000
"""Seconds between heartbeats. A worker counts as dead after three missed ones."""
UNREGISTER_TIMEOUT_S = 1.0
"""Seconds that unregistering may take; without it the worker counts as live until its last heartbeat expires."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """Heartbeat of this process while it is entered. Journal errors are only logged here: the lanes report them.

    `served_environments` and `rate` (deliveries per second) are called for each heartbeat.
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
        """Id of this worker, and owner of its leases."""
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
        """Start of the last heartbeat that the journal stored, monotonic seconds; other workers count from then."""

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Send a heartbeat now and then every `HEARTBEAT_INTERVAL_S`."""
        self._started_at = self._clock.now()
        self._task = asyncio.create_task(self._run())

    def beat_now(self) -> None:
        """Send a heartbeat now, because the served environments have changed."""
        self._wakeup.set()

    async def stop(self) -> None:
        """Send no more heartbeats and unregister; does nothing when not started."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait((task,))
        try:
            async with asyncio.timeout(UNREGISTER_TIMEOUT_S):
                await self._journal.unregister_worker(self.owner)
        except (JournalError, TimeoutError) as error:
            _log.info("unregistering from the journal failed: %s", error)

    def worker_info(self) -> WorkerInfo:
        """Content of a heartbeat sent now."""
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
            started_at = self._timing.monotonic()
            try:
                await self._journal.heartbeat(self.worker_info())
                self.last_beat_at = started_at
            except Exception as error:  # noqa: BLE001 - the outer edge: without heartbeats a live worker would count as dead
                expected = isinstance(error, JournalError)
                _log.info("heartbeat failed: %s", error, exc_info=None if expected else error)
            await self._timing.wait(self._wakeup, HEARTBEAT_INTERVAL_S)
