"""Page fetcher: rate limit, backoff and timeouts, on a clock that the tests move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sprig_tui.errors import SprigApiError, SprigApiUnreachableError
from sprig_tui.pull.fetcher import RATE_LIMIT_PERIOD_S, RATE_LIMIT_REQUESTS, PageFetcher
from sprig_tui.sprig.api import ApiResponse, parse_response_page

from .conftest import QuickTiming, Trial

OK = ApiResponse(kind="ok", status=200, body=b'{"data": []}')
HTML = ApiResponse(kind="ok", status=200, body=b"<html>")
DOWN = ApiResponse(kind="retry", status=503, error="http 503")
LIMITED = ApiResponse(kind="limited", status=429, error="http 429")


class Script:
    """Answers in a row; the last one again and again."""

    def __init__(self, *answers: ApiResponse) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def get(self, _path: str, _parameters: Mapping[str, str]) -> ApiResponse:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def timing(trial: Trial) -> Any:
    return trial.timing


def fetcher(timing: QuickTiming, *answers: ApiResponse, patience: float = 60.0) -> tuple[PageFetcher, Script]:
    script = Script(*answers)
    return PageFetcher(script, timeout_s=patience, timing=timing, draw=lambda: 1.0), script


async def test_backoff_doubles(timing: QuickTiming) -> None:
    found, script = fetcher(timing, DOWN, DOWN, DOWN, OK)
    assert (await found.get("/", {}, parse_response_page)).response is OK
    assert timing.waits == [0.5, 1.0, 2.0]
    assert found.requests == script.asked == 4


async def test_unreachable_server_raises_after_the_timeout(timing: QuickTiming) -> None:
    found, _ = fetcher(timing, DOWN)
    with pytest.raises(SprigApiUnreachableError) as raised:
        await found.get("/", {}, parse_response_page)
    assert raised.value.exit_code == 3
    assert "http 503" in raised.value.message
    assert 60 <= sum(timing.waits) <= 60 + 60


async def test_response_resets_the_timeout(timing: QuickTiming) -> None:
    found, _ = fetcher(timing, DOWN, DOWN, DOWN, OK, DOWN, OK)
    await found.get("/", {}, parse_response_page)
    await found.get("/", {}, parse_response_page)
    assert timing.waits == [0.5, 1.0, 2.0, 0.5]


async def test_rate_limit_is_waited_out(timing: QuickTiming) -> None:
    found, _ = fetcher(timing, *[LIMITED] * 11, OK)
    assert (await found.get("/", {}, parse_response_page)).response is OK
    assert 180 < sum(timing.waits) < 360


async def test_retry_after_is_respected(timing: QuickTiming) -> None:
    asked = ApiResponse(kind="retry", status=503, error="http 503", retry_after_s=120.0)
    found, _ = fetcher(timing, asked, asked, OK)
    assert (await found.get("/", {}, parse_response_page)).response is OK
    assert timing.waits == [120.0, 120.0]
    found, _ = fetcher(timing, asked)
    with pytest.raises(SprigApiUnreachableError):
        await found.get("/", {}, parse_response_page)


@pytest.mark.parametrize("kind", ["key-refused", "refused"])
async def test_rejected_requests_are_not_retried(timing: QuickTiming, kind: Any) -> None:
    found, script = fetcher(timing, ApiResponse(kind=kind, status=403, error="http 403"))
    with pytest.raises(SprigApiError) as raised:
        await found.get("/", {}, parse_response_page)
    assert raised.value.exit_code == 2
    assert script.asked == 1


@pytest.mark.parametrize("kind", ["none", "too-large"])
async def test_none_and_too_large_return_without_a_page(timing: QuickTiming, kind: Any) -> None:
    found, _ = fetcher(timing, ApiResponse(kind=kind, status=404))
    answer, page = await found.get("/", {}, parse_response_page)
    assert (answer.kind, page) == (kind, None)


async def test_invalid_page_is_returned_after_three_tries(timing: QuickTiming) -> None:
    found, script = fetcher(timing, HTML)
    _, page = await found.get("/", {}, parse_response_page)
    assert page is not None
    assert "HTML" in page.fault
    assert script.asked == 3


async def test_requests_stay_within_the_rate_limit(timing: QuickTiming) -> None:
    found, _ = fetcher(timing, OK)
    heard: list[str] = []
    found.on_wait = heard.append
    for _ in range(2 * RATE_LIMIT_REQUESTS):
        await found.get("/", {}, parse_response_page)
    assert timing.waits == [RATE_LIMIT_PERIOD_S], "the second thousand waits for the first to grow old"
    assert "rate limit: 5 m" in heard


async def test_on_wait_reports_and_clears_the_reason(timing: QuickTiming) -> None:
    found, _ = fetcher(timing, DOWN, OK)
    heard: list[str] = []
    found.on_wait = heard.append
    await found.get("/", {}, parse_response_page)
    assert heard == ["waiting 500 ms: http 503", ""]
