"""What monitors ask, of whatever does not end by itself: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.readiness import Readiness
from sprig_tui.server.auth import BearerAuth
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, create_app, json_response

LANES_TIMEOUT_S = 2.0
"""Seconds that reading the lanes may take: a journal that needs longer takes nothing now."""


class ReadinessCheck:
    """Asks the journal. A lane that waits or is paused makes nothing unready: what comes is stored, and waits.

    `trouble` tells, in words, what kept the last real write from being stored; empty where it was.
    """

    def __init__(
        self, journal: Journal, metrics: DeliveryMetrics, *, get_problem: Callable[[], str] = lambda: ""
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._get_problem = get_problem
        self._readiness = Readiness(journal)

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal takes writes now, and what there is to know."""
        standing = await self._readiness.check()
        said = self._get_problem() or standing.message
        if not standing.ready or self._get_problem():
            return False, {"journal": said, "hint": standing.hint, "lanes": {}}
        try:
            async with asyncio.timeout(LANES_TIMEOUT_S):
                lanes = await self._journal.lanes()
        except JournalError as error:
            return False, {"journal": error.message, "hint": error.hint, "lanes": {}}
        except TimeoutError:
            return False, {
                "journal": f"the journal could not be read within {LANES_TIMEOUT_S:g} s",
                "hint": "",
                "lanes": {},
            }
        told = {
            name: {
                "state": lane.state,
                "cause": lane.cause,
                "reason": lane.reason or None,
                "until": lane.until,
                "last_status": lane.last_status,
            }
            for name, lane in lanes.items()
            if name
        }
        return True, {"journal": said, "lanes": told}

    async def metrics(self) -> tuple[bytes, str]:
        """The text for Prometheus and its content type."""
        return await self._metrics.render(), self._metrics.content_type


HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")
_HINTS = {404: "there is nothing here; ask /healthz, /readyz or /metrics", 405: "these are asked by GET"}


class HealthSource(Protocol):
    """What monitors are told."""

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal takes writes now, and what there is to know."""

    async def metrics(self) -> tuple[bytes, str]:
        """The text for Prometheus, and its content type."""


class HealthRoutes:
    """Answers monitors; names and numbers are for whoever holds a token, where strangers may ask."""

    def __init__(self, health: HealthSource, auth: BearerAuth, on_rejection: OnRejection) -> None:
        self.auth = auth
        self._on_rejection = on_rejection
        self.stopping = False
        """Said by `/readyz`, so that nothing new is sent here."""
        self.config_problem = ""
        """Why the config on disk is not the one in use; empty where it is. That makes nothing unready."""
        self._health = health

    def routes(self) -> list[Route]:
        """The routes, for an app that has others too."""
        return [
            Route(path, answer, methods=["GET"])
            for path, answer in zip(HEALTH_PATHS, (self._healthz, self._readyz, self._metrics), strict=True)
        ]

    def app(self) -> ASGIApp:
        """An app of these routes alone."""
        return create_app(self.routes(), _HINTS, self._on_rejection)

    async def _healthz(self, _: Request) -> Response:
        return json_response({"alive": True})

    async def _readyz(self, request: Request) -> Response:
        ready, facts = await self._health.ready()
        ready = ready and not self.stopping
        told: dict[str, Any] = {"ready": ready, "stopping": self.stopping}
        if self._may_see_details(request):
            told |= {
                **facts,
                "config": f"going on with the one from before: {self.config_problem}"
                if self.config_problem
                else "in use",
            }
        return json_response(told, 200 if ready else 503)

    async def _metrics(self, request: Request) -> Response:
        self.auth.authenticate_monitor(request)
        text, kind = await self._health.metrics()
        return Response(text, media_type=kind)

    def _may_see_details(self, request: Request) -> bool:
        try:
            self.auth.authenticate_monitor(request)
        except HTTPRejectionError:
            return False
        return True


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
