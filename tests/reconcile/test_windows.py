"""Windows: the limits of Segment's counters by age and range, and the buckets that are compared."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.reconcile.windows import (
    AGE_MARGIN_MS,
    DAY_MS,
    HOUR_MS,
    MAX_AGE_MS,
    MAX_MINUTE_BUCKETS,
    MAX_RANGE_MS,
    MINUTE_MS,
    Window,
    bucket_edges,
    destination_windows,
    plan,
)
from sprig_tui.segment.metrics import Granularity

MINUTE, HOUR, DAY = Granularity.MINUTE, Granularity.HOUR, Granularity.DAY
NOW = int(datetime(2026, 11, 28, 18, 20, 30, tzinfo=UTC).timestamp() * 1000)
HOLD_BACK_MS = 5 * MINUTE_MS


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-{text}+00:00").timestamp() * 1000)


THIRTY_DAYS_OF_HOURS = [
    ("10-29T19:00", "11-12T19:00", HOUR),
    ("11-12T19:00", "11-26T19:00", HOUR),
    ("11-26T19:00", "11-28T19:00", HOUR),
]
TWO_HALVES = [("11-28T12:00", "11-28T16:00", MINUTE), ("11-28T16:00", "11-28T18:00", MINUTE)]
A_MINUTE_TOO_MANY = [("11-28T14:20", "11-28T18:20", MINUTE), ("11-28T18:20", "11-28T18:21", MINUTE)]


@pytest.mark.parametrize(
    ("since", "until", "granularity", "expected"),
    [
        ("11-28T18:00", "11-28T18:10", None, [("11-28T18:00", "11-28T18:10", MINUTE)]),
        ("11-28T18:00:20", "11-28T18:20:30", None, [("11-28T18:00", "11-28T18:21", MINUTE)]),
        ("11-28T14:20", "11-28T18:20", None, [("11-28T14:20", "11-28T18:20", MINUTE)]),
        ("11-28T14:20:30", "11-28T18:20:30", None, A_MINUTE_TOO_MANY),
        ("11-28T14:00", "11-28T18:20", None, [("11-28T14:00", "11-28T19:00", HOUR)]),
        ("11-27T18:20:30", "11-28T18:20:30", None, [("11-27T18:00", "11-28T19:00", HOUR)]),
        ("11-26T17:00", "11-26T18:00", None, [("11-26T17:00", "11-26T18:00", HOUR)]),
        ("11-01T00:00", "11-15T00:00", None, [("11-01T00:00", "11-15T00:00", HOUR)]),
        ("10-29T18:20:30", "11-28T18:20:30", None, THIRTY_DAYS_OF_HOURS),
        ("10-29T18:20:30", "11-28T18:20:30", DAY, [("10-30T00:00", "11-29T00:00", DAY)]),
        ("11-28T12:00", "11-28T18:00", MINUTE, TWO_HALVES),
        ("01-01T00:00", "11-28T18:20:30", None, THIRTY_DAYS_OF_HOURS),
        ("01-01T00:00", "01-02T00:00", None, []),
        ("11-28T18:00", "11-28T18:00", None, []),
        ("11-28T18:30", "11-28T19:00", None, []),
    ],
)
def test_plan_asks_for_the_finest_counters_that_reach_back_far_enough(
    since: str, until: str, granularity: Granularity | None, expected: list[tuple[str, str, Granularity]]
) -> None:
    windows = plan(at(since), at(until), NOW, granularity=granularity)
    assert list(windows) == [Window(at(start), at(end), kind) for start, end, kind in expected]


@given(st.integers(0, 90 * DAY_MS), st.integers(1, 90 * DAY_MS), st.sampled_from([None, MINUTE, HOUR, DAY]))
def test_windows_keep_the_limits_and_leave_no_gap(age: int, length: int, granularity: Granularity | None) -> None:
    since = NOW - age
    windows = plan(since, since + length, NOW, granularity=granularity)
    for window in windows:
        assert 0 < window.end - window.start <= MAX_RANGE_MS[window.granularity]
        assert window.start >= NOW - MAX_AGE_MS[window.granularity] + AGE_MARGIN_MS
        assert window.start % window.granularity.width_ms == window.end % window.granularity.width_ms == 0
    for one, next_one in itertools.pairwise(windows):
        assert one.end == next_one.start
        assert one.end - one.start == MAX_RANGE_MS[one.granularity]
    if windows:
        assert windows[-1].end >= min(since + length, NOW)
        oldest = NOW - MAX_AGE_MS[windows[0].granularity] + AGE_MARGIN_MS
        assert windows[0].start <= max(since, oldest + windows[0].granularity.width_ms)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("11-28T18:00", [("11-28T18:00", "11-28T18:21", MINUTE)]),
        ("11-28T14:20:30", A_MINUTE_TOO_MANY),
        ("11-20T18:00", [("11-20T18:00", "11-28T19:00", HOUR)]),
        ("11-10T18:00", [("11-11T00:00", "11-29T00:00", DAY)]),
        ("10-29T18:20:30", [("10-30T00:00", "11-29T00:00", DAY)]),
    ],
)
def test_destinations_of_a_long_range_are_asked_for_by_the_days_within(
    since: str, expected: list[tuple[str, str, Granularity]]
) -> None:
    windows = destination_windows(plan(at(since), NOW, NOW), NOW, NOW)
    assert list(windows) == [Window(at(start), at(end), kind) for start, end, kind in expected]


def test_destinations_over_many_windows_of_minutes_are_asked_for_by_the_hours_within() -> None:
    windows = plan(at("11-27T18:20:30"), NOW, NOW, granularity=MINUTE)
    assert len(windows) > 2
    assert destination_windows(windows, NOW, NOW) == (Window(at("11-27T19:00"), at("11-28T19:00"), HOUR),)


def test_hours_are_buckets_of_their_own() -> None:
    windows = plan(NOW - DAY_MS, NOW, NOW)
    edges = bucket_edges(windows, NOW, HOLD_BACK_MS)
    assert edges[0] == (at("11-27T18:00"), at("11-27T19:00"))
    assert edges[-1] == (at("11-28T18:00"), at("11-28T19:00"))
    assert len(edges) == 25


def test_minutes_are_joined_and_cut_where_the_hold_back_begins() -> None:
    windows = plan(at("11-28T18:03"), NOW, NOW)
    edges = bucket_edges(windows, NOW, HOLD_BACK_MS)
    starts = ["11-28T18:03", "11-28T18:05", "11-28T18:10", "11-28T18:15", "11-28T18:20"]
    assert [start for start, _ in edges] == [at(start) for start in starts]
    edges = bucket_edges(windows, NOW, 7 * MINUTE_MS)
    assert (at("11-28T18:10"), at("11-28T18:13")) in edges
    assert (at("11-28T18:13"), at("11-28T18:15")) in edges


def test_without_hold_back_nothing_is_cut() -> None:
    edges = bucket_edges(plan(NOW - 600_000, NOW, NOW), NOW, 0)
    assert edges[-2:] == ((at("11-28T18:15"), at("11-28T18:20")), (at("11-28T18:20"), at("11-28T18:21")))


@given(st.integers(0, 40 * DAY_MS), st.integers(1, 40 * DAY_MS), st.sampled_from([0, HOLD_BACK_MS]))
def test_buckets_cover_the_windows_without_gaps_and_fit_a_screen(age: int, length: int, hold_back_ms: int) -> None:
    since = NOW - age
    windows = plan(since, since + length, NOW)
    edges = bucket_edges(windows, NOW, hold_back_ms)
    if not windows:
        assert edges == ()
        return
    assert edges[0][0] == windows[0].start
    assert edges[-1][1] == windows[-1].end
    assert all(start < end for start, end in edges)
    assert all(one[1] == following[0] for one, following in itertools.pairwise(edges))
    if windows[0].granularity is MINUTE:
        assert len(edges) <= MAX_MINUTE_BUCKETS + 3
    else:
        assert all(end - start <= HOUR_MS for start, end in edges)
