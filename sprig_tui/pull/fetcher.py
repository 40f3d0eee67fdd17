"""Page fetcher for Sprig's API: rate limit, retries with backoff, and the list of surveys."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

from sprig_tui.clock import MonotonicClock, SystemMonotonicClock
from sprig_tui.config.environment import UNREACHABLE_TIMEOUT_S
from sprig_tui.delivery.retry import RandomSource, backoff_ms, retry_after_ms
from sprig_tui.errors import SprigApiError, SprigApiUnreachableError
from sprig_tui.formatting import format_duration
from sprig_tui.mapping.records import Survey
from sprig_tui.sprig.api import SURVEYS_PATH, ApiResponse, parse_survey_page

RATE_LIMIT_REQUESTS = 1_000
RATE_LIMIT_PERIOD_S = 300.0
"""Sprig's rate limit: requests per period and key (older documentation of the export API)."""
RATE_LIMITED_TIMEOUT_S = RATE_LIMIT_PERIOD_S + 60.0
"""`UNREACHABLE_TIMEOUT_S` for 429: longer than the period of the rate limit."""
MAX_BAD_PAGE_TRIES = 3
"""Tries for an invalid page, since a proxy may have sent an error page."""


class ApiTransport(Protocol):
    """Transport of one request to Sprig's API."""

    async def get(self, path: str, parameters: Mapping[str, str]) -> ApiResponse:
        """The response to one GET; a network error is a response too."""
        ...


class ApiPage(Protocol):
    """A page that may have a fault."""

    @property
    def fault(self) -> str:
        """Why the page is invalid; empty if it is valid."""
        ...


Page = TypeVar("Page", bound=ApiPage)


class FetchResult(NamedTuple, Generic[Page]):
    """A response, and its page if it is `ok`."""

    response: ApiResponse
    page: Page | None


class PageFetcher:
    """Fetches pages with retries; for one task at a time."""

    def __init__(
        self,
        transport: ApiTransport,
        *,
        timeout_s: float = UNREACHABLE_TIMEOUT_S,
        timing: MonotonicClock | None = None,
        draw: RandomSource | None = None,
    ) -> None:
        self.on_wait: Callable[[str], None] = _ignore_wait
        """Called with the reason of each wait in words, and with an empty text after it."""
        self.requests = 0
        self._transport = transport
        self._timeout_s = timeout_s
        self._timing = timing or SystemMonotonicClock()
        self._draw = draw or random.Random().random  # noqa: S311 - jitter needs no secret randomness
        self._never = asyncio.Event()
        self._request_times: deque[float] = deque(maxlen=RATE_LIMIT_REQUESTS)

    async def get(self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], Page]) -> FetchResult[Page]:
        """A response of kind `ok`, `none` or `too-large`, and its page, parsed in another thread.

        An invalid page is requested three times, and then returned with its fault. Raises SprigApiError if the key or
        the request is rejected, SprigApiUnreachableError after `timeout_s` seconds without a usable response (six
        minutes for the rate limit or a Retry-After header).
        """
        failures = bad = 0
        since: float | None = None
        while True:
            await self._pace()
            response = await self._transport.get(path, parameters)
            if response.kind == "ok":
                page = await asyncio.to_thread(parse, response.body)
                bad += 1
                if page.fault and bad < MAX_BAD_PAGE_TRIES:
                    await self._wait_to_retry(bad, 0, f"a page that cannot be understood ({page.fault})")
                    continue
                self.on_wait("")
                return FetchResult(response, page)
            if response.kind in ("none", "too-large"):
                self.on_wait("")
                return FetchResult(response, None)
            _raise_if_rejected(response)
            now = self._timing.monotonic()
            since = now if since is None else since
            wait_ms = retry_after_ms(response.retry_after_s)
            rate_limited = wait_ms or response.kind == "limited"
            timeout_s = max(self._timeout_s, RATE_LIMITED_TIMEOUT_S) if rate_limited else self._timeout_s
            if now - since + wait_ms / 1000 > timeout_s:
                problem = "does not answer as it should" if response.status else "gives no answer"
                raise SprigApiUnreachableError(
                    f"Sprig's API {problem}: {response.error}",
                    hint="nothing is lost: the same command resumes where this one stopped",
                    status=response.status,
                )
            await self._wait_to_retry(failures, wait_ms, response.error)
            failures += 1

    async def _pace(self) -> None:
        """Wait as long as this process would exceed the rate limit."""
        if (
            len(self._request_times) == RATE_LIMIT_REQUESTS
            and (left := self._request_times[0] + RATE_LIMIT_PERIOD_S - self._timing.monotonic()) > 0
        ):
            self.on_wait(f"rate limit: {format_duration(round(left))}")
            await self._timing.wait(self._never, left)
            self.on_wait("")
        self._request_times.append(self._timing.monotonic())
        self.requests += 1

    async def _wait_to_retry(self, failures: int, retry_after_ms: int, why: str) -> None:
        wait = (retry_after_ms or backoff_ms(failures, self._draw)) / 1000
        self.on_wait(f"waiting {format_duration(round(wait, 1))}: {why}")
        await self._timing.wait(self._never, wait)


def _ignore_wait(_text: str) -> None:
    """The default of `on_wait`."""


def _raise_if_rejected(response: ApiResponse) -> None:
    """Raise SprigApiError for a response that a retry would not change."""
    if response.kind == "key-refused":
        raise SprigApiError(
            f"key refused: Sprig answers {response.status}",
            hint="compare it with Sprig's: Integrations > Enrichment > Data Import API",
            status=response.status,
        )
    if response.kind == "refused":
        raise SprigApiError(
            f"Sprig's API rejected the request: {response.error}",
            hint="check the address (--api-url) and the options",
            status=response.status,
        )


SURVEY_PAGE_SIZE = 1_000
"""Surveys of a page. The specification names a limit, but not the largest one; that of responses is taken."""


class SurveyList(NamedTuple):
    """The surveys of `GET /v1/surveys`."""

    surveys: dict[str, Survey]
    """By id as text."""
    warnings: tuple[str, ...] = ()


async def fetch_surveys(fetcher: PageFetcher) -> SurveyList:
    """Read `GET /v1/surveys` to its end; problems of the list become warnings. Raises SprigApiError."""
    surveys: dict[str, Survey] = {}
    limit, unreadable, cursor = SURVEY_PAGE_SIZE, 0, ""
    seen = {""}
    while True:
        parameters = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        response, page = await fetcher.get(SURVEYS_PATH, parameters, parse_survey_page)
        if page is None:
            if response.kind == "too-large" and limit > 1:
                limit //= 2
                continue
            problem = "answers 404, taken as none" if response.kind == "none" else f"is too large: {response.error}"
            return SurveyList(surveys, (f"the list of surveys {problem}: their names may be missing",))
        for survey in page.surveys:
            surveys[str(survey.id)] = Survey(name=survey.name, created_at=survey.created_at)
        unreadable += page.unreadable
        cursor = page.cursor
        if page.fault or cursor in seen:
            break
        seen.add(cursor)
    warnings = []
    if fault := page.fault or ("it repeats itself" if cursor else ""):
        warnings.append(f"the list of surveys is not what Sprig documents ({fault}): names may be missing")
    if unreadable:
        warnings.append(f"{unreadable:,} entries of the list of surveys cannot be read, and are left out")
    return SurveyList(surveys, tuple(warnings))
