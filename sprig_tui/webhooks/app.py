"""The receiver's routes: webhooks in, beside what monitors ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.journal.base import Journal
from sprig_tui.mapping.records import Rules
from sprig_tui.server.auth import BearerAuth
from sprig_tui.server.monitoring import HEALTH_PATHS, HealthRoutes, ReadinessCheck
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, Rejection, create_app, json_response
from sprig_tui.webhooks.body import BufferBudget, ClientDisconnectedError, WebhookLimits, check_content_type, read_body
from sprig_tui.webhooks.handler import Receipt, WebhookHandler
from sprig_tui.webhooks.metrics import WebhookMetrics

_HINTS = {404: "there is nothing here; webhooks go to /webhooks/ENVIRONMENT or /webhooks", 405: "webhooks are POSTed"}
_CLIENT_CLOSED_STATUS = 499
"""What the meters call a request whose sender left; it is never sent (nginx made the number)."""


class BodyHandler(Protocol):
    """Where bodies go; see Reception."""

    def has_environment(self, environment: str) -> bool:
        """Whether there is an environment of this name."""

    async def handle(self, raw: bytes, environment: str, authorized: frozenset[str]) -> Receipt:
        """Store what a body holds."""


RequestHook = Callable[[Request, bytes, int], None]
"""Hears each webhook request with the part of its body that was read, and its status."""


class WebhookApp:
    """The ASGI app (`app`), and what may change while it runs."""

    def __init__(
        self,
        handler: BodyHandler,
        auth: BearerAuth,
        health_routes: HealthRoutes,
        limits: WebhookLimits | None = None,
        *,
        on_rejection: OnRejection,
        on_status: Callable[[int], None],
        on_duration: Callable[[float], None],
        on_request: RequestHook | None = None,
    ) -> None:
        """`refused` hears of each refusal, `counted` of the status of what else was answered, `answered` of times."""
        self.auth = auth
        self.body_budget = BufferBudget((limits or WebhookLimits()).max_buffered_bytes)
        self._handler = handler
        self._limits = limits or WebhookLimits()
        self._on_request = on_request
        self._on_duration = on_duration
        self._on_status = on_status
        self.app: ASGIApp = create_app(
            [
                Route("/webhooks", self._webhook, methods=["POST"]),
                Route("/webhooks/", self._webhook, methods=["POST"]),
                Route("/webhooks/{environment}", self._webhook, methods=["POST"]),
                Route("/webhooks/{environment}/", self._webhook, methods=["POST"]),
                *health_routes.routes(),
            ],
            _HINTS,
            on_rejection,
        )

    # -- webhooks -------------------------------------------------------------------------------------------------

    async def _webhook(self, request: Request) -> Response:
        started = time.perf_counter()
        raw = b""
        status = 500
        try:
            opened = self._authorize(request)
            check_content_type(request)
            raw = await read_body(request, self._limits, self.body_budget)
            receipt = await self._handler.handle(raw, request.path_params.get("environment", ""), opened)
        except HTTPRejectionError as error:
            status = error.status
            raise
        except ClientDisconnectedError:
            status = _CLIENT_CLOSED_STATUS
            self._on_status(status)
            return Response(status_code=400)
        else:
            status = 200
            self._on_status(status)
            return _receipt_response(receipt)
        finally:
            self.body_budget.release(len(raw))
            self._on_duration(time.perf_counter() - started)
            if self._on_request is not None:
                self._on_request(request, raw, status)

    def _authorize(self, request: Request) -> frozenset[str]:
        opened = self.auth.authenticate(request)  # first of all: strangers learn no names
        environment = request.path_params.get("environment", "")
        if environment and not self._handler.has_environment(environment):
            raise HTTPRejectionError(404, f"there is no environment {environment[:40]!r} here")
        if environment and environment not in opened:
            raise self.auth.wrong_token_error(environment)
        return opened


def _receipt_response(receipt: Receipt) -> Response:
    return json_response({"queued": receipt.queued, "known": receipt.known, "withheld": receipt.withheld})


class WebhookReceiver:
    """Receives for these environments into this journal; serve `app` with `serving.server.listening`.

    `trusting`: bound to loopback, where an environment without a token is open. Raises ConfigError for rules that
    cannot be kept.
    """

    def __init__(
        self,
        journal: Journal,
        rules: Rules,
        environments: Mapping[str, Environment],
        limits: WebhookLimits | None = None,
        *,
        allow_anonymous: bool,
        on_request: RequestHook | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.metrics = DeliveryMetrics(journal, clock=clock)
        """Its `hear` is for the engine, if there is one."""
        self.webhook_metrics = WebhookMetrics(self.metrics.registry)
        self.on_queued: Callable[[str], None] = lambda _environment: None
        """Hears for which environment something was queued."""
        self.traffic = TrafficMetrics(self.metrics.registry, on_rejection=self._on_rejection)
        """For `serving.server.listening`."""
        self._allow_anonymous = allow_anonymous
        limits = limits or WebhookLimits()
        self._handler = WebhookHandler(
            journal,
            rules,
            environments,
            on_queued=self._notify_queued,
            on_entry=self.webhook_metrics.record_entry,
            clock=clock,
            store_seconds=limits.store_seconds,
        )
        guard = BearerAuth(environments, allow_anonymous=allow_anonymous)
        health = ReadinessCheck(journal, self.metrics, get_problem=self._handler.committer.problem)
        self._health_routes = HealthRoutes(health, guard, self.traffic.record_rejection)
        self._webhook_app = WebhookApp(
            self._handler,
            guard,
            self._health_routes,
            limits,
            on_request=on_request,
            on_status=self.webhook_metrics.record_status,
            on_duration=self.webhook_metrics.record_duration,
            on_rejection=self.traffic.record_rejection,
        )
        self.webhook_metrics.track_buffered_bytes(lambda: self._webhook_app.body_budget.used_bytes)

    @property
    def app(self) -> ASGIApp:
        """What a server serves."""
        return self._webhook_app.app

    def _on_rejection(self, rejection: Rejection) -> None:
        if rejection.path not in HEALTH_PATHS:
            self.webhook_metrics.record_status(rejection.status)

    def _notify_queued(self, environment: str) -> None:
        self.on_queued(environment)

    def reconfigure(self, rules: Rules, environments: Mapping[str, Environment]) -> None:
        """Go on with other rules, environments and tokens; raises ConfigError, and all stays as it was then."""
        self._handler.reconfigure(rules, environments)
        self._webhook_app.auth = self._health_routes.auth = BearerAuth(
            environments, allow_anonymous=self._allow_anonymous
        )

    def set_config_problem(self, problem: str) -> None:
        """Say at `/readyz` why the config on disk is not in use; an empty text where it is."""
        self._health_routes.config_problem = problem

    def set_stopping(self) -> None:
        """Say at `/readyz` that nothing new should come here."""
        self._health_routes.stopping = True
