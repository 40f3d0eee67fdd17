"""Tracking API client: sends one batch to Segment and classifies the response."""

from __future__ import annotations

import asyncio
import base64
import gzip as gzip_codec
import re
import time
from types import TracebackType
from typing import Self

import httpx
import msgspec

from sprig_tui.clock import Clock
from sprig_tui.http.client import Secret, host_of, make_client, read_body, redirect_host
from sprig_tui.http.errors import PROXY_AUTH_REQUIRED, describe_error
from sprig_tui.http.retry_after import retry_after
from sprig_tui.segment.outcome import NO_RESPONSE, Outcome, OutcomeKind, classify, plain_error
from sprig_tui.segment.timestamps import format_iso
from sprig_tui.text import redact, without_controls

MAX_RESPONSE_BYTES = 65_536
"""What is read of an answer's body; the connection of a longer one is dropped."""
MAX_EXCERPT_BYTES = 1_024
_KEEP_ALIVE_S = 15.0
"""Below what load balancers keep an idle connection (60 s), so that we do not send into one that is being closed."""
SUCCESS_FALSE_ERROR = 'answered "success": false'
"""The error of an answer that counts as delivered all the same."""
_HTML_START = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class SendResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request."""

    kind: OutcomeKind
    status: int = 0
    """HTTP status; 0 where none came."""
    error: str = ""
    """Such as `invalid_request`, `http 503` or `connection reset`.

    Empty when delivered, unless the answer said `"success": false` under a 2xx: Segment's clients look at the status
    alone, so it counts as delivered, and this keeps what the body said.
    """
    excerpt: str = ""
    """The first 1,024 bytes of the answer's body as text; the Write Key, should it be echoed, is blotted out."""
    retry_after_s: float | None = None
    """Seconds Segment asks us to wait, at most 300; None where it does not say."""
    latency_ms: float = 0.0
    body_bytes: int = 0
    """Bytes of the request's body as sent (compressed, where gzip is on)."""
    bisect: bool = False
    """See `Outcome.bisect`."""
    endpoint_fault: bool = False
    """See `Outcome.endpoint_fault`."""
    final: bool = False
    """See `Outcome.final`."""

    @property
    def unconfirmed(self) -> bool:
        """Whether it counts as delivered although its body says otherwise."""
        return self.kind == "delivered" and bool(self.error)


class TrackingClient:
    """One environment's way to Segment: `async with TrackingClient(base_url, key, clock=...) as client`.

    `base_url` has no `/v1`. `timeout` is seconds for each phase of a request (waiting for a connection, connecting,
    writing, each read), `deadline` seconds for all of it, four times that unless given. Proxies and trust are those
    of `make_client`. Redirects are not followed: one means a wrong URL or a network's
    sign-in page, so its kind is `retry` with `endpoint_fault`, the events wait, and none is lost.
    Raises ConfigError for an address that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        write_key: Secret,
        *,
        clock: Clock,
        timeout: float = 15.0,
        deadline: float | None = None,
        connections: int = 4,
        gzip: bool = False,
    ) -> None:
        self._host = host_of(base_url, "the endpoint", "use us, eu or a URL")
        self._key = write_key.reveal()
        self._token = base64.b64encode(f"{self._key}:".encode()).decode()
        self._clock = clock
        self._timeout = timeout
        self._deadline = 4 * timeout if deadline is None else deadline
        self._gzip = gzip
        self._url = base_url.rstrip("/") + "/v1/batch"
        headers = {
            "Authorization": f"Basic {self._token}",
            "Content-Type": "application/json",
            # a compressed response could expand without bound, and its excerpt would be unreadable
            "Accept-Encoding": "identity",
        }
        if gzip:
            headers["Content-Encoding"] = "gzip"
        self._http = make_client(
            base_url,
            headers=headers,
            timeout=timeout,
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=_KEEP_ALIVE_S,
            ),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    async def close(self) -> None:
        """Drop every connection."""
        await self._http.aclose()

    async def send_batch(self, payload: bytes, retry_count: int = 0) -> SendResult:
        """POST the events in `payload` (encoded track calls joined by commas); `retry_count` is 0 the first time.

        Network trouble is an Answer too: nothing is raised for it. `sentAt` is the clock's time at this call, as
        Segment's correction of timestamps asks (facts: common spec).
        """
        body = b'{"batch":[' + payload + b'],"sentAt":"' + format_iso(self._clock.now()).encode() + b'"}'
        if self._gzip:
            body = gzip_codec.compress(body, compresslevel=1, mtime=0)
        headers = {"X-Retry-Count": str(retry_count)} if retry_count > 0 else None
        started = time.perf_counter()
        answered: httpx.Response | None = None
        start = bytearray()
        error_text = ""
        try:
            async with asyncio.timeout(self._deadline):
                async with self._http.stream("POST", self._url, content=body, headers=headers) as answered:
                    await read_body(answered.aiter_raw(), start, MAX_RESPONSE_BYTES)
        except TimeoutError:
            error_text = f"no answer within {self._deadline:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            error_text = describe_error(error, host=self._host, timeout_s=self._timeout)
        latency_ms = (time.perf_counter() - started) * 1000
        if answered is None:
            return _send_result(NO_RESPONSE, error=error_text, latency_ms=latency_ms, body_bytes=len(body))
        # The status decides: a body that breaks off does not change what the server did.
        return self._result(answered, self._without_key(start.decode(errors="replace")), latency_ms, len(body))

    def _result(self, response: httpx.Response, text: str, latency_ms: float, body_bytes: int) -> SendResult:
        page = _is_web_page(response.headers.get("content-type", ""), text)
        outcome = classify(response.status_code, web_page=page)
        wait = retry_after(response.headers, now_ms=self._clock.now()) if outcome.kind == "retry" else None
        return _send_result(
            outcome,
            status=response.status_code,
            error=_denial_text(text) if outcome.kind == "delivered" else self._error_text(response, text),
            excerpt=text.encode()[:MAX_EXCERPT_BYTES].decode(errors="ignore"),
            retry_after_s=wait,
            latency_ms=latency_ms,
            body_bytes=body_bytes,
        )

    def _error_text(self, response: httpx.Response, text: str) -> str:
        status = response.status_code
        if 300 <= status < 400:
            host = self._without_key(without_controls(redirect_host(response, self._host)))
            return f"redirected to {host[:100]}: check the endpoint"
        if status == 407:
            return PROXY_AUTH_REQUIRED
        if 200 <= status < 300:
            return f"http {status} with a web page: check the endpoint"
        return _error_code(text) or plain_error(status)

    def _without_key(self, text: str) -> str:
        return redact(text, (self._token, self._key, self._key.lower()), replacement="…")


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


def _is_web_page(content_type: str, text: str) -> bool:
    """Whether an answer is a web page, by its own word or by how it begins."""
    named = content_type.partition(";")[0].strip().lower()
    return named in ("text/html", "application/xhtml+xml") or bool(_HTML_START.match(text))


def _denial_text(text: str) -> str:
    """What the body of a 2xx says against its status; empty where it says nothing of the kind."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return SUCCESS_FALSE_ERROR if isinstance(found, dict) and found.get("success") is False else ""


def _error_code(text: str) -> str:
    """The `code` of an error body, else its `message`; error bodies are not documented, so anything may come."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    code = found.get("code")
    if isinstance(code, str) and _ERROR_CODE.fullmatch(code):
        return code
    message = next((found[key] for key in ("message", "error") if isinstance(found.get(key), str)), "")
    return without_controls(message)[:120]
