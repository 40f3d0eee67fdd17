"""Request body of a webhook, read within limits of content type, length, time and memory."""

from __future__ import annotations

import asyncio

from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.responses import HTTPRejectionError


class WebhookLimits(ConnectionLimits, frozen=True, kw_only=True):
    """Limits of one receiver. Memory stays under `connections` x 256 KiB (one read each) + `max_buffered_bytes`."""

    body_bytes: int = 1_000_000
    """Longest body; Sprig's are about 1 KB."""
    body_seconds: float = 10.0
    """From the end of the headers to the end of the body."""
    store_seconds: float = 4.0
    """From the end of a body to the response; well under the timeouts of Sprig and of its load balancers."""
    max_buffered_bytes: int = 64_000_000
    """Bodies of all requests that are not yet in the journal."""


class BufferBudget:
    """Bytes of request bodies that are in memory, and their limit."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.used_bytes = 0

    def reserve(self, size: int) -> bool:
        """Count more bytes; False if that exceeds the limit, and nothing is counted then."""
        if self.used_bytes + size > self._max_bytes:
            return False
        self.used_bytes += size
        return True

    def release(self, size: int) -> None:
        """Stop counting bytes that are in the journal, or whose request was rejected."""
        self.used_bytes -= size


BUSY_RETRY_AFTER_S = "1"
"""Retry-After in seconds while the buffer is full."""

_ACCEPTED_CHARSETS = ("", "utf-8", "utf8", "us-ascii")


def check_content_type(exchange: Exchange) -> None:
    """Raise HTTPRejectionError unless the headers announce uncompressed JSON in UTF-8."""
    media, *parameters = (exchange.header(b"content-type") or "").lower().split(";")
    media = media.strip()
    if media != "application/json" and not media.endswith("+json"):
        shown = media[:80] if media.isprintable() else "something else"
        raise HTTPRejectionError(415, f"the content type is {shown or 'not given'}; send application/json")
    charset = next((part.partition("=")[2] for part in parameters if part.strip().startswith("charset")), "")
    if charset.strip().strip('"') not in _ACCEPTED_CHARSETS:
        raise HTTPRejectionError(415, "the charset is not UTF-8, which JSON is written in")
    if (exchange.header(b"content-encoding") or "").lower() not in ("", "identity"):
        raise HTTPRejectionError(415, "the body is compressed; send it as it is")


async def read_body(exchange: Exchange, limits: WebhookLimits, budget: BufferBudget) -> bytes:
    """The body, counted in `budget`; the caller releases its length.

    Raises HTTPRejectionError (408, 413, 503) and ClientDisconnectedError; nothing stays counted then.
    """
    announced = exchange.header(b"content-length") or ""
    if announced.isascii() and announced.isdigit() and (len(announced) > 15 or int(announced) > limits.body_bytes):
        raise _too_long_error(limits)
    buffer = _BodyBuffer(limits, budget)
    try:
        if exchange.body_complete:
            buffer.add(await exchange.read())
        else:
            async with asyncio.timeout(limits.body_seconds):
                while part := await exchange.read():
                    buffer.add(part)
    except TimeoutError:
        budget.release(buffer.length)
        raise HTTPRejectionError(408, f"the body did not come within {limits.body_seconds:g} s") from None
    except BaseException:
        budget.release(buffer.length)
        raise
    return buffer.content()


class _BodyBuffer:
    """The part of one body that has arrived."""

    def __init__(self, limits: WebhookLimits, budget: BufferBudget) -> None:
        self.length = 0
        self._limits = limits
        self._budget = budget
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Add the next part."""
        if self.length + len(chunk) > self._limits.body_bytes:
            raise _too_long_error(self._limits)
        if not self._budget.reserve(len(chunk)):
            raise HTTPRejectionError(
                503, "too much at once; send it again", headers={"retry-after": BUSY_RETRY_AFTER_S}
            )
        self.length += len(chunk)
        self._chunks.append(chunk)

    def content(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


def _too_long_error(limits: WebhookLimits) -> HTTPRejectionError:
    return HTTPRejectionError(413, f"the body is longer than {limits.body_bytes:,} bytes")
