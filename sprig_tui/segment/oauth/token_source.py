"""Source of access tokens: one token for all requests of a client, asked for once at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import Clock
from sprig_tui.errors import ConfigError
from sprig_tui.http import MAX_RETRY_AFTER_S
from sprig_tui.http.client import host_of, make_client, read_body
from sprig_tui.http.errors import describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.retry_after import parse_http_date
from sprig_tui.segment.oauth.assertion import sign_assertion, token_request
from sprig_tui.segment.oauth.private_key import SigningKeyError, problem_hint, problem_text
from sprig_tui.segment.oauth.token_response import AccessToken, TokenFailure, TokenFailureKind, read_token_response

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from sprig_tui.segment.oauth.credentials import OAuthCredentials

MAX_TOKEN_RESPONSE_BYTES = 65_536
MIN_SKEW_S = 5.0
"""Difference of clocks below which a rejected assertion was rejected for another reason."""
BAD_REQUEST_RENEWAL_INTERVAL_S = 300.0
"""A 400 of the Tracking API is mostly about the body: it takes a new token at most this often."""
BAD_REQUEST = 400
RENEWAL_STATUSES = frozenset({BAD_REQUEST, 401, 403, 511})
"""Statuses of the Tracking API after which the official clients drop their token."""


class _Response(Struct, frozen=True):
    result: AccessToken | TokenFailure
    skew_s: float | None = None
    """How far the server's clock is ahead, by its Date; None without one."""


class _Flight:
    """A request for a token, and how many wait for it."""

    def __init__(self, task: asyncio.Task[AccessToken | TokenFailure]) -> None:
        self.task = task
        self.waiting = 0


class TokenSource:
    """Gives the access token of one client; a new one is asked for near its end, or when Segment rejects it.

    `timeout` is seconds for each phase of a request to the token server, four times that for the whole. Nothing has to
    be closed. Raises ConfigError for an address that cannot be used.
    """

    def __init__(self, credentials: OAuthCredentials, *, clock: Clock, timeout: float = 15.0) -> None:
        self._host = host_of(credentials.token_url, "the token server's address", "correct token_url")
        self._credentials = credentials
        self._clock = clock
        self._timeout = timeout
        self._key: RSAPrivateKey | None = None
        self._token: AccessToken | None = None
        self._flight: _Flight | None = None
        self._skew_s = 0.0
        """How far the server's clock is ahead, as the last accepted assertion had it."""
        self._limit: TokenFailure | None = None
        self._limited_until = 0
        self._renewed_for_bad_request_at: int | None = None

    async def get(self) -> AccessToken | TokenFailure:
        """The token; all that wait for one at the same time share one request."""
        now = self._clock.now()
        if self._token is not None and now < self._token.renew_at:
            return self._token
        if self._limit is not None and 0 < self._limited_until - now <= MAX_RETRY_AFTER_S * 1000:
            return replace(self._limit, retry_after_s=(self._limited_until - now) / 1000)
        return await self._fetch_once()

    async def renew(self, rejected: AccessToken, status: int) -> AccessToken | TokenFailure:
        """A token in place of one that the Tracking API rejected with this status.

        It is the same one where a 400 cannot be about the token: another token was taken for a 400 not long ago.
        """
        if status == BAD_REQUEST and self._token is rejected:
            now, last = self._clock.now(), self._renewed_for_bad_request_at
            if last is not None and 0 <= now - last < BAD_REQUEST_RENEWAL_INTERVAL_S * 1000:
                return rejected
            self._renewed_for_bad_request_at = now
        if self._token is rejected:
            self._token = None
        return await self.get()

    async def _fetch_once(self) -> AccessToken | TokenFailure:
        if self._flight is None:
            self._flight = _Flight(asyncio.create_task(self._fetch()))
        flight = self._flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.task.done() or not flight.waiting:
                if self._flight is flight:
                    self._flight = None
                if not flight.task.done():
                    # the last one that waited was cancelled
                    flight.task.cancel()
                    await asyncio.wait((flight.task,))

    async def _fetch(self) -> AccessToken | TokenFailure:
        try:
            if self._key is None:
                # the library takes a fifth of a second to load
                self._key = await asyncio.to_thread(self._credentials.key.load)
            response = await self._ask(self._key, self._skew_s)
            skew_s = response.skew_s
            if (
                isinstance(response.result, TokenFailure)
                and response.result.kind is TokenFailureKind.REJECTED
                and skew_s is not None
                and abs(skew_s - self._skew_s) >= MIN_SKEW_S
            ):
                # rejected as too old or from the future, perhaps: once more by the server's clock
                response = await self._ask(self._key, skew_s)
                if isinstance(response.result, AccessToken):
                    self._skew_s = skew_s
        except SigningKeyError as error:
            text = problem_text(self._credentials.key.path, error.problem, error.detail)
            return TokenFailure(kind=TokenFailureKind.KEY_UNUSABLE, error=f"{text}: {problem_hint(error.problem)}")
        result = response.result
        self._token = result if isinstance(result, AccessToken) else None
        self._limit = result if isinstance(result, TokenFailure) and result.retry_after_s > 0 else None
        if self._limit is not None:
            self._limited_until = self._clock.now() + int(self._limit.retry_after_s * 1000)
        return result

    async def _ask(self, key: RSAPrivateKey, skew_s: float) -> _Response:
        """One request for a token, with an assertion by a clock that is `skew_s` ahead of ours."""
        url = self._credentials.token_url
        asked_at = self._clock.now()
        assertion = sign_assertion(self._credentials, key, asked_at / 1000 + skew_s)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        body = bytearray()
        error_text = ""
        try:
            async with (
                asyncio.timeout(4 * self._timeout),
                make_client(url, timeout=self._timeout, headers=headers) as http,
                http.stream("POST", url, content=token_request(self._credentials, assertion)) as response,
            ):
                complete = await read_body(response.aiter_raw(), body, MAX_TOKEN_RESPONSE_BYTES)
        except TimeoutError:
            error_text = f"no answer within {4 * self._timeout:g} s"
        except ConfigError as error:
            error_text = error.message
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            error_text = describe_error(error, host=self._host, timeout_s=self._timeout)
        if error_text:
            return _Response(TokenFailure(kind=TokenFailureKind.UNREACHABLE, error=error_text))
        now = self._clock.now()
        result = read_token_response(response.status_code, response.headers, bytes(body), complete=complete, now_ms=now)
        return _Response(result, _skew_s(response.headers.get("date", ""), (asked_at + now) / 2000))


def _skew_s(date: str, now_s: float) -> float | None:
    theirs = parse_http_date(date)
    # a Date has whole seconds, cut off
    return None if theirs is None else theirs + 0.5 - now_s


class TokenSources:
    """Token sources of one process: clients with the same credentials share one, so that a reload keeps its token."""

    def __init__(self) -> None:
        self._sources: WeakValueDictionary[str, TokenSource] = WeakValueDictionary()

    def source(self, credentials: OAuthCredentials, clock: Clock, timeout: float) -> TokenSource:
        """The source for these credentials; it lives as long as a client uses it."""
        source = self._sources.get(credentials.fingerprint)
        if source is None:
            source = self._sources[credentials.fingerprint] = TokenSource(credentials, clock=clock, timeout=timeout)
        return source
