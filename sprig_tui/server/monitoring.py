"""Health endpoints of `listen` and `run`: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.notes import MetricsNote, save_note
from sprig_tui.journal.readiness import Readiness
from sprig_tui.server.auth import BearerAuth
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, Response, json_response
from sprig_tui.server.routes import Route, Routes
from sprig_tui.text import one_line

_log = logging.getLogger(__name__)

LANES_TIMEOUT_S = 2.0
"""Seconds that reading the lanes may take; a slower journal counts as not ready."""
READ_NOTE_INTERVAL_MS = 600_000
"""How often the journal notes that the metrics were read."""
READ_NOTE_TIMEOUT_S = 0.5
MAX_READER_CHARS = 80


class ReadinessCheck:
    """Readiness of the journal. Waiting and paused lanes do not count: their deliveries are stored, and stay queued.

    `get_problem` returns why the last write of a webhook failed; an empty text after a write that succeeded.
    """

    def __init__(
        self, journal: Journal, metrics: DeliveryMetrics, *, get_problem: Callable[[], str] = lambda: ""
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._get_problem = get_problem
        self._readiness = Readiness(journal)
        self._noted_at = 0
        """When the journal last noted that the metrics were read; 0 for not yet."""

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal accepts writes, and the details of `/readyz`."""
        status = await self._readiness.check()
        problem = self._get_problem()
        message = problem or status.message
        if not status.ready or problem:
            return False, {"journal": message, "hint": status.hint, "lanes": {}}
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
        lane_details = {
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
        return True, {"journal": message, "lanes": lane_details}

    async def metrics(self) -> tuple[bytes, str]:
        """The Prometheus text format, and its content type."""
        return await self._metrics.render(), self._metrics.content_type

    async def note_reader(self, reader: str) -> None:
        """Let the journal note who read the metrics, now and then, so that others see whether a monitor does."""
        now = self._journal.clock.now()
        if 0 <= now - self._noted_at < READ_NOTE_INTERVAL_MS:
            return
        self._noted_at = now
        note = MetricsNote(at=now, reader=one_line(reader, limit=MAX_READER_CHARS), host=socket.gethostname())
        try:
            async with asyncio.timeout(READ_NOTE_TIMEOUT_S):
                await save_note(self._journal, note)
        except (JournalError, TimeoutError) as error:
            _log.info("the journal could not note that the metrics were read: %s", error)


HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")
_HINTS = {404: "there is nothing here; ask /healthz, /readyz or /metrics", 405: "these are asked by GET"}


class HealthRoutes:
    """Routes of the health endpoints; metrics and details need a token where the address is not loopback."""

    def __init__(self, readiness: ReadinessCheck, auth: BearerAuth, on_rejection: OnRejection) -> None:
        self.stopping = False
        """Reported by `/readyz` with 503, so that a load balancer sends nothing new."""
        self.config_problem = ""
        """Why the config on disk is not in use; empty if it is. `/readyz` reports it and stays 200."""
        self._readiness = readiness
        self._auth = auth
        self._on_rejection = on_rejection

    def routes(self) -> list[Route]:
        """The three routes."""
        return [
            Route(path, answer)
            for path, answer in zip(HEALTH_PATHS, (self._healthz, self._readyz, self._metrics), strict=True)
        ]

    def application(self) -> Routes:
        """An application of these routes alone."""
        return Routes(self.routes(), _HINTS, self._on_rejection)

    async def _healthz(self, _: Exchange) -> Response:
        return json_response({"alive": True})

    async def _readyz(self, exchange: Exchange) -> Response:
        ready, details = await self._readiness.ready()
        ready = ready and not self.stopping
        body: dict[str, Any] = {"ready": ready, "stopping": self.stopping}
        if self._may_see_details(exchange):
            config = f"the previous one is in use: {self.config_problem}" if self.config_problem else "in use"
            body |= {**details, "config": config}
        return json_response(body, 200 if ready else 503)

    async def _metrics(self, exchange: Exchange) -> Response:
        self._auth.authenticate_monitor(exchange)
        text, content_type = await self._readiness.metrics()
        await self._readiness.note_reader(exchange.header(b"user-agent") or "")
        return Response(text, content_type=content_type)

    def _may_see_details(self, exchange: Exchange) -> bool:
        try:
            self._auth.authenticate_monitor(exchange)
        except HTTPRejectionError:
            return False
        return True


HEALTH_LIMITS = ConnectionLimits(connections=50, stop_seconds=1.0)
"""Limits for a few monitors that scrape a few times a minute."""


class HealthServer:
    """Health endpoints on their own port, for `run --metrics`; serve `application` with `server.server.running_server`.

    `allow_anonymous`: the server is bound to loopback, where no token is needed.
    """

    def __init__(
        self,
        journal: Journal,
        environments: Mapping[str, Environment],
        *,
        allow_anonymous: bool,
        clock: Clock | None = None,
    ) -> None:
        self.metrics = DeliveryMetrics(journal, clock=clock)
        """The engine's `on_result` is its `record`."""
        self.traffic = TrafficMetrics(self.metrics.registry)
        """Metrics of the connections, for `running_server`."""
        self._auth = BearerAuth(environments, allow_anonymous=allow_anonymous)
        readiness = ReadinessCheck(journal, self.metrics)
        self._health_routes = HealthRoutes(readiness, self._auth, self.traffic.record_rejection)
        self.application = self._health_routes.application()

    def reconfigure(self, environments: Mapping[str, Environment]) -> None:
        """Use the tokens of these environments from now on."""
        self._auth.reconfigure(environments)

    def set_config_problem(self, problem: str) -> None:
        """Report at `/readyz` why the config on disk is not in use; an empty text clears it."""
        self._health_routes.config_problem = problem

    def set_stopping(self) -> None:
        """Report at `/readyz` that the process is stopping."""
        self._health_routes.stopping = True
