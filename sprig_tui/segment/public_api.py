"""Client of Segment's Public API: the sources of a workspace, their Write Keys and their destinations.

    async with PublicApiClient("https://api.segmentapis.com", token, clock=SystemClock()) as api:
        sources = await api.sources()

Facts: docs.segmentapis.com (Getting Started, Pagination, Error Handling, Rate Limits, Sources).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import httpx

from sprig_tui.clock import Clock
from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError
from sprig_tui.http import MAX_RETRY_AFTER_S
from sprig_tui.http.client import Revealable, bearer_headers, host_of, make_client, read_body
from sprig_tui.http.errors import describe_error
from sprig_tui.http.retry_after import retry_after
from sprig_tui.segment.public_api_json import Item, ListPage, parse_errors
from sprig_tui.segment.public_api_models import (
    Destination,
    Source,
    parse_destinations,
    parse_source,
    parse_sources,
    parse_workspace,
)
from sprig_tui.text import excerpt, redact

PAGE_SIZE = 200
"""Entries of a page; earlier versions of the API reject more than 200."""
MAX_PAGES = 500
MAX_BODY_BYTES = 32_000_000
"""Bytes read of a response: each source has the whole metadata of its kind, about 10 KB."""
MAX_TRIES = 3
"""Attempts of one request that gets no response, or a transient error."""
MAX_RATE_LIMIT_WAIT_S = 120.0
"""Total of all waits for one list that the API asks for (429)."""
_MIN_BACKOFF_S = 0.5
_DEFAULT_RATE_LIMIT_WAIT_S = 5.0
"""Wait after a 429 that names none."""

Sleep = Callable[[float], Awaitable[None]]


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    network_error: str = ""
    """Why there is no response; the status is then 0."""


class PublicApiClient:
    """Client of one workspace. Raises SegmentApiError for a rejection, SegmentApiUnreachableError without a response.

    `timeout` is seconds for each phase of a request; the whole request may take four times that. Redirects are not
    followed, so that the token goes only to the given address. `on_wait` gets the seconds of each wait that the API
    asks for. Raises ConfigError for an address or machine settings that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: Revealable,
        *,
        clock: Clock,
        timeout: float = 15.0,
        sleep: Sleep = asyncio.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._url = base_url.rstrip("/")
        self._token = token.reveal()
        self._clock = clock
        self._timeout = timeout
        self._sleep = sleep
        self._on_wait = on_wait
        self._wait_budget_s = MAX_RATE_LIMIT_WAIT_S
        self._host = host_of(self._url, "the address of Segment's Public API", "check [segment] region")
        self._http = make_client(
            self._url,
            headers=bearer_headers(self._token, "application/vnd.segment.v1+json, application/json"),
            timeout=timeout,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def workspace(self) -> str:
        """The name of the workspace that the token belongs to."""
        return parse_workspace(await self._get_required("/"))

    async def sources(self) -> tuple[Source, ...]:
        """Every source, in the order of the API."""
        return await self._list_pages("/sources", parse_sources)

    async def source(self, source_id: str) -> Source | None:
        """One source by its id; None if the workspace does not have it."""
        body = await self._get(f"/sources/{quote(source_id, safe='')}")
        return parse_source(body) if body is not None else None

    async def destinations(self, source_id: str) -> tuple[Destination, ...]:
        """The destinations that are connected to a source, enabled or not."""
        return await self._list_pages(
            f"/sources/{quote(source_id, safe='')}/connected-destinations", parse_destinations
        )

    async def _list_pages(self, path: str, parse: Callable[[bytes], ListPage[Item]]) -> tuple[Item, ...]:
        items: list[Item] = []
        cursor, seen = "", {""}
        for _ in range(MAX_PAGES):
            parameters = {"pagination.count": str(PAGE_SIZE), **({"pagination.cursor": cursor} if cursor else {})}
            page = parse(await self._get_required(path, parameters))
            items += page.items
            cursor = page.next_cursor
            if cursor in seen:
                break
            seen.add(cursor)
        if cursor:
            # the cursors repeat, or there are more than MAX_PAGES
            raise SegmentApiError(f"the pages of {path} do not come to an end", hint="check [segment] region")
        return tuple(items)

    async def _get_required(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes:
        body = await self._get(path, parameters)
        if body is None:
            raise SegmentApiError(f"{self._host} knows no {path} (404)", hint="check [segment] region")
        return body

    async def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes | None:
        """The body of a 200; None for a 404."""
        tries, pause = 0, _MIN_BACKOFF_S
        while True:
            response = await self._request(path, parameters)
            if response.status == 200:
                return response.body
            if response.status == 404:
                return None
            if response.status == 429:
                await self._wait_for_rate_limit(response)
                continue
            if response.status and response.status != 408 and response.status < 500:
                raise self._refusal_error(response)
            tries += 1
            if tries >= MAX_TRIES:
                what = response.network_error or f"{response.status} {self._error_text(response.body)}".strip()
                raise SegmentApiUnreachableError(
                    f"no answer from {self._host}: {what}", hint="check the network and [segment] region; try again"
                )
            await self._sleep(pause)
            pause *= 4

    async def _request(self, path: str, parameters: Mapping[str, str] | None) -> _Response:
        body = bytearray()
        try:
            async with asyncio.timeout(4 * self._timeout):
                async with self._http.stream("GET", self._url + path, params=dict(parameters or {})) as response:
                    whole = await read_body(response.aiter_bytes(), body, MAX_BODY_BYTES)
        except TimeoutError:
            return _Response(0, {}, b"", f"none within {4 * self._timeout:g} s")
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            return _Response(0, {}, b"", describe_error(error, host=self._host, timeout_s=self._timeout))
        if not whole:
            raise SegmentApiError(
                f"the answer of {self._host} is larger than {MAX_BODY_BYTES // 1_000_000} MB",
                hint="check [segment] region",
            )
        return _Response(response.status_code, response.headers, bytes(body))

    async def _wait_for_rate_limit(self, response: _Response) -> None:
        lifted = parse_errors(response.body).wait_s
        named = (
            retry_after(response.headers, now_ms=self._clock.now())
            or lifted
            or self._seconds_to_reset(response.headers)
        )
        seconds = min(named or _DEFAULT_RATE_LIMIT_WAIT_S, MAX_RETRY_AFTER_S)
        if seconds > self._wait_budget_s:
            raise SegmentApiUnreachableError(
                f"{self._host} limits requests, and asks to wait {seconds:.0f} s", hint="try again after that"
            )
        self._wait_budget_s -= seconds
        self._on_wait(seconds)
        await self._sleep(seconds)

    def _seconds_to_reset(self, headers: Mapping[str, str]) -> float | None:
        """X-RateLimit-Reset is a date here (RFC 5322), unlike in the Tracking API."""
        try:
            moment = parsedate_to_datetime(headers.get("x-ratelimit-reset", "")).timestamp()
        except (ValueError, OverflowError):
            return None
        seconds = moment - self._clock.now() / 1000
        return seconds if seconds > 0 else None

    def _refusal_error(self, response: _Response) -> SegmentApiError:
        text = self._error_text(response.body)
        detail = f": {text}" if text else ""
        if response.status in (401, 403):
            return SegmentApiError(
                f"{self._host} refuses the token ({response.status}){detail}",
                hint="it may be revoked, lack the role, or belong to the other region: sprig-tui keys workspace",
            )
        if 300 <= response.status < 400:
            return SegmentApiError(
                f"{self._host} answers with a redirect ({response.status}), which is not followed",
                hint="check [segment] region, and whether this network asks to sign in",
            )
        return SegmentApiError(f"{self._host} answers {response.status}{detail}", hint="check [segment] region")

    def _error_text(self, body: bytes) -> str:
        return excerpt(redact(parse_errors(body).message, [self._token]), 200)
