"""What monitors ask of a process that only delivers: its numbers and the journal's, on an address of their own."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.journal.contract import Journal
from sprig_tui.serving.guard import BearerAuth
from sprig_tui.serving.health import ReadinessCheck
from sprig_tui.serving.limits import ConnectionLimits
from sprig_tui.serving.monitors import HealthRoutes
from sprig_tui.serving.traffic import TrafficMetrics

HEALTH_LIMITS = ConnectionLimits(connections=50, stop_seconds=1.0)
"""A few monitors ask a few times a minute."""


class HealthServer:
    """Serve `app` with `serving.server.listening`. `trusting`: bound to loopback, where no token is asked for."""

    def __init__(
        self,
        journal: Journal,
        environments: Mapping[str, Environment],
        *,
        allow_anonymous: bool,
        clock: Clock | None = None,
    ) -> None:
        self.metrics = DeliveryMetrics(journal, clock=clock)
        """Its `hear` is for the engine."""
        self.traffic = TrafficMetrics(self.metrics.registry)
        """For `serving.server.listening`."""
        self._allow_anonymous = allow_anonymous
        guard = BearerAuth(environments, allow_anonymous=allow_anonymous)
        self._health_routes = HealthRoutes(ReadinessCheck(journal, self.metrics), guard, self.traffic.record_rejection)
        self.app: ASGIApp = self._health_routes.app()

    def reconfigure(self, environments: Mapping[str, Environment]) -> None:
        """Go on with other tokens."""
        self._health_routes.auth = BearerAuth(environments, allow_anonymous=self._allow_anonymous)

    def set_config_problem(self, problem: str) -> None:
        """Say at `/readyz` why the config on disk is not in use; an empty text where it is."""
        self._health_routes.config_problem = problem

    def set_stopping(self) -> None:
        """Say at `/readyz` that it ends."""
        self._health_routes.stopping = True
