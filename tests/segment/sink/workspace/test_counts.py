"""Counts by minute: nothing is lost or counted twice, and the memory has a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.sink.workspace import counts as module
from sprig_tui.segment.sink.workspace.counts import MINUTE_MS, RECEIVED, Counts, Series

NOW = 1_790_000_000_000
DAY = 86_400_000


def total(counts: Counts, now: int, start: int = 0, end: int = 2 * NOW) -> int:
    return sum(count for _, minutes in counts.read(lambda _: True, start, end, now) for _, count in minutes)


@given(
    st.lists(st.tuples(st.integers(0, 3_600_000), st.integers(1, 5), st.integers(0, 60_000)), max_size=40),
    st.lists(st.integers(0, 4_000_000), max_size=8),
)
def test_every_event_is_seen_once_when_it_is_due(events: list[tuple[int, int, int]], times: list[int]) -> None:
    counts = Counts()
    for at, count, delay in events:
        counts.add(Series(RECEIVED, "s"), NOW + at, count, seen_at=NOW + at + delay)
    for now in [*sorted(times), 5_000_000]:
        due = sum(
            count for at, count, delay in events if not delay or -(-(NOW + at + delay) // 1000) * 1000 <= NOW + now
        )
        assert total(counts, NOW + now) == due
    for at, _, _ in events:
        minute = (NOW + at) // MINUTE_MS * MINUTE_MS
        inside = sum(count for other, count, _ in events if minute <= NOW + other < minute + MINUTE_MS)
        assert total(counts, NOW + 5_000_000, minute, minute + MINUTE_MS) == inside


def test_many_names_share_one_count() -> None:
    counts = Counts()
    for number in range(module.MAX_EVENT_NAMES + 50):
        counts.add(Series(RECEIVED, "s", eventName=f"event {number}"), NOW)
    counts.add(Series(RECEIVED, "s", eventName="x" * 10_000), NOW)
    series = [one for one, _ in counts.read(lambda _: True, 0, 2 * NOW, NOW)]
    assert len(series) == module.MAX_EVENT_NAMES + 1
    assert total(counts, NOW) == module.MAX_EVENT_NAMES + 51
    assert max(len(one.eventName) for one in series) < 600


def test_oldest_minutes_are_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_POINTS", 1_000)
    counts = Counts()
    counts.add(Series(RECEIVED, "old"), NOW - 31 * DAY, 7)
    for number in range(1_000):
        counts.add(Series(RECEIVED, "s"), NOW - number * MINUTE_MS)
    assert total(counts, NOW) == 1_000, "what is older than 30 days goes first"
    for number in range(10):
        counts.add(Series(RECEIVED, "s"), NOW + number * MINUTE_MS)
    kept = total(counts, NOW + DAY)
    assert 500 <= kept <= 1_000
    assert total(counts, NOW + DAY, NOW - MINUTE_MS) >= 10, "the newest stay"
