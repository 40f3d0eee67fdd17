"""HTTP responses, rejections among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct


class Response(Struct, frozen=True):
    """A whole response; the connection adds its length, the date, and `Connection: close` where it closes."""

    body: bytes = b""
    status: int = 200
    content_type: str = ""
    """Empty for none."""
    headers: tuple[tuple[str, str], ...] = ()
    closes_connection: bool = False


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
        body = msgspec.json.encode({"error": self.message, **self.extra})
        headers = tuple(self.headers.items())
        return Response(body, self.status, "application/json", headers, closes_connection=not self.body_read)


def json_response(value: Any, status: int = 200) -> Response:
    """A response with this value as its body."""
    return Response(msgspec.json.encode(value), status, "application/json")
