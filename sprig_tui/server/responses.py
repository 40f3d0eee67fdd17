"""Answers that every server of ours gives: JSON, and JSON about what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sprig_tui.errors import SprigTuiError


class Rejection(Struct, frozen=True):
    """One request that was not taken, as it is counted and told of."""

    status: int
    reason: str
    """For the operator: may name what the sender is not told."""
    path: str = ""
    """Decoded, and as hostile as its sender; empty where none was read."""
    sender: str = ""
    """Address."""


OnRejection = Callable[[Rejection], None]


def ignore_rejection(_: Rejection) -> None:
    """Hear of a refusal and do nothing."""


class HTTPRejectionError(Exception):
    """The request is not taken. `message` is for the sender: it names nothing of ours."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        body_read: bool = False,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.body_read = body_read
        self.extra = dict(extra or {})

    def to_response(self) -> Response:
        """The answer to send; where the body was not read the connection ends with it."""
        headers = self.headers if self.body_read else {**self.headers, "connection": "close"}
        return Response(self.to_json(), self.status, headers, "application/json")

    def to_json(self) -> bytes:
        """The JSON to send."""
        return msgspec.json.encode({"error": self.message, **self.extra})


_log = logging.getLogger(__name__)


def json_response(value: Any, status: int = 200) -> Response:
    """An answer whose body is this value."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def create_app(routes: list[Route], hints: Mapping[int, str], on_rejection: OnRejection) -> Starlette:
    """An app of these routes; `refused` hears of each refusal.

    `advice` says by status what is wrong with paths and methods that are not ours.
    """

    def tell(request: Request, status: int, why: str) -> None:
        sender = request.client.host if request.client else ""
        on_rejection(Rejection(status, why, request.scope["path"], sender))

    async def lost(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what starlette calls it with
        message = hints.get(error.status_code, error.detail)
        tell(request, error.status_code, message)
        return HTTPRejectionError(error.status_code, message, headers=error.headers or {}).to_response()

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPRejectionError)  # noqa: S101 - what starlette calls it with
        cause = error.__cause__
        tell(request, error.status, cause.message if isinstance(cause, SprigTuiError) else error.message)
        return error.to_response()

    async def fault(request: Request, error: Exception) -> Response:
        _log.error("a request ended in an internal error: %s", type(error).__name__, exc_info=error)
        tell(request, 500, f"internal error: {type(error).__name__}")
        return HTTPRejectionError(500, "internal error; send it again").to_response()

    app = Starlette(
        routes=routes, exception_handlers={HTTPRejectionError: refuse, HTTPException: lost, Exception: fault}
    )
    app.router.redirect_slashes = False
    return app
