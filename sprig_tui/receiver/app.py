"""The receiver's routes: webhooks in, beside what monitors ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sprig_tui.receiver.body import SenderGoneError, check_kind, read_body
from sprig_tui.receiver.limits import Hand, Limits
from sprig_tui.receiver.reception import Receipt
from sprig_tui.serving.answers import application, json_answer
from sprig_tui.serving.guard import Guard
from sprig_tui.serving.monitors import Monitors
from sprig_tui.serving.refusals import OnRefusal, RefusedError

_ADVICE = {404: "there is nothing here; webhooks go to /webhooks/ENVIRONMENT or /webhooks", 405: "webhooks are POSTed"}
_GONE = 499
"""What the meters call a request whose sender left; it is never sent (nginx made the number)."""


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
        monitors: Monitors,
        limits: Limits | None = None,
        *,
        refused: OnRefusal,
        counted: Callable[[int], None],
        answered: Callable[[float], None],
        keep: Kept | None = None,
    ) -> None:
        """`refused` hears of each refusal, `counted` of the status of what else was answered, `answered` of times."""
        self.guard = guard
        self.hand = Hand((limits or Limits()).bytes_in_hand)
        self._desk = desk
        self._limits = limits or Limits()
        self._keep = keep
        self._answered = answered
        self._counted = counted
        self.app: ASGIApp = application(
            [
                Route("/webhooks", self._webhook, methods=["POST"]),
                Route("/webhooks/", self._webhook, methods=["POST"]),
                Route("/webhooks/{environment}", self._webhook, methods=["POST"]),
                Route("/webhooks/{environment}/", self._webhook, methods=["POST"]),
                *monitors.routes(),
            ],
            _ADVICE,
            refused,
        )

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
            raise
        except SenderGoneError:
            status = _GONE
            self._counted(status)
            return Response(status_code=400)
        else:
            status = 200
            self._counted(status)
            return _received(receipt)
        finally:
            self.hand.give_back(len(raw))
            self._answered(time.perf_counter() - started)
            if self._keep is not None:
                self._keep(request, raw, status)

    def _admit(self, request: Request) -> frozenset[str]:
        opened = self.guard.admit(request)  # first of all: strangers learn no names
        environment = request.path_params.get("environment", "")
        if environment and not self._desk.serves(environment):
            raise RefusedError(404, f"there is no environment {environment[:40]!r} here")
        if environment and environment not in opened:
            raise self.guard.wrong_token(environment)
        return opened


def _received(receipt: Receipt) -> Response:
    return json_answer({"queued": receipt.queued, "known": receipt.known, "withheld": receipt.withheld})
