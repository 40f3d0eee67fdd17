"""The leases of one lane: kept while requests take long, and no longer trusted once they have surely run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from sprig_tui.delivery.ledger import Ledger
from sprig_tui.delivery.timing import LONGEST_WAIT, Timing
from sprig_tui.journal.contract import WORKER_TTL_MS
from sprig_tui.journal.records import Claim

SURELY_S = WORKER_TTL_MS / 1000 - 3.0
"""Seconds after the last sign of life for which nobody else can have taken over what this worker holds."""


class _Held(Struct):
    claim: Claim
    until: float
    send_at: float
    kept_at: float
    """When it was made, or kept, for the last time."""


class Leases:
    """Times are monotonic seconds, so that a wall clock that jumps neither holds requests up nor ends a lease."""

    def __init__(self, ledger: Ledger, timing: Timing, reported_at: Callable[[], float]) -> None:
        """`reported_at` tells when the journal heard of this worker for the last time."""
        self._ledger = ledger
        self._timing = timing
        self._reported_at = reported_at
        self._held: dict[int, _Held] = {}

    def hold(self, claim: Claim, seconds: float, now: int, asked_at: float) -> None:
        """A claim was made, for so long from now; `now` is the wall time in ms, by which `send_at` was given."""
        monotonic = self._timing.monotonic()
        ahead = max(0.0, (claim.send_at - now) / 1000.0)
        self._held[claim.lease] = _Held(claim, monotonic + seconds, monotonic + ahead, asked_at)

    def drop(self, claim: Claim) -> None:
        """The claim has come to its end."""
        self._held.pop(claim.lease, None)

    def holds(self, claim: Claim) -> bool:
        """Whether its deliveries are still ours.

        A process that stood still may wake long after its lease, and one that is not heard of is taken for dead: others
        take over what it holds.
        """
        held = self._held.get(claim.lease)
        if held is None:
            return False
        now = self._timing.monotonic()
        return now < held.until and now - max(held.kept_at, self._reported_at()) < SURELY_S

    def wait_for(self, claim: Claim) -> float:
        """Seconds until the moment that the journal gave the claim."""
        held = self._held.get(claim.lease)
        return held.send_at - self._timing.monotonic() if held else 0.0

    async def keep(self, seconds: Callable[[], float]) -> None:
        """Keep every lease that has less than three quarters of `seconds` left; runs until it is cancelled."""
        never = asyncio.Event()
        while True:
            await self._timing.wait(never, min(seconds() / 4, LONGEST_WAIT))
            for held in tuple(self._held.values()):
                length = seconds()
                now = self._timing.monotonic()
                if held.until - now <= length * 3 / 4:
                    kept = await self._ledger.keep(held.claim, int(length * 1000))
                    if kept:
                        held.until, held.kept_at = now + length, now
                    elif kept is False:
                        self.drop(held.claim)
