"""Lease renewal: extends the leases of a lane's claims while their deliveries are being sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from sprig_tui.clock import MAX_WAIT_S, MonotonicClock
from sprig_tui.delivery.heartbeat import Heartbeat
from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import WORKER_TTL_MS
from sprig_tui.journal.records import Claim

LEASE_SAFE_S = WORKER_TTL_MS / 1000 - 3.0
"""Seconds after the last heartbeat or renewal during which no other worker can have taken over a lease."""

_log = logging.getLogger(__name__)


class _TrackedLease(Struct):
    claim: Claim
    expires_at: float
    send_at: float
    renewed_at: float
    """When the lease was made or last renewed."""


class LeaseRenewer:
    """Leases of one lane, renewed while they are tracked.

    Times are monotonic seconds, so that a jump of the wall clock neither delays a request nor ends a lease.
    """

    def __init__(self, journal: Journal, timing: MonotonicClock, heartbeat: Heartbeat) -> None:
        self._journal = journal
        self._timing = timing
        self._heartbeat = heartbeat
        self._leases: dict[int, _TrackedLease] = {}

    def track(self, claim: Claim, seconds: float, now: int, requested_at: float) -> None:
        """Renew the claim's lease from now on; `seconds` are left of it.

        `now` is the wall time in ms at which `claim.send_at` was read, `requested_at` the start of the request for the
        claim.
        """
        monotonic = self._timing.monotonic()
        ahead = max(0.0, (claim.send_at - now) / 1000.0)
        self._leases[claim.lease] = _TrackedLease(claim, monotonic + seconds, monotonic + ahead, requested_at)

    def untrack(self, claim: Claim) -> None:
        """Stop renewing the claim's lease."""
        self._leases.pop(claim.lease, None)

    def is_held(self, claim: Claim) -> bool:
        """Whether no other worker can have taken over the claim.

        False once the lease has expired, as after the process was suspended, and while the last heartbeat and the last
        renewal are both too old: other workers then count this one as dead.
        """
        lease = self._leases.get(claim.lease)
        if lease is None:
            return False
        now = self._timing.monotonic()
        return now < lease.expires_at and now - max(lease.renewed_at, self._heartbeat.last_beat_at) < LEASE_SAFE_S

    def seconds_until_send(self, claim: Claim) -> float:
        """Seconds until the pacing slot that the journal gave the claim; may be negative."""
        lease = self._leases.get(claim.lease)
        return lease.send_at - self._timing.monotonic() if lease else 0.0

    async def run(self, lease_seconds: Callable[[], float]) -> None:
        """Renew each lease that has less than three quarters of `lease_seconds` left, until cancelled."""
        never = asyncio.Event()
        while True:
            await self._timing.wait(never, min(lease_seconds() / 4, MAX_WAIT_S))
            for lease in tuple(self._leases.values()):
                length = lease_seconds()
                now = self._timing.monotonic()
                if lease.expires_at - now <= length * 3 / 4:
                    renewed = await self._renew(lease.claim, int(length * 1000))
                    if renewed:
                        lease.expires_at, lease.renewed_at = now + length, now
                    elif renewed is False:
                        self.untrack(lease.claim)

    async def _renew(self, claim: Claim, lease_ms: int) -> bool | None:
        """Extend the lease in the journal; False when it is lost, None when the journal failed."""
        try:
            return await self._journal.extend(claim, lease_ms)
        except Exception as error:  # noqa: BLE001 - the other leases must be renewed whatever happened
            _log.warning("keeping %d deliveries failed: %s", len(claim.ids), error)
            return None
