"""Moments: times and periods in words."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from sprig_tui.errors import FilterError
from sprig_tui.journal.moments import parse_moment, parse_period, parse_range


@pytest.fixture(autouse=True)
def _berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)


NOW = "2026-11-25T15:30"
"""A Wednesday."""


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("now", NOW, NOW),
        ("90m", "2026-11-25T14:00", None),
        ("2 hours ago", "2026-11-25T13:30", None),
        ("1 week", "2026-11-18T15:30", None),
        ("today", "2026-11-25", "2026-11-26"),
        ("Yesterday", "2026-11-24", "2026-11-25"),
        ("wednesday", "2026-11-25", "2026-11-26"),
        ("last wed", "2026-11-18", "2026-11-19"),
        ("last monday", "2026-11-23", "2026-11-24"),
        ("thu", "2026-11-19", "2026-11-20"),
        ("this week", "2026-11-23", "2026-11-30"),
        ("last week", "2026-11-16", "2026-11-23"),
        ("this month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-11-03", "2026-11-03", "2026-11-04"),
        ("2026-11-03 14:05", "2026-11-03T14:05", None),
        ("2026-11-03T14:05:00+00:00", "2026-11-03T15:05", None),
        ("14:05", "2026-11-25T14:05", None),
        ("monday 9:00", "2026-11-23T09:00", None),
        ("yesterday 23:59:59", "2026-11-24T23:59:59", None),
    ],
)
def test_periods_in_words(text, start, end):
    assert parse_period(text, ms(NOW)) == (ms(start), ms(end or start))


def test_a_day_begins_at_its_own_midnight_when_the_clocks_change():
    now = ms("2026-10-25T15:00")
    assert parse_moment("today", now) == ms("2026-10-25T00:00")
    begin, end = parse_period("today", now)
    assert end - begin == 25 * 3_600_000


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("monday..friday", "2026-11-16", "2026-11-21"),
        ("monday..tuesday", "2026-11-23", "2026-11-25"),
        ("2026-11-01..2026-11", "2026-11-01", "2026-12-01"),
        ("7d..1d", "2026-11-18T15:30", "2026-11-24T15:30"),
        ("..yesterday", None, "2026-11-25"),
        ("last week..", "2026-11-16", None),
        ("yesterday", "2026-11-24", "2026-11-25"),
        ("2h", "2026-11-25T13:30", None),
    ],
)
def test_ranges(text, begin, end):
    assert parse_range(text, ms(NOW)) == (begin and ms(begin), end and ms(end))


@pytest.mark.parametrize("text", ["", "soon", "25:00", "last", "mo", "last today", "2026-13", "9" * 5000 + "d"])
def test_other_words_are_no_time(text):
    with pytest.raises(FilterError) as caught:
        parse_moment(text, ms(NOW))
    assert "an age" in caught.value.hint
    assert len(caught.value.message) < 120
