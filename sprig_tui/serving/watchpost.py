"""What monitors ask of a process that only delivers: its numbers and the journal's, on an address of their own."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.journal.contract import Journal
from sprig_tui.serving.guard import Guard
from sprig_tui.serving.health import JournalHealth
from sprig_tui.serving.limits import ConnectionLimits
from sprig_tui.serving.monitors import Monitors
from sprig_tui.serving.traffic import Traffic

LIMITS = ConnectionLimits(connections=50, stop_seconds=1.0)
"""A few monitors ask a few times a minute."""


class Watchpost:
    """Serve `app` with `serving.server.listening`. `trusting`: bound to loopback, where no token is asked for."""

    def __init__(
        self, journal: Journal, environments: Mapping[str, Environment], *, trusting: bool, clock: Clock | None = None
    ) -> None:
        self.metrics = DeliveryMetrics(journal, clock=clock)
        """Its `hear` is for the engine."""
        self.traffic = Traffic(self.metrics.registry)
        """For `serving.server.listening`."""
        self._trusting = trusting
        guard = Guard(environments, trusting=trusting)
        self._monitors = Monitors(JournalHealth(journal, self.metrics), guard, self.traffic.refused)
        self.app: ASGIApp = self._monitors.app()

    def use(self, environments: Mapping[str, Environment]) -> None:
        """Go on with other tokens."""
        self._monitors.guard = Guard(environments, trusting=self._trusting)

    def hold_config(self, why: str) -> None:
        """Say at `/readyz` why the config on disk is not in use; an empty text where it is."""
        self._monitors.config = why

    def stop(self) -> None:
        """Say at `/readyz` that it ends."""
        self._monitors.stopping = True
