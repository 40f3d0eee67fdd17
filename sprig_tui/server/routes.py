"""Routes of a server: the handler of a request, found by its path and method, and the response to each rejection."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from msgspec import Struct

from sprig_tui.errors import SprigTuiError
from sprig_tui.server.exchange import ClientDisconnectedError, Exchange
from sprig_tui.server.responses import HTTPRejectionError, OnRejection, Rejection, Response

Handler = Callable[[Exchange], Awaitable[Response]]
Application = Callable[[Exchange], Awaitable[Response]]
"""What a connection asks for the response to each request. Raises ClientDisconnectedError where nobody waits for it."""

_log = logging.getLogger(__name__)


class Route(Struct, frozen=True):
    """A handler of some methods. `GET` answers `HEAD` too; the connection leaves the body away."""

    path: str
    """The whole path. One that ends in `/*` stands for any single further segment, with or without a slash after it."""
    handler: Handler
    method: str = "GET"

    @property
    def allowed(self) -> tuple[str, ...]:
        """The methods that it answers."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


class Routes:
    """Application of these routes; `on_rejection` is called with each rejection.

    `hints` has a message by status for unknown paths and methods.
    """

    def __init__(self, routes: Iterable[Route], hints: Mapping[int, str], on_rejection: OnRejection) -> None:
        routes = tuple(routes)
        self._exact = {route.path: route for route in routes if not route.path.endswith("/*")}
        self._by_parent = {route.path[:-1]: route for route in routes if route.path.endswith("/*")}
        self._hints = hints
        self._on_rejection = on_rejection

    async def __call__(self, exchange: Exchange) -> Response:
        """The response of the route's handler, or of a rejection; no error leaves but ClientDisconnectedError."""
        try:
            return await self._handler(exchange)(exchange)
        except HTTPRejectionError as error:
            cause = error.__cause__
            self._report(exchange, error.status, cause.message if isinstance(cause, SprigTuiError) else error.message)
            return error.to_response()
        except ClientDisconnectedError:
            raise
        except Exception as error:  # noqa: BLE001 - the outer edge of a request
            _log.error("a request ended in an internal error: %s", type(error).__name__, exc_info=error)
            self._report(exchange, 500, f"internal error: {type(error).__name__}")
            return HTTPRejectionError(500, "internal error; send it again").to_response()

    def _handler(self, exchange: Exchange) -> Handler:
        head = exchange.head
        route = self._exact.get(head.path) or self._parametrised(head.path)
        if route is None:
            raise HTTPRejectionError(404, self._hints.get(404, "there is nothing here"))
        if head.method not in route.allowed:
            allowed = ", ".join(route.allowed)
            message = self._hints.get(405, f"this is asked by {allowed}")
            raise HTTPRejectionError(405, message, headers={"allow": allowed})
        return route.handler

    def _parametrised(self, path: str) -> Route | None:
        parent, _, segment = path.removesuffix("/").rpartition("/")
        return self._by_parent.get(f"{parent}/") if segment else None

    def _report(self, exchange: Exchange, status: int, reason: str) -> None:
        self._on_rejection(Rejection(status, reason, exchange.head.path, exchange.sender))
