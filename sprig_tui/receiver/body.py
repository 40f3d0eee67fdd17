"""Reading one request's body: its kind, its length and its pace are held to their limits while it comes in."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import Message

from sprig_tui.receiver.limits import BufferBudget, WebhookLimits
from sprig_tui.serving.refusals import HTTPRejectionError

BUSY_RETRY_AFTER_S = "1"
"""Seconds to wait when there is too much at once."""

_ACCEPTED_CHARSETS = ("", "utf-8", "utf8", "us-ascii")


class ClientDisconnectedError(Exception):
    """The connection ended before the body did; nobody waits for an answer."""


def check_content_type(request: Request) -> None:
    """Raise HTTPRejectionError unless the headers announce JSON that can be read as it is."""
    media, *parameters = request.headers.get("content-type", "").lower().split(";")
    media = media.strip()
    if media != "application/json" and not media.endswith("+json"):
        named = media[:80] if media.isprintable() else "something else"
        raise HTTPRejectionError(415, f"the content type is {named or 'not given'}; send application/json")
    charset = next((part.partition("=")[2] for part in parameters if part.strip().startswith("charset")), "")
    if charset.strip().strip('"') not in _ACCEPTED_CHARSETS:
        raise HTTPRejectionError(415, "the charset is not UTF-8, which JSON is written in")
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise HTTPRejectionError(415, "the body is compressed; send it as it is")


async def read_body(request: Request, limits: WebhookLimits, budget: BufferBudget) -> bytes:
    """The body, held in `hand`: whoever gets it gives its length back.

    Raises HTTPRejectionError (408, 413, 503) and ClientDisconnectedError; nothing is held then.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 15 or int(announced) > limits.body_bytes):
        raise _too_long_error(limits)
    gathered = _BodyBuffer(limits, budget)
    try:
        async with asyncio.timeout(limits.body_seconds):
            while gathered.add(await request.receive()):
                pass
    except TimeoutError:
        budget.release(gathered.length)
        raise HTTPRejectionError(408, f"the body did not come within {limits.body_seconds:g} s") from None
    except BaseException:
        budget.release(gathered.length)
        raise
    return gathered.content()


class _BodyBuffer:
    """What has come of one body."""

    def __init__(self, limits: WebhookLimits, budget: BufferBudget) -> None:
        self.length = 0
        self._limits = limits
        self._budget = budget
        self._chunks: list[bytes] = []

    def add(self, message: Message) -> bool:
        """Take the next part; False after the last."""
        if message["type"] != "http.request":
            raise ClientDisconnectedError
        chunk: bytes = message.get("body", b"")
        if self.length + len(chunk) > self._limits.body_bytes:
            raise _too_long_error(self._limits)
        if not self._budget.reserve(len(chunk)):
            raise HTTPRejectionError(
                503, "too much at once; send it again", headers={"retry-after": BUSY_RETRY_AFTER_S}
            )
        self.length += len(chunk)
        self._chunks.append(chunk)
        return bool(message.get("more_body", False))

    def content(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


def _too_long_error(limits: WebhookLimits) -> HTTPRejectionError:
    return HTTPRejectionError(413, f"the body is longer than {limits.body_bytes:,} bytes")
