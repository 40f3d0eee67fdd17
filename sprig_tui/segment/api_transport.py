"""HTTP of Segment's own APIs (Public API, Profile API): attempts, rate limits, and errors that say what was asked.

| response                | what happens                                                                              |
|-------------------------|-------------------------------------------------------------------------------------------|
| 200; 201 of a write     | its body                                                                                  |
| none, half, 408, 5xx    | up to MAX_TRIES attempts, then SegmentApiUnreachableError                                 |
| the same, of a creation | SegmentWriteUnknownError after one attempt, unless no connection was made                 |
| 429                     | Retry-After, else `msBeforeNext`, else X-RateLimit-Reset, else 5 s; then the next attempt |
| larger than 32 MB       | OversizedAnswerError                                                                      |
| any other               | SegmentApiError with its status                                                           |

A response that says that no points are left (X-RateLimit-Remaining) delays the next request until X-RateLimit-Reset.
All waits together are at most `max_wait_s`; what several requests wait for at the same time counts once. The wait for a
limit that is longer is an error, that for points is left out, since the API may still answer. Facts:
docs.segmentapis.com (Error Handling, Rate Limits).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple, Self

from sprig_tui.clock import Clock
from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError, SegmentWriteUnknownError
from sprig_tui.http import MAX_RETRY_AFTER_S
from sprig_tui.http.client import host_of, make_client, read_body
from sprig_tui.http.errors import describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.retry_after import parse_http_date, retry_after
from sprig_tui.segment.public_api_json import ErrorText, parse_errors, to_number
from sprig_tui.text import excerpt, redact

MAX_BODY_BYTES = 32_000_000
"""Bytes read of a response: each source has the whole metadata of its kind, about 10 KB."""
MAX_TRIES = 3
"""Attempts of one request that gets no response, or a transient error."""
MAX_RATE_LIMIT_WAIT_S = 120.0
"""Total of all waits of one client that the API asks for, unless its user allows more."""
MAX_RATE_LIMITS = 20
"""429 in a row for one request."""
_MIN_BACKOFF_S = 0.5
_DEFAULT_RATE_LIMIT_WAIT_S = 5.0
"""Wait after a 429 that names none."""
_JSON = "application/json"
TOKEN_HINT = "it may be revoked, lack the permission for this, or belong to the other region: sprig-tui keys workspace"  # noqa: S105

Sleep = Callable[[float], Awaitable[None]]


class Request(NamedTuple):
    """One request."""

    label: str
    """For people and for SegmentApiError.request: method and route without ids, such as `GET /sources/{id}`."""
    path: str
    """Path with its ids, percent-encoded."""
    query: Sequence[tuple[str, str]] = ()
    accept: str = ""
    """Accept header; empty for that of the client."""
    body: bytes | None = None
    """JSON to send; None for a GET."""
    method: str = "POST"
    """Of a request with a body."""
    repeatable: bool = True
    """Whether it may be sent again without a response to the first: false for what makes something."""


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    network_error: str = ""
    """Why there is no response; the status is then 0."""
    connected: bool = True
    """False where no connection was made, so that nothing was sent."""


class ApiAddress(NamedTuple):
    """Address of an API, and what errors say about it."""

    url: str
    noun: str = "the address of Segment's Public API"
    hint: str = "check [segment] region"
    token_hint: str = TOKEN_HINT


class ApiTransport:
    """Requests to one address. Cancelling at any await leaves nothing behind.

    `secrets` are removed from all error texts. `timeout` is seconds for each phase of a request; the whole request
    may take four times that. Redirects are not followed, so that the token goes only to the given address. `on_wait`
    gets the seconds of each wait, unless others wait as long already. Raises ConfigError for an address or machine
    settings that cannot be used.
    """

    def __init__(
        self,
        address: ApiAddress,
        headers: Mapping[str, str],
        secrets: Collection[str],
        *,
        clock: Clock,
        timeout: float,
        sleep: Sleep,
        on_wait: Callable[[float], None],
        max_wait_s: float = MAX_RATE_LIMIT_WAIT_S,
    ) -> None:
        self._address = address
        self._url = address.url.rstrip("/")
        self._secrets = tuple(secrets)
        self._clock = clock
        self._timeout = timeout
        self._sleep = sleep
        self._on_wait = on_wait
        self._wait_budget_s = max_wait_s
        self._points_wait_until_ms = 0.0
        self._waits_until_s: list[float] = []
        """Ends of the waits that are under way, seconds since 1970."""
        self.host = host_of(self._url, address.noun, address.hint)
        self.requests = 0
        """Requests that were sent so far, repeated attempts included."""
        self.clock_ahead_s: float | None = None
        """This clock minus the server's, by the Date of the last response, which is exact to a second; None without."""
        self._http = make_client(self._url, headers=headers, timeout=timeout)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    def hide(self, secrets: Iterable[str]) -> None:
        """Remove these from error texts too."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *filter(None, secrets))))

    async def send(self, request: Request) -> bytes:
        """The body of a success; raises SegmentApiError, whose `status` tells rejections apart."""
        tries, limits, pause = 0, 0, _MIN_BACKOFF_S
        while True:
            await self._wait_for_points()
            response = await self._exchange(request)
            self._note_points(response.headers)
            self._note_date(response.headers)
            if response.status == 200 or (response.status == 201 and request.body is not None):
                return response.body
            if response.status == 429:
                limits += 1
                await self._wait_for_rate_limit(request, response, is_last=limits >= MAX_RATE_LIMITS)
                continue
            if response.status and response.status != 408 and response.status < 500:
                raise self._rejection(request, response)
            tries += 1
            what = response.network_error or f"{response.status} {self._error_text(response.body)}".strip()
            if response.connected and not request.repeatable:
                raise self.write_unknown(request, what, response.status)
            if tries >= MAX_TRIES:
                raise SegmentApiUnreachableError(
                    f"no answer from {self.host}: {what}",
                    hint=f"check the network and {self._address.hint.removeprefix('check ')}; try again",
                    status=response.status,
                    request=request.label,
                )
            await self._sleep(pause)
            pause *= 4

    def write_unknown(self, request: Request, what: str, status: int = 0) -> SegmentWriteUnknownError:
        """The error of a write whose end is not known; `what` came in place of a response."""
        return SegmentWriteUnknownError(
            f"no usable answer from {self.host} to {request.label}: {what}; it may have happened all the same",
            hint="look in Segment before it is repeated",
            status=status,
            request=request.label,
        )

    async def _exchange(self, request: Request) -> _Response:
        body = bytearray()
        headers = {"Accept": request.accept} if request.accept else {}
        if request.body:
            headers["Content-Type"] = request.accept.partition(",")[0] or _JSON
        self.requests += 1
        try:
            async with asyncio.timeout(4 * self._timeout):
                async with self._http.stream(
                    "GET" if request.body is None else request.method,
                    self._url + request.path,
                    params=list(request.query),
                    headers=headers,
                    content=request.body,
                ) as response:
                    whole = await read_body(response.aiter_bytes(), body, MAX_BODY_BYTES)
        except TimeoutError:
            return _Response(0, {}, b"", f"none within {4 * self._timeout:g} s")
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            connected = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
            what = describe_error(error, host=self.host, timeout_s=self._timeout)
            return _Response(0, {}, b"", what, connected)
        if not whole and not request.repeatable:
            return _Response(0, {}, b"", f"it is larger than {MAX_BODY_BYTES // 1_000_000} MB")
        if not whole:
            raise OversizedAnswerError(
                f"the answer of {self.host} to {request.label} is larger than {MAX_BODY_BYTES // 1_000_000} MB",
                hint=self._address.hint,
                request=request.label,
            )
        return _Response(response.status_code, response.headers, bytes(body))

    async def _wait_for_points(self) -> None:
        seconds = (self._points_wait_until_ms - self._clock.now()) / 1000
        self._points_wait_until_ms = 0.0
        if seconds > 0 and self._added_wait(seconds) <= self._wait_budget_s:
            await self._wait(seconds)

    def _note_points(self, headers: Mapping[str, str]) -> None:
        """Remember when there are points again, if a response says that none are left."""
        remaining = to_number(headers.get("x-ratelimit-remaining"))
        if remaining is None or remaining >= 1:
            return
        seconds = self._seconds_to_reset(headers)
        if seconds:
            self._points_wait_until_ms = self._clock.now() + 1000 * min(seconds, MAX_RETRY_AFTER_S)

    def _note_date(self, headers: Mapping[str, str]) -> None:
        date = parse_http_date(headers.get("date", ""))
        if date is not None:
            self.clock_ahead_s = self._clock.now() / 1000 - date

    async def _wait_for_rate_limit(self, request: Request, response: _Response, *, is_last: bool) -> None:
        self._points_wait_until_ms = 0.0
        named = (
            retry_after(response.headers, now_ms=self._clock.now())
            or parse_errors(response.body).wait_s
            or self._seconds_to_reset(response.headers)
        )
        seconds = min(max(named or _DEFAULT_RATE_LIMIT_WAIT_S, _MIN_BACKOFF_S), MAX_RETRY_AFTER_S)
        if is_last or self._added_wait(seconds) > self._wait_budget_s:
            raise SegmentApiUnreachableError(
                f"{self.host} limits requests, and asks to wait {seconds:.0f} s",
                hint="try again after that",
                status=429,
                request=request.label,
            )
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        added = self._added_wait(seconds)
        self._wait_budget_s -= added
        if not self._waits_until_s or added >= 1:
            self._on_wait(seconds)
        until_s = self._clock.now() / 1000 + seconds
        self._waits_until_s.append(until_s)
        try:
            await self._sleep(seconds)
        finally:
            self._waits_until_s.remove(until_s)

    def _added_wait(self, seconds: float) -> float:
        """By how much this wait is longer than those that are under way."""
        remaining = max(self._waits_until_s, default=0.0) - self._clock.now() / 1000
        return min(seconds, max(0.0, seconds - remaining))

    def _seconds_to_reset(self, headers: Mapping[str, str]) -> float | None:
        """X-RateLimit-Reset is a date here (RFC 5322), unlike in the Tracking API."""
        try:
            moment = parsedate_to_datetime(headers.get("x-ratelimit-reset", "")).timestamp()
        except (ValueError, OverflowError):
            return None
        seconds = moment - self._clock.now() / 1000
        return seconds if seconds > 0 else None

    def _rejection(self, request: Request, response: _Response) -> SegmentApiError:
        status, label = response.status, request.label
        told = parse_errors(response.body)
        text = self._error_text(response.body)
        detail = f": {text}" if text else ""
        host, hint = self.host, self._address.hint
        match status:
            case 401 | 403:
                message, hint = f"{host} refuses the token for {label} ({status}){detail}", self._address.token_hint
            case 404:
                message = f"{host} knows no {label} (404){detail}"
                hint = f"it may be deleted, or belong to another workspace; {hint}"
            case 409:
                message = f"{host} reports a conflict for {label} (409){detail}"
                hint = "something else changes it at this moment; try again"
            case 413:
                message, hint = f"{host} finds the content of {label} too large (413){detail}", "ask for less"
            case 400 | 422:
                message = f"{host} does not accept {label} ({status}){detail}"
                hint = f"{hint}; the API may have changed since this version of sprig-tui"
            case _ if 300 <= status < 400:
                message = f"{host} answers {label} with a redirect ({status}), which is not followed"
                hint = f"{hint}, and whether this network asks to sign in"
            case _:
                message = f"{host} answers {label} with {status}{detail}"
        return RejectedRequestError(message, hint=hint, status=status, request=label, told=told)

    def _error_text(self, body: bytes) -> str:
        return excerpt(redact(parse_errors(body).message, self._secrets), 200)


class ApiClient:
    """Client of one of Segment's APIs; `async with` closes its connections."""

    _transport: ApiTransport

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.close()

    @property
    def requests(self) -> int:
        """Requests that were sent so far, repeated attempts included."""
        return self._transport.requests


class OversizedAnswerError(SegmentApiError):
    """The answer is larger than what is read of one."""


class RejectedRequestError(SegmentApiError):
    """A rejection with what its body says."""

    def __init__(self, message: str, *, hint: str, status: int, request: str, told: ErrorText) -> None:
        super().__init__(message, hint=hint, status=status, request=request)
        self.fields = told.fields
        self.told = told.message
        """Segment's own words, as they came; they may name what was sent."""
