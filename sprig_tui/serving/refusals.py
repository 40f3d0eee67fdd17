"""What is answered to a request that is not taken: a status, and JSON that says why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LINGER_SECONDS = 2.0
LINGER_BYTES = 4_000_000
"""How long, and for how much of an unread body, a refused sender is listened to.

Closing a connection with unread bytes resets it, and a reset overtakes the answer: the sender would see a broken
connection instead of what is wrong.
"""


class RefusedError(Exception):
    """The request is not taken. `message` is for the sender: it names nothing of ours."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        body_read: bool = False,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.body_read = body_read
        self.more = dict(more or {})

    def answer(self) -> Response:
        """The answer to send."""
        body = msgspec.json.encode({"error": self.message, **self.more})
        kind = Response if self.body_read else _LastAnswer
        return kind(body, self.status, self.headers, "application/json")


class _LastAnswer(Response):
    """An answer to a request whose body was not read; the connection ends with it."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        await _hear_out(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hear_out(receive: Receive) -> None:
    heard = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while heard <= LINGER_BYTES:
                message = await receive()
                heard += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
