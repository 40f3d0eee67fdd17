"""Groupings: the bars that are made of the journal's statistics, and where each of them leads."""

from __future__ import annotations

import pytest

from sprig_tui.console.insight.groupings import GROUPINGS, Grouping, Shown
from sprig_tui.console.insight.words import bucket_text, endpoint_label, latency_text, share_text
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.statistics import Bucket, StatisticsRequest
from sprig_tui.journal.statistics_filters import StatisticsFilters

from .figures import NOW, statistics

SHOWN = "[/red]日本語␛[2J⟨U+202E⟩evil"
BY_NAME = {grouping.name: grouping for grouping in GROUPINGS}
HOUR = StatisticsRequest(unit="hour", buckets=48)


def shown(request: StatisticsRequest = HOUR, at: int = -2) -> Shown:
    counted = statistics(request)
    return Shown(counted, StatisticsFilters(counted), counted.buckets, counted.buckets[at], NOW)


def lines(grouping: Grouping) -> list[tuple[str, int, str]]:
    return [(bar.label, bar.total, bar.figure) for bar in grouping.bars(shown())]


def test_time_has_the_states_of_the_chosen_hour():
    made = shown()
    hour = made.bucket
    bars = BY_NAME["time"].bars(made)
    assert [(bar.label, bar.total) for bar in bars] == [
        ("all", sum(hour.arrived.values())),
        *((state.value, hour.arrived[state]) for state in hour.arrived),
    ]
    assert bars[0].find() == made.filters.arrived(hour)
    assert all(f"status:{bar.label}" in bar.find() for bar in bars[1:])
    assert bars[0].note.startswith("13:00 to 14:00: ")


def test_groups_have_their_shares_and_names():
    assert lines(BY_NAME["survey"]) == [
        ("Checkout effort", 4000, "47 %"),
        (SHOWN, 2031, "24 %"),
        ("3", 1395, "16 %"),
        ("(no survey)", 1093, "13 %"),
        ("other surveys", 7, "<1 %"),
    ]
    assert lines(BY_NAME["environment"]) == [("production", 8306, ">99 %"), ("development", 40, "<1 %")]
    assert lines(BY_NAME["reason"]) == [
        ("no User ID", 170, "94 %"),
        ("invalid", 9, "5 %"),
        ("of-a-later-version", 1, "1 %"),
    ]
    assert lines(BY_NAME["failure"]) == [("HTTP 400", 40, "89 %"), ("no response", 3, "7 %"), ("HTTP 503", 2, "4 %")]
    assert [label for label, *_ in lines(BY_NAME["endpoint"])] == [
        "US  api.segment.io",
        f"127.0.0.1:8080/{SHOWN}",
    ]


def test_anonymous_answers_come_with_their_share_of_the_survey_most_first():
    assert lines(BY_NAME["anonymous"]) == [("(no survey)", 90, "8 %"), ("3", 60, "4 %"), (SHOWN, 30, "1 %")]


def test_speed_has_a_bar_for_each_hour_newest_first():
    made = shown()
    bars = BY_NAME["speed"].bars(made)
    assert [bar.key for bar in bars] == [str(bucket.since) for bucket in reversed(made.buckets)]
    assert bars[1].find() == made.filters.answered(made.bucket)
    assert bars[1].figure == latency_text(made.bucket.median_ms)
    assert "nothing was answered" in {bar.note.partition(": ")[2] for bar in bars}


@pytest.mark.parametrize("grouping", GROUPINGS, ids=lambda grouping: grouping.name)
@pytest.mark.parametrize("unit", ["hour", "day"])
def test_every_filter_is_one_of_the_log_and_every_chart_has_its_room(grouping, unit):
    request = StatisticsRequest(environments=("production",), unit=unit, buckets=30)
    made = shown(request)
    bars = grouping.bars(made)
    assert len({bar.key for bar in bars}) == len(bars)
    for bar in bars:
        assert parse_filter(bar.find(), now_ms=NOW)
        assert bar.find() or bar.label in ("other surveys", "of-a-later-version")
    for chart in grouping.charts(made.buckets) if grouping.charts else ():
        assert len(chart.rows(100, 7, 3)) == 7


def test_words():
    day = Bucket(since=NOW - 86_400_000, until=NOW, arrived={})
    assert bucket_text(day, NOW) == "20 Sep"
    assert endpoint_label("") == "(unknown)"
    assert endpoint_label("https://events.eu1.segmentapis.com") == "EU  events.eu1.segmentapis.com"
    assert [share_text(*one) for one in ((0, 0), (0, 5), (1, 1000), (999, 1000), (5, 5))] == [
        "0 %",
        "0 %",
        "<1 %",
        ">99 %",
        "100 %",
    ]
