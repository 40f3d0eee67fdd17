"""Tracking API client: sends one batch to Segment and classifies the response."""

from __future__ import annotations

import asyncio
import base64
import gzip as gzip_codec
import re
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from sprig_tui.clock import Clock
from sprig_tui.http.client import Revealable, host_of, redirect_host, user_agent
from sprig_tui.http.direct import Answer
from sprig_tui.http.errors import PROXY_AUTH_REQUIRED, describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.poster import make_poster
from sprig_tui.http.retry_after import retry_after
from sprig_tui.segment.oauth.token_response import AccessToken, TokenFailure
from sprig_tui.segment.oauth.token_source import RENEWAL_STATUSES, TokenSource
from sprig_tui.segment.outcome import NO_RESPONSE, Outcome, OutcomeKind, classify, plain_error
from sprig_tui.segment.timestamps import format_iso
from sprig_tui.text import redact, without_controls

MAX_RESPONSE_BYTES = 65_536
"""Bytes read of a response body; the connection of a longer one is dropped."""
MAX_EXCERPT_BYTES = 1_024
MAX_PLAIN_CHARS = 32
"""Characters of a response that can hold a token only as it is: no token's base64 is as short."""
SUCCESS_FALSE_ERROR = 'answered "success": false'
"""Error of a response that counts as delivered anyway."""
_HTML_START = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class SendResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one request."""

    kind: OutcomeKind
    status: int = 0
    """HTTP status; 0 without a response."""
    error: str = ""
    """Such as `invalid_request`, `http 503` or `connection reset`.

    Empty when delivered, unless a 2xx has `"success": false`: Segment's clients check only the status, so it counts as
    delivered, and this field keeps the contradiction.
    """
    excerpt: str = ""
    """The first 1,024 bytes of the response body as text; an echoed Write Key or token is redacted."""
    retry_after_s: float | None = None
    """Seconds from Retry-After and its like, at most 300; None without them."""
    latency_ms: float = 0.0
    body_bytes: int = 0
    """Bytes of the request body as sent (compressed with gzip on)."""
    # as in `Outcome`
    bisect: bool = False
    endpoint_fault: bool = False
    final: bool = False
    token_failure: TokenFailure | None = None
    """Why there was no OAuth token, so that nothing was sent to the endpoint; else None."""

    @property
    def unconfirmed(self) -> bool:
        """Whether it counts as delivered although the body says otherwise."""
        return self.kind == "delivered" and bool(self.error)


class TrackingClient:
    """Client of one environment: `async with TrackingClient(base_url, key, clock=...) as client`.

    `base_url` has no `/v1`. `timeout` is seconds for each phase of a request (waiting for a connection, connecting,
    writing, each read), `deadline` seconds for the whole request, by default four times that. Proxies and trusted
    certificates are those of `make_client`. Redirects are not followed: a redirect means a wrong URL or a network's
    sign-in page, so its kind is `retry` with `endpoint_fault`, and the events stay queued. With `tokens` each request
    has an OAuth token in place of the Basic header, and the Write Key in its body.
    Raises ConfigError for an address that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        write_key: Revealable,
        *,
        clock: Clock,
        timeout: float = 15.0,
        deadline: float | None = None,
        connections: int = 4,
        gzip: bool = False,
        tokens: TokenSource | None = None,
    ) -> None:
        self._host = host_of(base_url, "the endpoint", "use us, eu or a URL")
        self._key = write_key.reveal()
        self._token = base64.b64encode(f"{self._key}:".encode()).decode()
        self._body_key = b'"writeKey":' + msgspec.json.encode(self._key) + b","
        self._tokens = tokens
        self._clock = clock
        self._timeout = timeout
        self._deadline = 4 * timeout if deadline is None else deadline
        self._gzip = gzip
        headers = {
            "Accept": "*/*",
            "User-Agent": user_agent(),
            "Content-Type": "application/json",
            # a compressed response could expand without bound, and its excerpt would be unreadable
            "Accept-Encoding": "identity",
        }
        if tokens is None:
            headers["Authorization"] = f"Basic {self._token}"
        if gzip:
            headers["Content-Encoding"] = "gzip"
        url = base_url.rstrip("/") + "/v1/batch"
        self._poster = make_poster(url, headers, timeout_s=timeout, connections=connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.aclose()

    async def send_batch(self, payload: bytes, retry_count: int = 0) -> SendResult:
        """POST the events in `payload` (encoded track calls joined by commas); `retry_count` is 0 the first time.

        Network errors are results too and are not raised. `sentAt` is the time of this call, which Segment's correction
        of timestamps requires (facts: common spec).
        """
        if self._tokens is None:
            return await self._post(payload, retry_count, None)
        return await self._send_with_token(self._tokens, payload, retry_count)

    async def _send_with_token(self, tokens: TokenSource, payload: bytes, retry_count: int) -> SendResult:
        """As `send_batch`; a request that may have been rejected for its token is repeated once with a new one."""
        token = await tokens.get()
        if isinstance(token, TokenFailure):
            return _without_token(token)
        result = await self._post(payload, retry_count, token)
        if result.status not in RENEWAL_STATUSES:
            return result
        renewed = await tokens.renew(token, result.status)
        if isinstance(renewed, TokenFailure):
            return _without_token(renewed)
        if renewed is token:
            return result
        return await self._post(payload, retry_count + 1, renewed)

    async def _post(self, payload: bytes, retry_count: int, token: AccessToken | None) -> SendResult:
        key = b"" if token is None else self._body_key
        sent_at = format_iso(self._clock.now()).encode()
        content: tuple[bytes, ...] = (b"{", key, b'"batch":[', payload, b'],"sentAt":"', sent_at, b'"}')
        if self._gzip:
            content = (gzip_codec.compress(b"".join(content), compresslevel=1, mtime=0),)
        body_bytes = sum(map(len, content))
        headers = {"X-Retry-Count": str(retry_count)} if retry_count > 0 else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.text}"
        started = time.perf_counter()
        answer = Answer(MAX_RESPONSE_BYTES)
        error_text = ""
        try:
            async with asyncio.timeout(self._deadline):
                await self._poster.post(content, headers, answer)
        except TimeoutError:
            error_text = f"no answer within {self._deadline:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            error_text = describe_error(error, host=self._host, timeout_s=self._timeout)
        latency_ms = (time.perf_counter() - started) * 1000
        if not answer.status:
            return _send_result(NO_RESPONSE, error=error_text, latency_ms=latency_ms, body_bytes=body_bytes)
        # The status decides: a body that breaks off does not change what the server did.
        text = answer.body.decode(errors="replace")
        secrets = [self._token, self._key, self._key.lower()]
        # the pattern of a long token takes a fifth of a second to make, and nothing of one is in a plain success
        if token is not None and (len(text) > MAX_PLAIN_CHARS or token.text[:8] in text):
            secrets.append(token.text)
        text = redact(text, secrets, replacement="…")
        return self._result(answer, text, secrets, latency_ms, body_bytes)

    def _result(
        self, answer: Answer, text: str, secrets: Sequence[str], latency_ms: float, body_bytes: int
    ) -> SendResult:
        page = _is_web_page(answer.headers.get("content-type", ""), text)
        outcome = classify(answer.status, web_page=page, oauth=self._tokens is not None)
        wait = retry_after(answer.headers, now_ms=self._clock.now()) if outcome.kind == "retry" else None
        return _send_result(
            outcome,
            status=answer.status,
            error=_denial_text(text) if outcome.kind == "delivered" else self._error_text(answer, text, secrets),
            excerpt=text.encode()[:MAX_EXCERPT_BYTES].decode(errors="ignore"),
            retry_after_s=wait,
            latency_ms=latency_ms,
            body_bytes=body_bytes,
        )

    def _error_text(self, answer: Answer, text: str, secrets: Sequence[str]) -> str:
        status = answer.status
        if 300 <= status < 400:
            host = redact(without_controls(redirect_host(answer.headers, self._host)), secrets, replacement="…")
            return f"redirected to {host[:100]}: check the endpoint"
        if status == 407:
            return PROXY_AUTH_REQUIRED
        if 200 <= status < 300:
            return f"http {status} with a web page: check the endpoint"
        return _error_code(text) or plain_error(status)


