"""Writing outcomes to the journal so that trouble with the disk does not lose what Segment has answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from sprig_tui.delivery.timing import MonotonicClock
from sprig_tui.errors import JournalError, JournalLostError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import Claim, LaneChange, Settlement

MIN_JOURNAL_BACKOFF_S = 0.1
MAX_JOURNAL_BACKOFF_S = 15.0
"""Seconds between two looks at a journal that does not take writes."""
LOST_JOURNAL_TIMEOUT_S = 3.0
"""Seconds that a journal which is no longer at its place is waited for: what was noted in it would not be found again,
and one that is put back later gives the same deliveries out once more, under the same message ids."""
SHUTDOWN_GRACE_S = 3.0
"""Seconds that a broken-off worker may still take to write down what it knows."""

_log = logging.getLogger(__name__)


class SettlementWriter:
    """One lane's writes; `tell` hears what is wrong, and an empty text once it is right again."""

    def __init__(self, journal: Journal, timing: MonotonicClock, on_error: Callable[[str], None]) -> None:
        self._journal = journal
        self._timing = timing
        self._on_error = on_error
        self._never_set = asyncio.Event()

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None) -> None:
        """Record outcomes, again and again until the journal has them; a cancelled caller gets a last moment for it.

        Should that last moment be too short, the lease runs out and the deliveries are sent again under the same
        message ids: at least once, which Segment's de-duplication makes harmless.
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
                self._on_error(f"cannot note answers in the journal, trying again: {error.message}")
                _log.warning("settling %d deliveries failed: %s", sum(len(s.ids) for s in settlements), error.message)
                await self._timing.wait(self._never_set, pause)
                waited += pause
                pause = min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self._on_error("")
                return

    async def release(self, claim: Claim) -> None:
        """Give back what the claim still holds; if the journal cannot, the lease will run out."""
        with suppress(JournalError):
            await _run_shielded(self._journal.release(claim))

    async def settle_and_release(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """For a worker that is being broken off: note this, give back the rest, within `SHUTDOWN_GRACE_S`."""
        with suppress(JournalError, TimeoutError):
            async with asyncio.timeout(SHUTDOWN_GRACE_S):
                if settlements:
                    await self._journal.settle(claim, settlements)
                await self._journal.release(claim)

    async def renew(self, claim: Claim, lease_ms: int) -> bool | None:
        """Keep a lease; False when it is lost, None when the journal cannot say."""
        try:
            return await self._journal.extend(claim, lease_ms)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other leases must be kept all the same
            _log.warning("keeping %d deliveries failed: %s", len(claim.ids), error)
            return None


async def _run_shielded(work: Coroutine[Any, Any, Any]) -> None:
    """Run to the end even if the caller is cancelled, then for `SHUTDOWN_GRACE_S` at most."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        # real seconds: a caller that is being torn down waits on no clock of ours
        await asyncio.wait((task,), timeout=SHUTDOWN_GRACE_S)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=SHUTDOWN_GRACE_S)
        elif not task.cancelled():
            task.exception()
        raise
