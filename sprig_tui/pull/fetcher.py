"""Asking Sprig's API until it answers: pacing, waits that grow, and when to give up."""

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
"""Sprig's rate limit: so many requests in so many seconds and per key (older documentation of the export API)."""
RATE_LIMITED_TIMEOUT_S = RATE_LIMIT_PERIOD_S + 60.0
"""`UNREACHABLE_TIMEOUT_S` for 429: the rate limit's own period, and some."""
MAX_BAD_PAGE_TRIES = 3
"""So often a page that cannot be understood is asked for: what a proxy puts in between passes."""


class ApiTransport(Protocol):
    """What carries one request to Sprig's API."""

    async def get(self, path: str, parameters: Mapping[str, str]) -> ApiResponse:
        """The answer to one GET; network trouble is an answer too."""
        ...


class ApiPage(Protocol):
    """A page that may have a fault."""

    @property
    def fault(self) -> str:
        """What is wrong with the page as a whole; empty where nothing is."""
        ...


Page = TypeVar("Page", bound=ApiPage)


class FetchResult(NamedTuple, Generic[Page]):
    """An answer, and the page in it where it is `ok`."""

    response: ApiResponse
    page: Page | None


class PageFetcher:
    """Gets pages from a source that may fail. Not for several tasks at once."""

    def __init__(
        self,
        transport: ApiTransport,
        *,
        timeout_s: float = UNREACHABLE_TIMEOUT_S,
        timing: MonotonicClock | None = None,
        draw: RandomSource | None = None,
    ) -> None:
        self.on_wait: Callable[[str], None] = _ignore_wait
        """Is told what is being waited for, in words, and an empty text when it is over."""
        self.requests = 0
        self._transport = transport
        self._timeout_s = timeout_s
        self._timing = timing or SystemMonotonicClock()
        self._draw = draw or random.Random().random  # noqa: S311 - jitter needs no secret randomness
        self._never = asyncio.Event()
        self._request_times: deque[float] = deque(maxlen=RATE_LIMIT_REQUESTS)

    async def get(self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], Page]) -> FetchResult[Page]:
        """An answer of the kinds `ok`, `none` and `too-large`, and the page in it, read in another thread.

        A page with a fault is asked for three times, and then given as it is. Raises SprigApiError when the key or the
        request is refused, SprigApiUnreachableError after `patience` seconds without an answer that helps (six minutes
        where only the rate limit, or a wait that was asked for, is in the way).
        """
        failures = bad = 0
        since: float | None = None
        while True:
            await self._pace()
            answer = await self._transport.get(path, parameters)
            if answer.kind == "ok":
                page = await asyncio.to_thread(parse, answer.body)
                bad += 1
                if page.fault and bad < MAX_BAD_PAGE_TRIES:
                    await self._wait_to_retry(bad, 0, f"a page that cannot be understood ({page.fault})")
                    continue
                self.on_wait("")
                return FetchResult(answer, page)
            if answer.kind in ("none", "too-large"):
                self.on_wait("")
                return FetchResult(answer, None)
            _raise_if_refused(answer)
            now = self._timing.monotonic()
            since = now if since is None else since
            asked = retry_after_ms(answer.retry_after_s)
            patience = (
                max(self._timeout_s, RATE_LIMITED_TIMEOUT_S) if asked or answer.kind == "limited" else self._timeout_s
            )
            if now - since + asked / 1000 > patience:
                said = "does not answer as it should" if answer.status else "gives no answer"
                raise SprigApiUnreachableError(
                    f"Sprig's API {said}: {answer.error}",
                    hint="nothing is lost: the same command goes on where this one stopped",
                    status=answer.status,
                )
            await self._wait_to_retry(failures, asked, answer.error)
            failures += 1

    async def _pace(self) -> None:
        """Stay within the rate limit, as far as this process goes."""
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
    """Hear nothing."""


def _raise_if_refused(response: ApiResponse) -> None:
    """Raise for an answer that no repeating helps."""
    if response.kind == "key-refused":
        raise SprigApiError(
            f"key refused: Sprig answers {response.status}",
            hint="compare it with Sprig's: Integrations > Enrichment > Data Import API",
            status=response.status,
        )
    if response.kind == "refused":
        raise SprigApiError(
            f"Sprig's API refused the request: {response.error}",
            hint="check the address (--api-url) and the options",
            status=response.status,
        )


SURVEY_PAGE_SIZE = 1_000
"""Surveys of a page. The specification names a limit, but not the largest one; that of responses is taken."""


class SurveyList(NamedTuple):
    """What the list of surveys told."""

    surveys: dict[str, Survey]
    """By id as text."""
    warnings: tuple[str, ...] = ()


async def fetch_surveys(fetcher: PageFetcher) -> SurveyList:
    """Read `GET /v1/surveys` to its end; what is off in it is told, and stops nothing. Raises SourceError."""
    found: dict[str, Survey] = {}
    limit, odd, cursor = SURVEY_PAGE_SIZE, 0, ""
    seen = {""}
    while True:
        parameters = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer, page = await fetcher.get(SURVEYS_PATH, parameters, parse_survey_page)
        if page is None:
            if answer.kind == "too-large" and limit > 1:
                limit //= 2
                continue
            said = "answers 404, taken as none" if answer.kind == "none" else f"is too large: {answer.error}"
            return SurveyList(found, (f"the list of surveys {said}: their names may be missing",))
        found.update({str(one.id): Survey(name=one.name, created_at=one.created_at) for one in page.surveys})
        odd += page.unreadable
        cursor = page.cursor
        if page.fault or cursor in seen:
            break
        seen.add(cursor)
    warnings = []
    if fault := page.fault or ("it repeats itself" if cursor else ""):
        warnings.append(f"the list of surveys is not what Sprig documents ({fault}): names may be missing")
    if odd:
        warnings.append(f"{odd:,} entries of the list of surveys cannot be understood, and are left out")
    return SurveyList(found, tuple(warnings))
