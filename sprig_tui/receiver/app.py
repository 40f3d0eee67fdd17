"""The receiver's routes: webhooks in, beside what monitors ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sprig_tui.receiver.body import ClientDisconnectedError, check_content_type, read_body
from sprig_tui.receiver.limits import BufferBudget, WebhookLimits
from sprig_tui.receiver.reception import Receipt
from sprig_tui.serving.answers import create_app, json_response
from sprig_tui.serving.guard import BearerAuth
from sprig_tui.serving.monitors import HealthRoutes
from sprig_tui.serving.refusals import HTTPRejectionError, OnRejection

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
