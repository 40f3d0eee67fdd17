"""Readiness: whether the journal takes writes now, by one that reaches the disk and by what became of the last ones."""

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
"""Of a write that stands for a real one: the pages that a webhook's touches come to about as much."""
PROBE_TTL_S = 5.0
"""Seconds for which a write that was taken speaks for the next; one that was not is tried again after a second."""
FAILED_PROBE_TTL_S = 1.0
PROBE_TIMEOUT_S = 3.0
"""Seconds after which a write that has not come back counts as not taken."""
FAILED_WRITE_TTL_S = 15.0
"""Seconds for which a real write that failed goes before a probe that did not: a probe is smaller than some."""


class WriteHistory:
    """What became of the last real writes, told by whoever makes them; times are monotonic seconds."""

    def __init__(self) -> None:
        self.error: JournalError | None = None
        """Why the last one was not taken; None where it was."""
        self.failed_at = float("-inf")
        self.succeeded_at = float("-inf")

    async def track(self, write: Coroutine[Any, Any, T]) -> T:
        """The result of a write, of which note is taken."""
        try:
            result = await write
        except JournalCorruptError:
            raise  # it lies in one place; other writes do well
        except JournalError as error:
            self.error, self.failed_at = error, time.monotonic()
            raise
        self.error, self.succeeded_at = None, time.monotonic()
        return result


class ReadinessStatus(Struct, frozen=True):
    """Whether the journal takes writes, and why not."""

    ready: bool
    message: str
    """`writable`, or what is wrong in words."""
    hint: str = ""


class Readiness:
    """Asks one journal, for as many as want to know."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = asyncio.Lock()
        self._probe_task: asyncio.Task[None] | None = None
        self._last_status = ReadinessStatus(ready=False, message="not asked yet")
        self._last_probe_at = float("-inf")

    async def check(self) -> ReadinessStatus:
        """As it is now; comes back within `PROBE_TIMEOUT_S`, whatever the disk or the server does."""
        async with self._lock:
            good_for = PROBE_TTL_S if self._last_status.ready else FAILED_PROBE_TTL_S
            # a real write that was taken since then makes an answer that said no an old one
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
            # it is left to come back: another one would stand behind it
            return ReadinessStatus(ready=False, message=f"the journal took no write within {PROBE_TIMEOUT_S:.0f} s")
        probe, self._probe_task = self._probe_task, None
        try:
            probe.result()
        except JournalError as error:
            return ReadinessStatus(ready=False, message=error.message, hint=error.hint)
        return ReadinessStatus(ready=True, message="writable")


async def with_deadline(work: Coroutine[Any, Any, T], seconds: float, name: str) -> T:
    """The result of work on the journal `name`, or JournalLockedError after so long: it is cancelled then.

    What had begun may still be stored: whoever adds the same again hears that it is known.
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
