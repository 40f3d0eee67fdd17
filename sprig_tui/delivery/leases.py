"""The leases of one lane: kept while requests take long, and no longer trusted once they have surely run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from sprig_tui.delivery.ledger import Ledger
from sprig_tui.delivery.timing import LONGEST_WAIT, Timing
from sprig_tui.journal.records import Claim


class _Held(Struct):
    claim: Claim
    until: float
    send_at: float


class Leases:
    """Times are monotonic seconds, so that a wall clock that jumps neither holds requests up nor ends a lease."""

    def __init__(self, ledger: Ledger, timing: Timing) -> None:
        self._ledger = ledger
        self._timing = timing
        self._held: dict[int, _Held] = {}

    def hold(self, claim: Claim, seconds: float, now: int) -> None:
        """A claim was made just now, for so long; `now` is the wall time in ms, by which `send_at` was given."""
        monotonic = self._timing.monotonic()
        ahead = max(0.0, (claim.send_at - now) / 1000.0)
        self._held[claim.lease] = _Held(claim, monotonic + seconds, monotonic + ahead)

    def drop(self, claim: Claim) -> None:
        """The claim has come to its end."""
        self._held.pop(claim.lease, None)

    def holds(self, claim: Claim) -> bool:
        """Whether its deliveries are still ours: a process that stood still may wake long after its lease."""
        held = self._held.get(claim.lease)
        return held is not None and self._timing.monotonic() < held.until

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
                        held.until = now + length
                    elif kept is False:
                        self.drop(held.claim)
