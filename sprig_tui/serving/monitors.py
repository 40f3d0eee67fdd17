"""What monitors ask, of whatever does not end by itself: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sprig_tui.serving.answers import create_app, json_response
from sprig_tui.serving.guard import BearerAuth
from sprig_tui.serving.refusals import HTTPRejectionError, OnRejection

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
