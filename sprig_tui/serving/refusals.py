"""Refusals: a status and JSON that says why, wherever in the server a request is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from starlette.responses import Response


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
