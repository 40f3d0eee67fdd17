"""HTTP responses in JSON, rejections among them, and the ASGI app that sends them."""

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
    """One rejected request, for logs and metrics."""

    status: int
    reason: str
    """For the operator; may hold details that the client must not see."""
    path: str = ""
    """Decoded and untrusted; empty if none was read."""
    sender: str = ""
    """Address of the client."""


OnRejection = Callable[[Rejection], None]


def ignore_rejection(_: Rejection) -> None:
    """The default of `on_rejection`."""


class HTTPRejectionError(Exception):
    """A rejected request. `message` is sent to the client, and names no internal detail."""

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
        """The response; it closes the connection unless the body was read."""
        headers = self.headers if self.body_read else {**self.headers, "connection": "close"}
        return Response(self.to_json(), self.status, headers, "application/json")

    def to_json(self) -> bytes:
        """The JSON body of the response."""
        return msgspec.json.encode({"error": self.message, **self.extra})


_log = logging.getLogger(__name__)


def json_response(value: Any, status: int = 200) -> Response:
    """A response with this value as its body."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def create_app(routes: list[Route], hints: Mapping[int, str], on_rejection: OnRejection) -> Starlette:
    """An ASGI app of these routes; `on_rejection` is called with each rejection.

    `hints` has a message by status for unknown paths and methods.
    """

    def report(request: Request, status: int, reason: str) -> None:
        sender = request.client.host if request.client else ""
        on_rejection(Rejection(status, reason, request.scope["path"], sender))

    async def respond_not_found(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - starlette calls the handler of the error's class
        message = hints.get(error.status_code, error.detail)
        report(request, error.status_code, message)
        return HTTPRejectionError(error.status_code, message, headers=error.headers or {}).to_response()

    async def respond_rejected(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPRejectionError)  # noqa: S101 - as above
        cause = error.__cause__
        report(request, error.status, cause.message if isinstance(cause, SprigTuiError) else error.message)
        return error.to_response()

    async def respond_internal_error(request: Request, error: Exception) -> Response:
        _log.error("a request ended in an internal error: %s", type(error).__name__, exc_info=error)
        report(request, 500, f"internal error: {type(error).__name__}")
        return HTTPRejectionError(500, "internal error; send it again").to_response()

    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPRejectionError: respond_rejected,
            HTTPException: respond_not_found,
            Exception: respond_internal_error,
        },
    )
    app.router.redirect_slashes = False
    return app
