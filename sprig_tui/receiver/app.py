"""The receiver's routes: webhooks in, and what monitors ask."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sprig_tui.receiver.body import SenderGoneError, check_kind, read_body
from sprig_tui.receiver.complaints import Complaints
from sprig_tui.receiver.guard import Guard
from sprig_tui.receiver.limits import Hand, Limits
from sprig_tui.receiver.reception import Receipt
from sprig_tui.receiver.refusals import RefusedError

_ADVICE = {404: "there is nothing here; webhooks go to /webhooks/ENVIRONMENT or /webhooks", 405: "webhooks are POSTed"}
_GONE = 499
"""What the meters call a request whose sender left; it is never sent (nginx made the number)."""

_log = logging.getLogger(__name__)


class Health(Protocol):
    """What monitors are told."""

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether webhooks can be stored now, and what there is to know."""

    async def metrics(self) -> tuple[bytes, str]:
        """The text for Prometheus, and its content type."""


class Desk(Protocol):
    """Where bodies go; see Reception."""

    def serves(self, environment: str) -> bool:
        """Whether there is an environment of this name."""

    async def take(self, raw: bytes, environment: str, opened: frozenset[str]) -> Receipt:
        """Store what a body holds."""


Kept = Callable[[Request, bytes, int], None]
"""Hears each webhook request with the part of its body that was read, and its status."""


class Receiver:
    """The ASGI app (`app`), and what may change while it runs."""

    def __init__(
        self,
        desk: Desk,
        guard: Guard,
        health: Health,
        limits: Limits | None = None,
        *,
        keep: Kept | None = None,
        answered: Callable[[int, float], None] = lambda _status, _seconds: None,
    ) -> None:
        self.guard = guard
        self.hand = Hand((limits or Limits()).bytes_in_hand)
        self.stopping = False
        """Said by `/readyz`, so that nothing new is sent here."""
        self._desk = desk
        self._health = health
        self._limits = limits or Limits()
        self._keep = keep
        self._answered = answered
        self._complaints = Complaints()
        self.app = Starlette(
            routes=[
                Route("/webhooks", self._webhook, methods=["POST"]),
                Route("/webhooks/", self._webhook, methods=["POST"]),
                Route("/webhooks/{environment}", self._webhook, methods=["POST"]),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/readyz", self._readyz, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
            ],
            exception_handlers={RefusedError: _refused, HTTPException: _http, Exception: _fault},
        )
        self.app.router.redirect_slashes = False

    # -- webhooks -------------------------------------------------------------------------------------------------

    async def _webhook(self, request: Request) -> Response:
        started = time.perf_counter()
        raw = b""
        status = 500
        try:
            opened = self._admit(request)
            check_kind(request)
            raw = await read_body(request, self._limits, self.hand)
            receipt = await self._desk.take(raw, request.path_params.get("environment", ""), opened)
        except RefusedError as error:
            status = error.status
            sender = request.client.host if request.client else "an unknown sender"
            self._complaints.hear(status, request.url.path, sender, error.message)
            raise
        except SenderGoneError:
            status = _GONE
            return Response(status_code=400)
        else:
            status = 200
            return _received(receipt)
        finally:
            self.hand.give_back(len(raw))
            self._answered(status, time.perf_counter() - started)
            if self._keep is not None:
                self._keep(request, raw, status)

    def _admit(self, request: Request) -> frozenset[str]:
        header = request.headers.get("authorization")
        opened = self.guard.admit(header)  # first of all: strangers learn no names
        environment = request.path_params.get("environment", "")
        if environment and not self._desk.serves(environment):
            raise RefusedError(404, f"there is no environment {environment[:40]!r} here")
        if environment and environment not in opened:
            raise self.guard.wrong_token(environment)
        return opened

    # -- what monitors ask ----------------------------------------------------------------------------------------

    async def _healthz(self, _: Request) -> Response:
        return _json({"alive": True})

    async def _readyz(self, request: Request) -> Response:
        ready, facts = await self._health.ready()
        ready = ready and not self.stopping
        told = {"ready": ready, "stopping": self.stopping, **(facts if self._trusts(request) else {})}
        return _json(told, 200 if ready else 503)

    async def _metrics(self, request: Request) -> Response:
        if not self._trusts(request):
            self.guard.admit(request.headers.get("authorization"))
        text, kind = await self._health.metrics()
        return Response(text, media_type=kind)

    def _trusts(self, request: Request) -> bool:
        """Names and numbers are for whoever holds a token, where strangers may ask."""
        if self.guard.trusting:
            return True
        try:
            self.guard.admit(request.headers.get("authorization"))
        except RefusedError:
            return False
        return True


def _received(receipt: Receipt) -> Response:
    return _json({"queued": receipt.queued, "known": receipt.known, "withheld": receipt.withheld})


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - what starlette calls it with
    return error.answer()


async def _http(_: Request, error: Exception) -> Response:
    """Paths and methods that are not ours."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what starlette calls it with
    message = _ADVICE.get(error.status_code, error.detail)
    return RefusedError(error.status_code, message, headers=error.headers or {}).answer()


async def _fault(_: Request, error: Exception) -> Response:
    _log.error("a request ended in an internal error: %s", type(error).__name__, exc_info=error)
    return RefusedError(500, "internal error; send it again").answer()
