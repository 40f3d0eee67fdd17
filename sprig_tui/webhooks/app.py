"""Webhook application: the routes of `listen`, from a POST to its response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.mapping.records import Rules
from sprig_tui.server.auth import BearerAuth
from sprig_tui.server.exchange import ClientDisconnectedError, Exchange
from sprig_tui.server.monitoring import HEALTH_PATHS, HealthRoutes, ReadinessCheck
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import HTTPRejectionError, Rejection, Response, json_response
from sprig_tui.server.routes import Route, Routes
from sprig_tui.webhooks.body import BufferBudget, WebhookLimits, check_content_type, read_body
from sprig_tui.webhooks.handler import Receipt, WebhookHandler
from sprig_tui.webhooks.metrics import WebhookMetrics

_HINTS = {404: "there is nothing here; webhooks go to /webhooks/ENVIRONMENT or /webhooks", 405: "webhooks are POSTed"}
_SHARED_PATHS = ("/webhooks", "/webhooks/")
_ENVIRONMENT_PATH = "/webhooks/*"
_CLIENT_CLOSED_STATUS = 499
"""Status in the metrics for a request whose client disconnected; nginx introduced it. It is never sent."""

_LIST_TIMEOUT_S = 1.0
"""Seconds for which a rejected request waits for the list of forgotten people before its body is captured."""

RequestHook = Callable[[Exchange, bytes, int], None]
"""Called after each webhook request with the part of the body that was read and the response status."""


class WebhookReceiver:
    """Webhook receiver of these environments; serve `application` with `server.server.running_server`.

    `allow_anonymous`: the server is bound to loopback, where an environment without a token needs none. `on_queued` is
    called with the environment of each delivery that was queued. Raises ConfigError for invalid rules.
    """

    def __init__(  # noqa: PLR0913 - each has a name, and all but three a default
        self,
        journal: Journal,
        rules: Rules,
        environments: Mapping[str, Environment],
        limits: WebhookLimits | None = None,
        *,
        allow_anonymous: bool,
        metrics: DeliveryMetrics | None = None,
        on_queued: Callable[[str], None] = lambda _environment: None,
        on_request: RequestHook | None = None,
        clock: Clock | None = None,
    ) -> None:
        metrics = metrics or DeliveryMetrics(journal, clock=clock)
        self.metrics = WebhookMetrics(metrics.registry)
        self.traffic = TrafficMetrics(metrics.registry, on_rejection=self._on_rejection)
        """Metrics of the connections, for `running_server`."""
        self._limits = limits or WebhookLimits()
        self._on_request = on_request
        self._journal = journal
        self._auth = BearerAuth(environments, allow_anonymous=allow_anonymous)
        self._handler = WebhookHandler(
            journal,
            rules,
            environments,
            on_queued=on_queued,
            on_entry=self.metrics.record_entry,
            clock=clock,
            store_seconds=self._limits.store_seconds,
        )
        self.body_budget = BufferBudget(self._limits.max_buffered_bytes)
        self.metrics.track_buffered_bytes(lambda: self.body_budget.used_bytes)
        readiness = ReadinessCheck(journal, metrics, get_problem=self._handler.committer.problem)
        self._health_routes = HealthRoutes(readiness, self._auth, self.traffic.record_rejection)
        webhooks = [Route(path, self._webhook, "POST") for path in (*_SHARED_PATHS, _ENVIRONMENT_PATH)]
        self.application = Routes([*webhooks, *self._health_routes.routes()], _HINTS, self.traffic.record_rejection)

    def reconfigure(self, rules: Rules, environments: Mapping[str, Environment]) -> None:
        """Use these rules, environments and tokens from now on; raises ConfigError, and changes nothing then."""
        self._handler.reconfigure(rules, environments)
        self._auth.reconfigure(environments)

    def set_config_problem(self, problem: str) -> None:
        """Report at `/readyz` why the config on disk is not in use; an empty text clears it."""
        self._health_routes.config_problem = problem

    def set_stopping(self) -> None:
        """Report at `/readyz` that the server is stopping."""
        self._health_routes.stopping = True

    async def _webhook(self, exchange: Exchange) -> Response:
        """Answer one webhook: authenticate, read the body, store what it holds, then respond."""
        started = time.perf_counter()
        raw = b""
        status = 500
        environment = "" if exchange.head.path in _SHARED_PATHS else exchange.path_segment
        receipt = None
        try:
            authorized = self._authorize(exchange, environment)
            check_content_type(exchange)
            raw = await read_body(exchange, self._limits, self.body_budget)
            receipt = await self._handler.handle(raw, environment, authorized)
        except HTTPRejectionError as error:
            status = error.status
            raise
        except ClientDisconnectedError:
            status = _CLIENT_CLOSED_STATUS
            self.metrics.record_status(status)
            raise
        else:
            status = 200
            self.metrics.record_status(status)
            return json_response({"queued": receipt.queued, "known": receipt.known, "withheld": receipt.withheld})
        finally:
            self.body_budget.release(len(raw))
            self.metrics.record_duration(time.perf_counter() - started)
            if self._on_request is not None:
                self._on_request(exchange, await self._kept_body(raw, receipt), status)

    async def _kept_body(self, raw: bytes, receipt: Receipt | None) -> bytes:
        """The body for whoever looks at requests; empty if it is of a forgotten person, or if that cannot be told."""
        if receipt is not None:
            return b"" if receipt.is_forgotten else raw
        if not raw:
            return b""
        try:
            async with asyncio.timeout(_LIST_TIMEOUT_S):
                matcher = await self._journal.forgotten_matcher()
        except (JournalError, TimeoutError):
            return b""
        is_theirs = await asyncio.to_thread(matcher.matches, "", raw, is_readable=False)
        return b"" if is_theirs else raw

    def _authorize(self, exchange: Exchange, environment: str) -> frozenset[str]:
        authorized = self._auth.authenticate(exchange)  # first: a client without a token must not learn names
        if environment and not self._handler.has_environment(environment):
            raise HTTPRejectionError(404, f"there is no environment {environment[:40]!r} here")
        if environment and environment not in authorized:
            raise self._auth.wrong_token_error(environment)
        return authorized

    def _on_rejection(self, rejection: Rejection) -> None:
        if rejection.path not in HEALTH_PATHS:
            self.metrics.record_status(rejection.status)
