"""Request sender of a lane: number of connections, pacing, and the last checks before a request is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from sprig_tui.clock import MAX_WAIT_S
from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.delivery.context import BatchClient, EngineContext
from sprig_tui.delivery.lease_renewal import LeaseRenewer
from sprig_tui.delivery.retry import RandomSource, RetryPolicy
from sprig_tui.journal.records import Claim

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

_MAX_CATCH_UP_INTERVALS = 2.0
"""Intervals by which a late request may be made up for. Timers fire late, and the delays would add up otherwise."""


class Pacer:
    """Spaces requests `1 / rate` seconds apart; a rate of 0 means no pacing."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Take the next slot; returns the seconds to wait for it. `now` is monotonic, in seconds."""
        if not self._interval:
            return 0.0
        slot = max(self._next, now - _MAX_CATCH_UP_INTERVALS * self._interval)
        self._next = slot + self._interval
        return max(0.0, slot - now)


class LaneConfig(Struct, frozen=True):
    """Settings that a lane sends under, and what is made from them; a reload replaces all of it."""

    environment: Environment
    settings: DeliverySettings
    client: BatchClient
    policy: RetryPolicy
    pacer: Pacer
    connections: asyncio.Semaphore

    @classmethod
    def of(
        cls, environment: Environment, settings: DeliverySettings, client: BatchClient, random: RandomSource
    ) -> Self:
        """The config of an environment."""
        return cls(
            environment,
            settings,
            client,
            RetryPolicy(settings, environment, random),
            Pacer(environment.requests_per_second),
            asyncio.Semaphore(settings.connections),
        )


class BatchRequest(Struct):
    """One request of a batch, from before it is sent until it is answered."""

    payload: bytes
    """Bodies joined by commas."""
    events: int
    retry_count: int
    started_at: int = 0
    """Wall time in ms at which it was sent; 0 before."""
    endpoint: str = ""
    """URL that it was sent to."""


class RequestSender:
    """Sends the requests of one lane, and counts them."""

    def __init__(self, context: EngineContext, config: LaneConfig, lease_renewer: LeaseRenewer) -> None:
        self.config = config
        """Read anew for each request, so that a reload takes effect at the next one."""
        self.stopping = asyncio.Event()
        """Once set, nothing more is sent."""
        self.requests = self.in_flight = self.sent = 0
        """Requests and deliveries on the wire now, and requests that have ended."""
        self._context = context
        self._lease_renewer = lease_renewer
        self._closed_epoch = -1

    def close_epoch(self, epoch: int) -> None:
        """Send no claim that was made in this epoch of the lane or before."""
        self._closed_epoch = max(self._closed_epoch, epoch)

    async def send(self, claim: Claim, request: BatchRequest) -> SendResult | None:
        """Wait for a connection and a pacing slot, then send; None when the claim may no longer be sent."""
        async with self.config.connections:
            timing = self._context.timing
            wait = max(self._lease_renewer.seconds_until_send(claim), self.config.pacer.reserve(timing.monotonic()))
            if wait > 0:
                await timing.wait(self.stopping, min(wait, MAX_WAIT_S))
            # since the claim was made, a failure may have closed the lane, or another worker may have taken it over
            closed = claim.lane.epoch <= self._closed_epoch
            if self.stopping.is_set() or closed or not self._lease_renewer.is_held(claim):
                return None
            self.requests += 1
            self.in_flight += request.events
            request.started_at, request.endpoint = self._context.clock.now(), self.config.environment.base_url
            try:
                return await self.config.client.send_batch(request.payload, request.retry_count)
            finally:
                self.requests -= 1
                self.in_flight -= request.events
                self.sent += 1
