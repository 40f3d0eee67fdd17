"""Outcome classes: every HTTP status has one."""

from __future__ import annotations

import pytest

from sprig_tui.segment.outcome import NO_RESPONSE, classify

DELIVERED = set(range(200, 300))
KEY_REFUSED = {401, 403}
RETRY = {408, 410, 429, 460} | (set(range(500, 600)) - {501, 505, 511})
CONTENT = {400, 413, 422}
ENDPOINT_REFUSED = set(range(400, 500)) - KEY_REFUSED - RETRY - CONTENT - {407} | {501, 505, 511}
NOT_SEGMENT = set(range(100, 200)) | set(range(300, 400)) | {407} | set(range(600, 1000))


@pytest.mark.parametrize(
    ("statuses", "kind", "bisect", "endpoint_fault"),
    [
        (DELIVERED, "delivered", False, False),
        (KEY_REFUSED, "key-refused", False, False),
        (RETRY, "retry", False, False),
        (CONTENT, "refused", True, False),
        (ENDPOINT_REFUSED, "refused", False, True),
        (NOT_SEGMENT, "retry", False, True),
    ],
)
def test_outcome_of_status(statuses: set[int], kind: str, bisect: bool, endpoint_fault: bool) -> None:
    for status in statuses:
        outcome = classify(status)
        assert (outcome.kind, outcome.bisect, outcome.endpoint_fault) == (kind, bisect, endpoint_fault), status


def test_outcomes_cover_every_status_once() -> None:
    classes = [DELIVERED, KEY_REFUSED, RETRY, CONTENT, ENDPOINT_REFUSED, NOT_SEGMENT]
    assert sorted(status for one in classes for status in one) == list(range(100, 1000))


def test_only_511_is_final() -> None:
    assert [status for status in range(100, 1000) if classify(status).final] == [511]


def test_2xx_with_a_web_page_is_an_endpoint_fault() -> None:
    outcomes = {status: classify(status, web_page=True) for status in range(200, 300)}
    seen = {status: (one.kind, one.endpoint_fault, one.final) for status, one in outcomes.items()}
    assert seen == dict.fromkeys(range(200, 300), ("retry", True, False))


@pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 503, 511])
def test_web_page_does_not_change_the_outcome_of_an_error(status: int) -> None:
    assert classify(status, web_page=True) == classify(status)


def test_missing_response_is_a_retry() -> None:
    assert NO_RESPONSE.kind == "retry"
    assert not NO_RESPONSE.endpoint_fault
