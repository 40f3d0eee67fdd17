"""The leases of one lane: kept while requests take long, and no longer trusted once they have surely run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from sprig_tui.delivery.ledger import SettlementWriter
from sprig_tui.delivery.timing import MAX_WAIT_S, MonotonicClock
from sprig_tui.journal.contract import WORKER_TTL_MS
from sprig_tui.journal.records import Claim

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