def _send_result(
    outcome: Outcome,
    *,
    status: int = 0,
    error: str = "",
    excerpt: str = "",
    retry_after_s: float | None = None,
    latency_ms: float,
    body_bytes: int,
) -> SendResult:
    return SendResult(
        kind=outcome.kind,
        status=status,
        error=error,
        excerpt=excerpt,
        retry_after_s=retry_after_s,
        latency_ms=latency_ms,
        body_bytes=body_bytes,
        bisect=outcome.bisect,
        endpoint_fault=outcome.endpoint_fault,
        final=outcome.final,
    )


def _without_token(failure: TokenFailure) -> SendResult:
    """The result where nothing was sent, because there is no token; no event is the cause."""
    return SendResult(
        kind="key-refused" if failure.is_final else "retry",
        error=f"no OAuth token: {failure.error}",
        retry_after_s=failure.retry_after_s or None,
        endpoint_fault=True,
        token_failure=failure,
    )


def _is_web_page(content_type: str, text: str) -> bool:
    """Whether a response is a web page, by its content type or its first characters."""
    named = content_type.partition(";")[0].strip().lower()
    return named in ("text/html", "application/xhtml+xml") or bool(_HTML_START.match(text))


def _denial_text(text: str) -> str:
    """The error of a 2xx whose body says `"success": false`; else empty."""
    try:
        response = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return SUCCESS_FALSE_ERROR if isinstance(response, dict) and response.get("success") is False else ""


def _error_code(text: str) -> str:
    """The `code` of an error body, else its `message`. Error bodies are not documented, so both may be missing."""
    try:
        response = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(response, dict):
        return ""
    code = response.get("code")
    if isinstance(code, str) and _ERROR_CODE.fullmatch(code):
        return code
    message = next((response[key] for key in ("message", "error") if isinstance(response.get(key), str)), "")
    return without_controls(message)[:120]
