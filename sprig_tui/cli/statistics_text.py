"""Statistics as text with bars, and as JSON with the filter of each number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from msgspec import Struct

from sprig_tui.cli import output
from sprig_tui.cli.log_format import STATE_STYLES, fit_text
from sprig_tui.formatting import iso_time, local_time
from sprig_tui.journal.records import State, bare_url
from sprig_tui.journal.statistics import Bucket, StateCounts, Statistics, SurveyCounts
from sprig_tui.journal.statistics_filters import StatisticsFilters
from sprig_tui.journal.statistics_labels import UNKNOWN, failure_label, survey_label
from sprig_tui.text import one_line

Grouping = Literal["hour", "day", "survey", "environment", "reason", "failure", "endpoint"]
PIPE_COLUMNS = 80
"""Width where stdout is no terminal."""
MIN_BAR_COLUMNS, MAX_BAR_COLUMNS, MIN_LABEL_COLUMNS, MAX_LABEL_COLUMNS = 10, 60, 16, 36
MAX_ROWS = 100
"""Surveys and endpoints that are listed."""
BAR_SIGNS = {State.DELIVERED: "#", State.FAILED: "x", State.WITHHELD: "-", State.QUEUED: "."}
"""One sign for each state, so that a bar needs no colours; in this order."""

_SHOWN_STATES = {"reason": State.WITHHELD, "failure": State.FAILED}
"""State of what is listed, where it is one."""
_VERBS = {State.WITHHELD: "was withheld", State.FAILED: "failed"}


class _Row(Struct, frozen=True):
    label: str
    numbers: tuple[str, ...]
    """Empty for a row that is a label alone."""
    states: StateCounts


class _Table(Struct, frozen=True):
    headings: tuple[str, ...]
    """The first one is that of the labels."""
    rows: Sequence[_Row]


def statistics_lines(statistics: Statistics, by: Grouping, columns: int) -> Iterator[str]:
    """Totals, a table with bars that fits so many columns (0 where they are unknown), and the filter."""
    filters = StatisticsFilters(statistics)
    period = f"{_minute(statistics.since)} to {_minute(statistics.until)}"
    totals = statistics.totals
    if not totals:
        yield f"nothing arrived from {period}"
        if by not in ("hour", "day") or not any(bucket.answered for bucket in statistics.buckets):
            return
    else:
        yield f"{sum(totals.values()):,} arrived from {period}:"
        yield ", ".join(f"{totals.get(state, 0):,} {state.value}" for state in BAR_SIGNS)
    yield ""
    shown = _SHOWN_STATES.get(by)
    table = _table(statistics, by)
    if not table.rows:
        yield f"nothing {_VERBS[shown]}" if shown else "nothing was sent"
        return
    yield from _table_lines(table, columns or PIPE_COLUMNS)
    yield ""
    signs = (f"{output.paint(sign, STATE_STYLES[state])} {state.value}" for state, sign in BAR_SIGNS.items())
    yield f"bars: {', '.join(signs)}"
    yield f"sprig-tui log {filters.total(shown)}"


def _table(statistics: Statistics, by: Grouping) -> _Table:
    match by:
        case "hour" | "day":
            return _Table(
                (by, "total", "failed", "answered", "median", "p95"),
                [*_bucket_rows(statistics.buckets, by)],
            )
        case "survey":
            return _Table(("survey", "total", "failed", "anonymous"), [_survey_row(one) for one in statistics.surveys])
        case "environment":
            return _state_table("environment", statistics.environments)
        case "endpoint":
            return _state_table("endpoint", {bare_url(url): states for url, states in statistics.endpoints.items()})
        case "reason":
            return _number_table("reason", State.WITHHELD, statistics.reasons)
        case "failure":
            failures = {failure_label(status): number for status, number in statistics.failures.items()}
            return _number_table("failure", State.FAILED, failures)


def _bucket_rows(buckets: Sequence[Bucket], by: Grouping) -> Iterator[_Row]:
    """A row for each time in which something arrived or was answered, and one for a run of empty ones."""
    for is_empty, group in groupby(buckets, lambda bucket: not (bucket.answered or any(bucket.arrived.values()))):
        rows = [_bucket_row(bucket, by) for bucket in group]
        if is_empty and len(rows) > 1:
            yield _Row(f"({len(rows):,} empty {by}s)", rows[0].numbers[:0], {})
        else:
            yield from rows


def _bucket_row(bucket: Bucket, by: Grouping) -> _Row:
    numbers = (
        *_numbers(bucket.arrived),
        f"{bucket.answered:,}",
        f"{bucket.median_ms:,} ms" if bucket.answered else "-",
        f"{bucket.p95_ms:,} ms" if bucket.answered else "-",
    )
    label = _minute(bucket.since)
    return _Row(label[:10] if by == "day" else label, numbers, bucket.arrived)


def _survey_row(survey: SurveyCounts) -> _Row:
    share = f"{survey.anonymous_share:.0%}" if survey.total else "-"
    return _Row(survey_label(survey), (*_numbers(survey.states), share), survey.states)


def _state_table(heading: str, counts: Mapping[str, StateCounts]) -> _Table:
    rows = [_Row(one_line(name) or UNKNOWN, _numbers(states), states) for name, states in counts.items()]
    return _Table((heading, "total", "failed"), rows)


def _number_table(heading: str, state: State, counts: Mapping[str, int]) -> _Table:
    rows = [_Row(one_line(name) or UNKNOWN, (f"{number:,}",), {state: number}) for name, number in counts.items()]
    return _Table((heading, "total"), rows)


def _numbers(states: StateCounts) -> tuple[str, str]:
    return f"{sum(states.values()):,}", f"{states.get(State.FAILED, 0):,}"


def _table_lines(table: _Table, columns: int) -> Iterator[str]:
    rows = table.rows[:MAX_ROWS] if table.headings[0] not in ("hour", "day") else table.rows
    cells = [table.headings[1:], *(row.numbers for row in rows)]
    widths = [max(len(line[at]) for line in cells if line) for at in range(len(table.headings) - 1)]
    longest = max((len(row.label) for row in rows), default=0)
    # a narrow terminal has the first columns alone
    while len(widths) > 1 and min(longest, MIN_LABEL_COLUMNS) + sum(widths) + 2 * len(widths) > columns:
        widths.pop()
    taken = sum(widths) + 2 * len(widths)
    room = max(columns - taken - MIN_BAR_COLUMNS - 2, MIN_LABEL_COLUMNS)
    label_width = max(len(table.headings[0]), min(longest, MAX_LABEL_COLUMNS, room))
    bar_width = min(MAX_BAR_COLUMNS, columns - label_width - taken - 2)
    most = max((sum(row.states.values()) for row in rows), default=0)
    for row in (_Row(table.headings[0], table.headings[1:], {}), *rows):
        figures = "".join(f"  {number:>{width}}" for number, width in zip(row.numbers, widths, strict=False))
        bar = bar_text(row.states, most, bar_width) if bar_width >= MIN_BAR_COLUMNS else ""
        yield f"{fit_text(row.label, label_width)}{figures}  {bar}".rstrip()
    if len(table.rows) > len(rows):
        yield f"and {len(table.rows) - len(rows):,} more; --json has all"


def bar_text(states: StateCounts, most: int, width: int) -> str:
    """A bar whose length is the share of `most`; each state that has deliveries has a sign at least."""
    total = sum(states.values())
    if not total:
        return ""
    signs = {state: 1 for state in BAR_SIGNS if states.get(state)}
    left = max(round(width * total / most), len(signs)) - len(signs)
    parts = []
    rest = total
    for state in signs:
        more = round(left * states[state] / rest)
        rest -= states[state]
        left -= more
        parts.append(output.paint(BAR_SIGNS[state] * (1 + more), STATE_STYLES[state]))
    return "".join(parts)


def _minute(milliseconds: int) -> str:
    return local_time(milliseconds).strftime("%Y-%m-%d %H:%M")


def statistics_json(statistics: Statistics, now: int) -> dict[str, Any]:
    """Everything as JSON; `filter` finds the deliveries of the number or the numbers beside it."""
    filters = StatisticsFilters(statistics)
    return {
        "as_of": iso_time(now),
        "since": iso_time(statistics.since),
        "until": iso_time(statistics.until),
        "unit": statistics.request.unit,
        "environments": [*statistics.request.environments],
        "total": _counts_json(statistics.totals),
        "filter": filters.total(),
        "buckets": [_bucket_json(bucket, filters) for bucket in statistics.buckets],
        "surveys": [
            {
                "id": survey.id,
                "name": survey.name,
                "other": survey.is_other,
                **_counts_json(survey.states),
                "filter": filters.survey(survey),
                "anonymous": survey.anonymous,
                "anonymous_filter": filters.survey(survey, anonymous=True),
            }
            for survey in statistics.surveys
        ],
        "by_environment": [
            {"environment": name, **_counts_json(states), "filter": filters.environment(name)}
            for name, states in statistics.environments.items()
        ],
        "reasons": [
            {"reason": reason, "withheld": number, "filter": filters.reason(reason)}
            for reason, number in statistics.reasons.items()
        ],
        "failures": [
            {"status": status or None, "failed": number, "filter": filters.failure(status)}
            for status, number in statistics.failures.items()
        ],
        "endpoints": [
            {"endpoint": url, **_counts_json(states), "filter": filters.endpoint(url)}
            for url, states in statistics.endpoints.items()
        ],
    }


def _bucket_json(bucket: Bucket, filters: StatisticsFilters) -> dict[str, Any]:
    return {
        "since": iso_time(bucket.since),
        "until": iso_time(bucket.until),
        **_counts_json(bucket.arrived),
        "filter": filters.arrived(bucket),
        "answered": bucket.answered,
        "answered_filter": filters.answered(bucket),
        "per_second": round(bucket.per_second, 3),
        "median_ms": bucket.median_ms if bucket.answered else None,
        "p95_ms": bucket.p95_ms if bucket.answered else None,
    }


def _counts_json(states: StateCounts) -> dict[str, int]:
    return {state.value: states.get(state, 0) for state in State}
