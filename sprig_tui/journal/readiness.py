"""Readiness of a journal: a probe write that reaches the disk, and the outcome of the last real writes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from sprig_tui.errors import JournalCorruptError, JournalError, JournalLockedError

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal

T = TypeVar("T")

PROBE_WRITE_BYTES = 48 * 1024
"""Size of the probe write, about that of the pages that a webhook changes."""
PROBE_TTL_S = 5.0
"""Seconds for which a successful probe is valid."""

FAILED_PROBE_TTL_S = 1.0
"""Seconds after which a failed probe is repeated."""
PROBE_TIMEOUT_S = 3.0
"""Seconds after which a probe without a result counts as failed."""
FAILED_WRITE_TTL_S = 15.0
"""Seconds for which a failed real write takes precedence over a successful probe, which is smaller than some."""


class WriteHistory:
    """Outcome of the last real writes; times are monotonic seconds."""

    def __init__(self) -> None:
        self.error: JournalError | None = None
        """Error of the last write; None if it succeeded."""
        self.failed_at = float("-inf")
        self.succeeded_at = float("-inf")

    async def track(self, write: Coroutine[Any, Any, T]) -> T:
        """The result of a write, whose outcome is recorded."""
        try:
            result = await write
        except JournalCorruptError:
            raise  # damage is local; other writes succeed
        except JournalError as error:
            self.error, self.failed_at = error, time.monotonic()
            raise
        self.error, self.succeeded_at = None, time.monotonic()
        return result


class ReadinessStatus(Struct, frozen=True):
    """Whether the journal accepts writes, and why not."""

    ready: bool
    message: str
    """`writable`, or the problem."""
    hint: str = ""


class Readiness:
    """Checks one journal for any number of callers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = asyncio.Lock()
        self._probe_task: asyncio.Task[None] | None = None
        self._last_status = ReadinessStatus(ready=False, message="not asked yet")
        self._last_probe_at = float("-inf")

    async def check(self) -> ReadinessStatus:
        """The current status; returns within `PROBE_TIMEOUT_S`, even if the disk or the server hangs."""
        async with self._lock:
            good_for = PROBE_TTL_S if self._last_status.ready else FAILED_PROBE_TTL_S
            # a real write that succeeded since then outdates a failed probe
            outdated = not self._last_status.ready and self._journal.writes.succeeded_at > self._last_probe_at
            if outdated or time.monotonic() - self._last_probe_at >= good_for:
                self._last_status = await self._run_probe()
                self._last_probe_at = time.monotonic()
        writes = self._journal.writes
        if writes.error is not None and time.monotonic() - writes.failed_at < FAILED_WRITE_TTL_S:
            return ReadinessStatus(ready=False, message=writes.error.message, hint=writes.error.hint)
        return self._last_status

    async def _run_probe(self) -> ReadinessStatus:
        if self._probe_task is None:
            self._probe_task = asyncio.create_task(self._journal.check_writable())
        done, _ = await asyncio.wait((self._probe_task,), timeout=PROBE_TIMEOUT_S)
        if not done:
            # the probe keeps running: another one would wait behind it
            return ReadinessStatus(ready=False, message=f"the journal took no write within {PROBE_TIMEOUT_S:.0f} s")
        probe, self._probe_task = self._probe_task, None
        try:
            probe.result()
        except JournalError as error:
            return ReadinessStatus(ready=False, message=error.message, hint=error.hint)
        return ReadinessStatus(ready=True, message="writable")


async def with_deadline(work: Coroutine[Any, Any, T], seconds: float, name: str) -> T:
    """The result of work on the journal `name`; after so many seconds it is cancelled, and JournalLockedError raised.

    A write that had begun may still be stored; adding the same entries again then returns `known`.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.cancel()
    task.add_done_callback(_ignore_result)
    raise JournalLockedError(
        f"the journal {name} took no write within {seconds:g} s",
        hint="see what holds it; what was sent may be stored all the same, and is known then when it is sent again",
    )


def _ignore_result(task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()
