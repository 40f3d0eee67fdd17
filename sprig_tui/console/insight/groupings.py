"""Groupings of the insight screen: the bars and charts that each makes of the journal's statistics. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sprig_tui.console.insight.bars import SHADES, Bar, Part, Shade, parts_text
from sprig_tui.console.insight.plots import AXIS_CELLS, Series, line_rows, stacked_rows
from sprig_tui.console.insight.timeline import Chart
from sprig_tui.console.insight.words import (
    MAX_NAME_CHARS,
    bucket_text,
    endpoint_label,
    latency_text,
    share_text,
)
from sprig_tui.console.widgets.line import TextSpan
from sprig_tui.journal.records import State
from sprig_tui.journal.statistics import Bucket, StateCounts, Statistics
from sprig_tui.journal.statistics_filters import StatisticsFilters
from sprig_tui.journal.statistics_labels import UNKNOWN, failure_label, survey_label
from sprig_tui.reasons import reason_label

ANONYMOUS = Shade("anonymous", "▒", "warning")
ANSWERED = Shade("answered", "█", "good")
NOTHING_ARRIVED = "nothing arrived"
_INDENT = TextSpan(" " * AXIS_CELLS)


class Shown(NamedTuple):
    """What the bars are made of."""

    statistics: Statistics
    filters: StatisticsFilters
    buckets: Sequence[Bucket]
    """Those that the timeline has room for, oldest first."""
    bucket: Bucket
    """The chosen one."""
    now: int


class Grouping(NamedTuple):
    """A way to group the deliveries of a period."""

    name: str
    """On the tab bar."""
    title: str
    bars: Callable[[Shown], Sequence[Bar]]
    nothing: str
    """What is said where something arrived, and there is no bar."""
    charts: Callable[[Sequence[Bucket]], Sequence[Chart]] | None = None
    """Over time, above the bars."""
    rows: int = 0
    """Rows that the bars need below the charts."""
    follows_time: bool = False
    """Whether there is a bar for each bucket, newest first, so that the cursor chooses the time."""

    def hint(self, statistics: Statistics) -> str:
        """What is said where there is no bar."""
        return self.nothing if statistics.totals else NOTHING_ARRIVED


def parts_of(states: StateCounts) -> tuple[Part, ...]:
    """The parts of a bar, each state once."""
    return tuple(Part(shade, states.get(state, 0)) for state, shade in SHADES.items())


# -- over time ---------------------------------------------------------------------------------------------------------


def time_bars(shown: Shown) -> Sequence[Bar]:
    """All that arrived in the chosen bucket, and each state of it."""
    parts = parts_of(shown.bucket.arrived)
    total = sum(part.number for part in parts)
    note = f"{bucket_text(shown.bucket, shown.now)}: {parts_text(parts)}"
    bars = [Bar("", "all", parts, partial(shown.filters.arrived, shown.bucket), note=note)]
    for state, part in zip(SHADES, parts, strict=True):
        find = partial(shown.filters.arrived, shown.bucket, state)
        bars.append(Bar(state.value, part.shade.name, (part,), find, share_text(part.number, total), note))
    return bars


def time_charts(buckets: Sequence[Bucket]) -> Sequence[Chart]:
    """Columns of what arrived, by state."""
    columns = [parts_of(bucket.arrived) for bucket in buckets]
    return (Chart((), partial(stacked_rows, columns)),)


def speed_bars(shown: Shown) -> Sequence[Bar]:
    """What was answered in each bucket, newest first, with the latencies."""
    return [_speed_bar(shown, bucket) for bucket in reversed(shown.buckets)]


def _speed_bar(shown: Shown, bucket: Bucket) -> Bar:
    label = bucket_text(bucket, shown.now)
    figure, note = "", "nothing was answered"
    if bucket.answered:
        figure = latency_text(bucket.median_ms)
        note = (
            f"{bucket.answered:,} answered, {bucket.per_second:.2g}/s,"
            f" half within {figure}, 95 % within {latency_text(bucket.p95_ms)}"
        )
    parts = (Part(ANSWERED, bucket.answered),)
    find = partial(shown.filters.answered, bucket)
    return Bar(str(bucket.since), label, parts, find, figure, f"{label}: {note}")


def speed_charts(buckets: Sequence[Bucket]) -> Sequence[Chart]:
    """Two plots: how many were answered per second, and how long that took."""
    rates = Series("answered a second", "good", [bucket.per_second for bucket in buckets])
    median = Series("half within", "accent", [bucket.median_ms if bucket.answered else None for bucket in buckets])
    slow = Series("95 % within", "warning", [bucket.p95_ms if bucket.answered else None for bucket in buckets])
    latency = (
        TextSpan("latency in ms, "),
        TextSpan(f"below: {median.name}", median.style),
        TextSpan(", "),
        TextSpan(f"above: {slow.name}", slow.style),
    )
    return (
        Chart((_INDENT, TextSpan(rates.name, rates.style)), partial(line_rows, (rates,))),
        Chart((_INDENT, *latency), partial(line_rows, (slow, median))),
    )


# -- by group ----------------------------------------------------------------------------------------------------------


class _Group(NamedTuple):
    key: str
    label: str
    parts: tuple[Part, ...]
    find: Callable[[], str]


def _bars(groups: Sequence[_Group]) -> Iterator[Bar]:
    """Bars that are shares of all groups."""
    total = sum(part.number for group in groups for part in group.parts)
    for group in groups:
        figure = share_text(sum(part.number for part in group.parts), total)
        yield Bar(*group, figure, f"{group.label}: {parts_text(group.parts)}")


def survey_bars(shown: Shown) -> Sequence[Bar]:
    """By survey."""
    return [
        *_bars(
            [
                _Group(
                    survey.id,
                    survey_label(survey, limit=MAX_NAME_CHARS),
                    parts_of(survey.states),
                    partial(shown.filters.survey, survey),
                )
                for survey in shown.statistics.surveys
            ]
        )
    ]


def environment_bars(shown: Shown) -> Sequence[Bar]:
    """By environment."""
    return [
        *_bars(
            [
                _Group(name, name or UNKNOWN, parts_of(states), partial(shown.filters.environment, name))
                for name, states in sorted(shown.statistics.environments.items(), key=lambda one: -sum(one[1].values()))
            ]
        )
    ]


def endpoint_bars(shown: Shown) -> Sequence[Bar]:
    """By the URL that the requests went to."""
    return [
        *_bars(
            [
                _Group(url, endpoint_label(url), parts_of(states), partial(shown.filters.endpoint, url))
                for url, states in shown.statistics.endpoints.items()
            ]
        )
    ]


def reason_bars(shown: Shown) -> Sequence[Bar]:
    """Withheld ones by reason."""
    return [
        *_bars(
            [
                _Group(
                    reason,
                    reason_label(reason) or UNKNOWN,
                    (Part(SHADES[State.WITHHELD], count),),
                    partial(shown.filters.reason, reason),
                )
                for reason, count in shown.statistics.reasons.items()
            ]
        )
    ]


def failure_bars(shown: Shown) -> Sequence[Bar]:
    """Failed ones by the last HTTP status."""
    return [
        *_bars(
            [
                _Group(
                    str(status),
                    failure_label(status),
                    (Part(SHADES[State.FAILED], count),),
                    partial(shown.filters.failure, status),
                )
                for status, count in shown.statistics.failures.items()
            ]
        )
    ]


def anonymous_bars(shown: Shown) -> Sequence[Bar]:
    """Anonymous ones by survey, most first, each with its share of the survey."""
    return [
        Bar(
            survey.id,
            label := survey_label(survey, limit=MAX_NAME_CHARS),
            (Part(ANONYMOUS, survey.anonymous),),
            partial(shown.filters.survey, survey, anonymous=True),
            share_text(survey.anonymous, survey.total),
            f"{label}: {survey.anonymous:,} of {survey.total:,} answers are anonymous",
        )
        for survey in sorted(shown.statistics.surveys, key=lambda survey: -survey.anonymous)
        if survey.anonymous
    ]


GROUPINGS = (
    Grouping("time", "over time", time_bars, NOTHING_ARRIVED, time_charts, rows=5),
    Grouping("survey", "by survey", survey_bars, NOTHING_ARRIVED),
    Grouping("environment", "by environment", environment_bars, NOTHING_ARRIVED),
    Grouping("reason", "withheld, by reason", reason_bars, "nothing was withheld"),
    Grouping("failure", "failed, by HTTP status", failure_bars, "nothing failed"),
    Grouping("endpoint", "by endpoint", endpoint_bars, "nothing was sent"),
    Grouping("speed", "speed", speed_bars, "nothing was answered", speed_charts, rows=6, follows_time=True),
    Grouping("anonymous", "anonymous answers, by survey", anonymous_bars, "no answer is anonymous"),
)
