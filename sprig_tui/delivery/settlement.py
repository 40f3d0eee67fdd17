"""Writing outcomes to the journal so that trouble with the disk does not lose what Segment has answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from sprig_tui.clock import MAX_WAIT_S, MonotonicClock
from sprig_tui.errors import JournalError, JournalLostError
from sprig_tui.journal.base import WORKER_TTL_MS, Journal
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


LEASE_TRUST_S = WORKER_TTL_MS / 1000 - 3.0
"""Seconds after the last sign of life for which nobody else can have taken over what this worker holds."""


class _TrackedLease(Struct):
    claim: Claim
    expires_at: float
    send_at: float
    renewed_at: float
    """When it was made, or kept, for the last time."""


class LeaseRenewer:
    """Times are monotonic seconds, so that a wall clock that jumps neither holds requests up nor ends a lease."""

    def __init__(
        self, settlement_writer: SettlementWriter, timing: MonotonicClock, last_beat_at: Callable[[], float]
    ) -> None:
        """`reported_at` tells when the journal heard of this worker for the last time."""
        self._settlement_writer = settlement_writer
        self._timing = timing
        self._last_beat_at = last_beat_at
        self._leases: dict[int, _TrackedLease] = {}

    def track(self, claim: Claim, seconds: float, now: int, requested_at: float) -> None:
        """A claim was made, for so long from now; `now` is the wall time in ms, by which `send_at` was given."""
        monotonic = self._timing.monotonic()
        ahead = max(0.0, (claim.send_at - now) / 1000.0)
        self._leases[claim.lease] = _TrackedLease(claim, monotonic + seconds, monotonic + ahead, requested_at)

    def untrack(self, claim: Claim) -> None:
        """The claim has come to its end."""
        self._leases.pop(claim.lease, None)

    def is_held(self, claim: Claim) -> bool:
        """Whether its deliveries are still ours.

        A process that stood still may wake long after its lease, and one that is not heard of is taken for dead: others
        take over what it holds.
        """
        held = self._leases.get(claim.lease)
        if held is None:
            return False
        now = self._timing.monotonic()
        return now < held.expires_at and now - max(held.renewed_at, self._last_beat_at()) < LEASE_TRUST_S

    def seconds_until_send(self, claim: Claim) -> float:
        """Seconds until the moment that the journal gave the claim."""
        held = self._leases.get(claim.lease)
        return held.send_at - self._timing.monotonic() if held else 0.0

    async def run(self, lease_seconds: Callable[[], float]) -> None:
        """Keep every lease that has less than three quarters of `seconds` left; runs until it is cancelled."""
        never = asyncio.Event()
        while True:
            await self._timing.wait(never, min(lease_seconds() / 4, MAX_WAIT_S))
            for held in tuple(self._leases.values()):
                length = lease_seconds()
                now = self._timing.monotonic()
                if held.expires_at - now <= length * 3 / 4:
                    kept = await self._settlement_writer.renew(held.claim, int(length * 1000))
                    if kept:
                        held.expires_at, held.renewed_at = now + length, now
                    elif kept is False:
                        self.untrack(held.claim)
