"""What the lanes of an engine work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sprig_tui.clock import Clock, MonotonicClock
from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.delivery.clock_jumps import ClockJumpDetector
from sprig_tui.delivery.retry import RandomSource
from sprig_tui.errors import ConfigError
from sprig_tui.journal.base import Journal

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


class BatchClient(Protocol):
    """What a lane needs of the Tracking API client."""

    async def send_batch(self, payload: bytes, retry_count: int) -> SendResult:
        """Send bodies that are joined by commas as one batch."""

    async def close(self) -> None:
        """Close connections."""


class EngineContext(Struct, frozen=True):
    """What all lanes of an engine share."""

    journal: Journal
    clock: Clock
    timing: MonotonicClock
    random: RandomSource
    owner: str
    clock_jumps: ClockJumpDetector
    idle: asyncio.Event
    """Set each time a lane finds nothing to do and has nothing on the wire."""
    on_result: Callable[[str, SendResult], None]
    """Hears the answer to each request of an environment."""
    last_beat_at: Callable[[], float]
    """When this worker was last heard of by the journal, monotonic seconds."""
    adopt: bool = False
    """Whether a run to another endpoint also delivers what waits for the environment's own."""


ClientFactory = Callable[[Environment, DeliverySettings, Clock], BatchClient]


def make_tracking_client(environment: Environment, settings: DeliverySettings, clock: Clock) -> BatchClient:
    """The HTTP client of an environment that has a key; raises ConfigError for an endpoint that cannot be used."""
    from sprig_tui.segment.client import TrackingClient

    if environment.write_key is None:
        raise ConfigError(
            f"environment {environment.name} has no write key", hint="sprig-tui keys set " + environment.name
        )
    return TrackingClient(
        environment.base_url,
        environment.write_key,
        clock=clock,
        timeout=settings.timeout,
        connections=settings.connections,
        gzip=settings.gzip,
    )
