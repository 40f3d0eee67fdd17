"""Settlement writes: outcomes of requests go to the journal, retried until it takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from sprig_tui.clock import MonotonicClock
from sprig_tui.errors import JournalError, JournalLostError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import Claim, LaneChange, Settlement

MIN_JOURNAL_BACKOFF_S = 0.1
MAX_JOURNAL_BACKOFF_S = 15.0
"""Seconds between two attempts to write to a journal that fails."""
LOST_JOURNAL_TIMEOUT_S = 3.0
"""Seconds to wait for a journal file that was moved or deleted. Writing to the old file has no use after that; if the
file is put back later, its deliveries are sent again under the same message ids."""
SHUTDOWN_GRACE_S = 3.0
"""Seconds that a cancelled lane may take to settle and release."""

_log = logging.getLogger(__name__)


class SettlementWriter:
    """Settles and releases claims of one lane. `on_error` is called with each error, and with "" after a success."""

    def __init__(self, journal: Journal, timing: MonotonicClock, on_error: Callable[[str], None]) -> None:
        self._journal = journal
        self._timing = timing
        self._on_error = on_error
        self._never_set = asyncio.Event()

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None) -> None:
        """Settle, retrying until the journal succeeds; a cancelled caller waits `SHUTDOWN_GRACE_S` at most.

        If that is too short, the lease expires and the deliveries are sent again under the same message ids, which
        Segment de-duplicates: delivery is at least once.
        """
        await _run_shielded(self._settle_with_retries(claim, settlements, lane))

    async def _settle_with_retries(
        self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None
    ) -> None:
        pause, waited = MIN_JOURNAL_BACKOFF_S, 0.0
        while True:
            try:
                await self._journal.settle(claim, settlements, lane)
            except JournalError as error:
                if isinstance(error, JournalLostError) and waited >= LOST_JOURNAL_TIMEOUT_S:
                    return
                self._on_error(f"cannot store results in the journal, retrying: {error.message}")
                _log.warning("settling %d deliveries failed: %s", sum(len(s.ids) for s in settlements), error.message)
                await self._timing.wait(self._never_set, pause)
                waited += pause
                pause = min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self._on_error("")
                return

    async def release(self, claim: Claim) -> None:
        """Release what the claim still holds; if the journal fails, the lease expires."""
        with suppress(JournalError):
            await _run_shielded(self._journal.release(claim))

    async def settle_and_release(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """Settle what is known and release the rest, once and within `SHUTDOWN_GRACE_S`; for cancellation."""
        with suppress(JournalError, TimeoutError):
            async with asyncio.timeout(SHUTDOWN_GRACE_S):
                if settlements:
                    await self._journal.settle(claim, settlements)
                await self._journal.release(claim)


async def _run_shielded(work: Coroutine[Any, Any, Any]) -> None:
    """Run to the end; if the caller is cancelled, for another `SHUTDOWN_GRACE_S` at most."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        # real seconds, not the injected clock: the process is shutting down
        await asyncio.wait((task,), timeout=SHUTDOWN_GRACE_S)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=SHUTDOWN_GRACE_S)
        elif not task.cancelled():
            task.exception()
        raise
