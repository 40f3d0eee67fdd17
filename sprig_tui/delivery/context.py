"""Dependencies shared by all lanes of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sprig_tui.clock import Clock, MonotonicClock
from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.delivery.clock_jumps import ClockJumpDetector
from sprig_tui.delivery.heartbeat import Heartbeat
from sprig_tui.delivery.retry import RandomSource
from sprig_tui.delivery.suppression_watch import SuppressionSource
from sprig_tui.errors import ConfigError
from sprig_tui.journal.base import Journal

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult
    from sprig_tui.segment.oauth.token_source import TokenSources


class BatchClient(Protocol):
    """Part of the Tracking API client that a lane uses."""

    async def send_batch(self, payload: bytes, retry_count: int) -> SendResult:
        """Send bodies that are joined by commas as one batch."""

    async def close(self) -> None:
        """Close connections."""


class ResultListener(Protocol):
    """Callback for the result of each request, such as a counter. What it raises is logged and otherwise ignored."""

    def __call__(self, environment: str, result: SendResult, /) -> None:
        """Called in the engine's event loop, before the result is settled."""


def ignore_result(_environment: str, _result: SendResult, /) -> None:
    """Listener that does nothing."""


class EngineContext(Struct, frozen=True):
    """Dependencies shared by all lanes of an engine."""

    journal: Journal
    clock: Clock
    timing: MonotonicClock
    random: RandomSource
    heartbeat: Heartbeat
    clock_jumps: ClockJumpDetector
    idle: asyncio.Event
    """Set each time a lane has nothing to claim and nothing on the wire."""
    on_result: ResultListener
    suppression: SuppressionSource
    """Tells whose deliveries are withheld before they are sent."""
    adopt: bool = False
    """Whether a run to another endpoint also delivers what is queued for the environment's own."""


ClientFactory = Callable[[Environment, DeliverySettings, Clock], BatchClient]


def make_tracking_client(
    environment: Environment, settings: DeliverySettings, clock: Clock, *, sources: TokenSources | None = None
) -> BatchClient:
    """The HTTP client of an environment that has a key; raises ConfigError for an endpoint that cannot be used.

    With `sources` its OAuth token is shared with the other clients that were made with them.
    """
    from sprig_tui.segment.client import TrackingClient
    from sprig_tui.segment.oauth.token_source import TokenSources

    if environment.write_key is None:
        raise ConfigError(
            f"environment {environment.name} has no write key", hint="sprig-tui keys set " + environment.name
        )
    oauth = environment.oauth_credentials
    return TrackingClient(
        environment.base_url,
        environment.write_key,
        clock=clock,
        timeout=settings.timeout,
        connections=settings.connections,
        gzip=settings.gzip,
        tokens=(sources or TokenSources()).source(oauth, clock, settings.timeout) if oauth is not None else None,
    )


class TrackingClientFactory:
    """Clients of one engine: those with the same OAuth credentials share their token, also after a reload."""

    def __init__(self) -> None:
        self._sources: TokenSources | None = None

    def __call__(self, environment: Environment, settings: DeliverySettings, clock: Clock) -> BatchClient:
        """As `make_tracking_client`."""
        if self._sources is None:
            from sprig_tui.segment.oauth.token_source import TokenSources

            self._sources = TokenSources()
        return make_tracking_client(environment, settings, clock, sources=self._sources)
