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
    from sprig_tui.journal.contract import Journal

T = TypeVar("T")

PROBE_BYTES = 48 * 1024
"""Of a write that stands for a real one: the pages that a webhook's touches come to about as much."""
EVERY_S = 5.0
"""Seconds for which a write that was taken speaks for the next; one that was not is tried again after a second."""
AGAIN_S = 1.0
DEADLINE_S = 3.0
"""Seconds after which a write that has not come back counts as not taken."""
DOUBT_S = 15.0
"""Seconds for which a real write that failed goes before a probe that did not: a probe is smaller than some."""


class WriteHistory:
    """What became of the last real writes, told by whoever makes them; times are monotonic seconds."""

    def __init__(self) -> None:
        self.fault: JournalError | None = None
        """Why the last one was not taken; None where it was."""
        self.failed_at = float("-inf")
        self.taken_at = float("-inf")

    async def watched(self, write: Coroutine[Any, Any, T]) -> T:
        """The result of a write, of which note is taken."""
        try:
            result = await write
        except JournalCorruptError:
            raise  # it lies in one place; other writes do well
        except JournalError as error:
            self.fault, self.failed_at = error, time.monotonic()
            raise
        self.fault, self.taken_at = None, time.monotonic()
        return result


class Standing(Struct, frozen=True):
    """Whether the journal takes writes, and why not."""

    ready: bool
    said: str
    """`writable`, or what is wrong in words."""
    hint: str = ""


class Readiness:
    """Asks one journal, for as many as want to know."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._asking = asyncio.Lock()
        self._probe: asyncio.Task[None] | None = None
        self._probed = Standing(ready=False, said="not asked yet")
        self._probed_at = float("-inf")

    async def standing(self) -> Standing:
        """As it is now; comes back within `DEADLINE_S`, whatever the disk or the server does."""
        async with self._asking:
            good_for = EVERY_S if self._probed.ready else AGAIN_S
            # a real write that was taken since then makes an answer that said no an old one
            outdated = not self._probed.ready and self._journal.writes.taken_at > self._probed_at
            if outdated or time.monotonic() - self._probed_at >= good_for:
                self._probed = await self._ask()
                self._probed_at = time.monotonic()
        writes = self._journal.writes
        if writes.fault is not None and time.monotonic() - writes.failed_at < DOUBT_S:
            return Standing(ready=False, said=writes.fault.message, hint=writes.fault.hint)
        return self._probed

    async def _ask(self) -> Standing:
        if self._probe is None:
            self._probe = asyncio.create_task(self._journal.check_writable())
        done, _ = await asyncio.wait((self._probe,), timeout=DEADLINE_S)
        if not done:
            # it is left to come back: another one would stand behind it
            return Standing(ready=False, said=f"the journal took no write within {DEADLINE_S:.0f} s")
        probe, self._probe = self._probe, None
        try:
            probe.result()
        except JournalError as error:
            return Standing(ready=False, said=error.message, hint=error.hint)
        return Standing(ready=True, said="writable")


async def within(work: Coroutine[Any, Any, T], seconds: float, name: str) -> T:
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
    task.add_done_callback(_forget)
    raise JournalLockedError(
        f"the journal {name} took no write within {seconds:g} s",
        hint="see what holds it; what was sent may be stored all the same, and is known then when it is sent again",
    )


def _forget(task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()
