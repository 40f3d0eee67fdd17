"""Every status there is has one meaning."""

from __future__ import annotations

import pytest

from sprig_tui.segment.outcome import NO_ANSWER, classify

DELIVERED = set(range(200, 300))
KEY_REFUSED = {401, 403}
RETRY = {408, 410, 429, 460} | (set(range(500, 600)) - {501, 505, 511})
CONTENT = {400, 413, 422}
ENDPOINT_REFUSED = set(range(400, 500)) - KEY_REFUSED - RETRY - CONTENT - {407} | {501, 505}
NOT_SEGMENT = set(range(100, 200)) | set(range(300, 400)) | {407, 511} | set(range(600, 1000))


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
def test_classes(statuses: set[int], kind: str, bisect: bool, endpoint_fault: bool) -> None:
    for status in statuses:
        outcome = classify(status)
        assert (outcome.kind, outcome.bisect, outcome.endpoint_fault) == (kind, bisect, endpoint_fault), status


def test_the_classes_cover_every_status_once() -> None:
    classes = [DELIVERED, KEY_REFUSED, RETRY, CONTENT, ENDPOINT_REFUSED, NOT_SEGMENT]
    assert sorted(status for one in classes for status in one) == list(range(100, 1000))


def test_no_answer_is_tried_again() -> None:
    assert NO_ANSWER.kind == "retry"
    assert not NO_ANSWER.endpoint_fault
