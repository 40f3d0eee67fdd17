"""Sprig's REST API: carries one request, and says what its answer means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Literal, Protocol, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from sprig_tui.clock import Clock
from sprig_tui.errors import ConfigError
from sprig_tui.http.client import make_client
from sprig_tui.http.retry_after import retry_after
from sprig_tui.http.trouble import describe_error
from sprig_tui.text import redact

RESPONSES_PATH = "/v1/responses"
SURVEYS_PATH = "/v1/surveys"
MAX_BODY_BYTES = 64_000_000
"""What is read of an answer: a page of 1,000 records with snapshots has some 2 MB."""
MAX_ERROR_BYTES = 65_536
TIMEOUT_S = 30.0
_KEEP_ALIVE_S = 15.0
_URL_HINT = "such as https://api.sprig.com"

ApiResponseKind = Literal["ok", "none", "key-refused", "limited", "too-large", "refused", "retry"]
"""`none` is 404, which on a list means that nothing matches; `limited` is 429."""


class Secret(Protocol):
    """An API key that does not print itself."""

    def reveal(self) -> str:
        """The key's text."""
        ...


class ApiResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request."""

    kind: ApiResponseKind
    status: int = 0
    """HTTP status; 0 where none came."""
    body: bytes = b""
    """The whole body of a 2xx answer, uncompressed; else empty."""
    error: str = ""
    """Such as `http 503`, `connection reset` or what the answer says; never holds the key."""
    retry_after_s: float | None = None
    """Seconds that Sprig asks us to wait, at most 300 (none is documented; proxies send it)."""
    latency_ms: float = 0.0


class SprigClient:
    """One environment's way to Sprig's REST API: `async with SprigClient(url, key, clock=...) as client`.

    `base_url` has no `/v1`. The key goes as `Authorization: Bearer`, and chooses Production or Development (Sprig API
    v2.2.1, overview). `timeout` is seconds for each phase of a request, `deadline` for all of it. Proxies and
    trust are those of `make_client`, redirects are not followed, and bodies are read up to `max_body` bytes.
    Raises ConfigError for an address that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        clock: Clock,
        timeout: float = TIMEOUT_S,
        deadline: float | None = None,
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self._url = base_url.rstrip("/")
        self._host = _host_of(self._url)
        self._key = key.reveal()
        self._clock = clock
        self._timeout = timeout
        self._deadline = 4 * timeout if deadline is None else deadline
        self._max_body = max_body
        self._http = make_client(
            self._url,
            headers={
                "Authorization": f"Bearer {self._key}",
                "Accept": "application/json",
                # gzip alone: what it unfolds to is bounded by the part that is read at once (64 KB, times 1,032)
                "Accept-Encoding": "gzip",
                "User-Agent": f"sprig-tui/{_version()}",
            },
            timeout=timeout,
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=_KEEP_ALIVE_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        await self._http.aclose()

    async def get(self, path: str, parameters: Mapping[str, str]) -> ApiResponse:
        """GET one page; network trouble is an answer too: nothing is raised for it."""
        started = time.perf_counter()
        body, trouble, over = b"", "", False
        answered: httpx.Response | None = None
        try:
            async with asyncio.timeout(self._deadline):
                async with self._http.stream("GET", self._url + path, params=dict(parameters)) as answered:
                    body, over = await self._read_body(answered)
        except TimeoutError:
            trouble = f"no whole answer within {self._deadline:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            trouble = describe_error(error, host=self._host, timeout_s=self._timeout)
        latency_ms = (time.perf_counter() - started) * 1000
        if answered is None:
            return ApiResponse(kind="retry", error=trouble, latency_ms=latency_ms)
        return self._to_response(answered, body, trouble, truncated=over, latency_ms=latency_ms)

    async def _read_body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """The body, and whether it went on beyond the limit."""
        limit = self._max_body if response.is_success else MAX_ERROR_BYTES
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("gzip", "identity", ""):
            return b"", False
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > limit:
                return b"".join(parts)[:limit], True
        return b"".join(parts), False

    def _to_response(
        self, response: httpx.Response, body: bytes, network_error: str, *, truncated: bool, latency_ms: float
    ) -> ApiResponse:
        status = response.status_code
        kind = classify(status)
        if kind == "ok" and truncated:
            kind, network_error = "too-large", f"more than {self._max_body:,} bytes"
        elif kind == "ok" and network_error:
            kind = "retry"
        elif kind == "ok":
            encoding = response.headers.get("content-encoding", "identity").strip().lower()
            if encoding not in ("gzip", "identity", ""):
                kind, network_error = "refused", "the answer is compressed in a way that was not asked for"
        waits = kind in ("limited", "retry")
        return ApiResponse(
            kind=kind,
            status=status,
            body=body if kind == "ok" else b"",
            error="" if kind == "ok" else network_error or self._error_text(response, body),
            retry_after_s=retry_after(response.headers, now_ms=self._clock.now()) if waits else None,
            latency_ms=latency_ms,
        )

    def _error_text(self, response: httpx.Response, body: bytes) -> str:
        status = response.status_code
        if 300 <= status < 400:
            try:
                host = urlsplit(response.headers.get("location", "")).hostname or self._host
            except ValueError:
                host = self._host
            return f"redirected to {_clean(redact(host, (self._key,), replacement='…'))[:100]}"
        words = _clean(redact(_error_message(body), (self._key,), replacement="…"))[:200]
        return f"{status}: {words}" if words else f"http {status}"


def classify(status: int) -> ApiResponseKind:
    """The meaning of a final HTTP status on a list of Sprig's (facts: errors of API v2.2.1).

    403 is a missing or wrong key (there, and not 401), 429 the rate limit, 404 a query that nothing matches in the
    older documentation. 407 (a proxy's), 408, 5xx and anything outside the known families pass; other 4xx and
    redirects do not.
    """
    if 200 <= status < 300:
        return "ok"
    known: dict[int, ApiResponseKind] = {401: "key-refused", 403: "key-refused", 404: "none", 429: "limited"}
    known |= {407: "retry", 408: "retry"}
    if status in known:
        return known[status]
    return "refused" if 300 <= status < 500 else "retry"


def _error_message(body: bytes) -> str:
    """The words of `{"error": "..."}`, or of the older API's list of texts; empty for anything else."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if isinstance(found, dict):
        found = found.get("error") or found.get("message")
    if isinstance(found, list):
        found = "; ".join(one for one in found if isinstance(one, str))
    return found if isinstance(found, str) else ""


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _host_of(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        httpx.URL(base_url)
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            "the api url is not an address that can be used", hint="such as https://api.sprig.com"
        ) from error
    if "@" in parts.netloc or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the api url is not an http or https address", hint=_URL_HINT)
    return parts.hostname


def _version() -> str:
    try:
        return version("sprig-tui")
    except PackageNotFoundError:
        return "0"
