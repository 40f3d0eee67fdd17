"""Lines of a reconciliation: what is folded, what a span says, and the words of each verdict."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sprig_tui.cli.commands.reconcile import Scope, clock_problem
from sprig_tui.cli.commands.reconcile_text import fold, report_lines, row_text, time_range
from sprig_tui.reconcile.model import Bucket, Destination, EnvironmentReport, Obstacle, Report, Verdict
from sprig_tui.segment.metrics import Granularity

HOUR = 3_600_000
START = 1_795_910_400_000
AGREES, SHORT, MORE, TOO_YOUNG, CANNOT_ASK = Verdict


def bucket(hour: int, verdict: Verdict, distinct: int = 0, received: int | None = 0, **fields: Any) -> Bucket:
    start = START + hour * HOUR
    span = {"span_start": start, "span_end": start + HOUR} if verdict is SHORT else {}
    given = {"distinct": distinct, "sends": distinct, **span, **fields}
    return Bucket(start=start, end=start + HOUR, verdict=verdict, received=received, **given)


def test_neighbours_that_say_the_same_are_one_row() -> None:
    rows = fold(
        [
            *(bucket(hour, AGREES, 10, 10) for hour in range(9)),
            bucket(9, SHORT, 500, 497, short=3),
            bucket(10, SHORT, 20, 18, short=2),
            *(bucket(hour, AGREES) for hour in (11, 12)),
            bucket(13, MORE, 2, 5, more=3),
            bucket(14, MORE, 0, 1, more=1),
            bucket(15, CANNOT_ASK, 7, None, obstacle=Obstacle.PERMISSION),
            bucket(16, CANNOT_ASK, 7, None, obstacle=Obstacle.TOO_OLD),
            bucket(17, TOO_YOUNG, 4, 1),
        ]
    )
    assert [(row.verdict, row.distinct, row.received, row.difference) for row in rows] == [
        (AGREES, 90, 90, 0),
        (SHORT, 500, 497, 3),
        (SHORT, 20, 18, 2),
        (AGREES, 0, 0, 0),
        (MORE, 2, 6, 4),
        (CANNOT_ASK, 7, None, 0),
        (CANNOT_ASK, 7, None, 0),
        (TOO_YOUNG, 4, 1, 0),
    ]
    assert (rows[0].start, rows[0].end) == (START, START + 9 * HOUR)


def test_short_span_of_several_buckets_counts_once() -> None:
    span = {"span_start": START + HOUR, "span_end": START + 3 * HOUR, "short": 1}
    rows = fold([bucket(0, AGREES, 5, 5), bucket(1, SHORT, 5, 5, **span), bucket(2, SHORT, 5, 4, **span)])
    assert [row_text(row) for row in rows] == ["agrees", "short by 1 in this time"]
    assert (rows[1].distinct, rows[1].received) == (10, 9)


@pytest.mark.parametrize(
    ("verdict", "distinct", "received", "repeats", "text"),
    [
        (AGREES, 5, 5, 0, "agrees"),
        (AGREES, 5, 5, 2, "agrees"),
        (AGREES, 5, 7, 2, "agrees, with repeats (2)"),
        (TOO_YOUNG, 5, 0, 0, "too young to say"),
        (CANNOT_ASK, 5, None, 0, "not compared"),
    ],
)
def test_row_says_its_verdict_in_words(
    verdict: Verdict, distinct: int, received: int | None, repeats: int, text: str
) -> None:
    (row,) = fold([bucket(0, verdict, distinct, received, repeats=repeats)])
    assert row_text(row) == text


@pytest.mark.parametrize(
    ("scope", "command"),
    [
        (Scope(None, "24h", None, None, 300.0), "sprig-tui reconcile --replay-short"),
        (
            Scope(None, "24h", None, None, 300.0, ("env:production", "sent:last week")),
            "sprig-tui reconcile --replay-short env:production 'sent:last week'",
        ),
        (
            Scope("production", "24h", "2026-11-23 10:00", "hour", 0.0),
            "sprig-tui reconcile --replay-short -e production --until '2026-11-23 10:00' --by hour --hold-back 0s",
        ),
    ],
)
def test_the_next_step_keeps_the_options_of_the_comparison(scope: Scope, command: str) -> None:
    assert scope.replay_command == command


def test_days_are_named_where_a_range_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert time_range(START, START + HOUR).count(" Nov ") == 1
    assert time_range(START, START + 25 * HOUR).count(" Nov ") == 2
    assert " to " in time_range(START, START + 25 * HOUR)
    assert " 2025 " in time_range(START - 365 * 24 * HOUR, START)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("granularity", "hours", "units"), [("HOUR", 15 * 24, "days"), ("MINUTE", 9, "hours")])
def test_destinations_of_a_long_range_say_in_what_they_are_counted(granularity: str, hours: int, units: str) -> None:
    environment = EnvironmentReport(
        environment="production",
        source_id="src1",
        source_name="Acme",
        granularity=Granularity(granularity),
        buckets=tuple(bucket(hour, AGREES, 1, 1) for hour in range(hours)),
        destinations=(Destination(id="d1", name="Amplitude", verdict=AGREES, delivered=360, filtered=0, failed=0),),
        verdict=AGREES,
    )
    report = Report(
        asked_at=START, since=START, until=START + 15 * 24 * HOUR, event="x", environments=(environment,), requests=1
    )
    lines = list(report_lines(report))
    assert f"  destinations, by whole {units} (UTC):" in lines
    assert len(lines) < 15
    assert lines[-1] == "asked Segment's Public API with 1 request"


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [(None, ""), (0.4, ""), (-119.0, ""), (3600.0, "is 1 h ahead of Segment's"), (-7200.0, "is 2 h behind Segment's")],
)
def test_clock_that_differs_by_more_than_a_comparison_allows_for_is_said(ahead_s: float | None, said: str) -> None:
    assert said in clock_problem(ahead_s)
    assert bool(clock_problem(ahead_s)) == bool(said)
