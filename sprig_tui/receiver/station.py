"""A receiver put together: the app, the journal behind it, and what is told to monitors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.journal.contract import Journal
from sprig_tui.mapping.records import Rules
from sprig_tui.receiver.app import RequestHook, WebhookApp
from sprig_tui.receiver.limits import WebhookLimits
from sprig_tui.receiver.meters import WebhookMetrics
from sprig_tui.receiver.reception import WebhookHandler
from sprig_tui.serving.guard import BearerAuth
from sprig_tui.serving.health import ReadinessCheck
from sprig_tui.serving.monitors import HEALTH_PATHS, HealthRoutes
from sprig_tui.serving.refusals import Rejection
from sprig_tui.serving.traffic import TrafficMetrics


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
