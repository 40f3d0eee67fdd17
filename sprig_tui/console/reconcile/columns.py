"""Columns of the reconcile chart: buckets joined to what fits the width, and each drawn as a bar of glyphs. Pure.

A bar is as high as what we delivered. Each verdict has a sign of its own, so that neither colour nor a good eye for
shades is needed:

█ counted by Segment    ! short: the missing part    + more than we sent    ┊ too young to say    ░ not compared
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sprig_tui.console.widgets.line import TextSpan
from sprig_tui.console.widgets.time_axis import column_cells
from sprig_tui.reconcile.model import Bucket, Verdict, shortfalls

EIGHTHS = " ▁▂▃▄▅▆▇█"
FULL, MISSING, SURPLUS, YOUNG, UNKNOWN, NOTHING = "█", "!", "+", "┊", "░", "·"
VERDICT_STYLES = {
    Verdict.AGREES: "good",
    Verdict.SHORT: "bad",
    Verdict.MORE: "accent",
    Verdict.TOO_YOUNG: "muted",
    Verdict.CANNOT_ASK: "warning",
}
LEGEND = (
    TextSpan(f"{FULL} counted  ", "good"),
    TextSpan(f"{MISSING} short  ", "bad"),
    TextSpan(f"{SURPLUS} more than we sent  ", "accent"),
    TextSpan(f"{YOUNG} too young  ", "muted"),
    TextSpan(f"{UNKNOWN} not compared", "warning"),
)
_JOINED = (1, 2, 3, 4, 6, 8, 12, 24)
"""Numbers of buckets that are joined to a column; hours stay parts of a day."""
_BY_URGENCY = (Verdict.SHORT, Verdict.CANNOT_ASK, Verdict.TOO_YOUNG, Verdict.MORE, Verdict.AGREES)


class Column(NamedTuple):
    """One bar: a bucket, or several in a row where the screen is too narrow for each."""

    buckets: tuple[Bucket, ...]
    verdict: Verdict
    distinct: int
    """Deliveries, each once."""
    missing: int
    """Of those, at least; of a span of several columns in each of them."""

    @property
    def start(self) -> int:
        return self.buckets[0].start

    @property
    def end(self) -> int:
        return self.buckets[-1].end


def make_columns(buckets: Sequence[Bucket], width: int) -> tuple[Column, ...]:
    """The columns for a width in cells, oldest first."""
    needed = -(-len(buckets) // max(1, width))
    joined = next((size for size in _JOINED if size >= needed), needed)
    return tuple(_column(tuple(buckets[at : at + joined])) for at in range(0, len(buckets), joined))


def _column(buckets: tuple[Bucket, ...]) -> Column:
    # an empty bucket says nothing about its neighbours
    verdicts = {bucket.verdict for bucket in buckets if bucket.sends or bucket.received} or {
        bucket.verdict for bucket in buckets
    }
    distinct = sum(bucket.distinct for bucket in buckets)
    missing = sum(one.short for one in shortfalls(buckets))
    return Column(buckets, next(one for one in _BY_URGENCY if one in verdicts), distinct, min(distinct, missing))


def bar_glyphs(column: Column, peak: int, rows: int) -> str:
    """One glyph a row, from the bottom up; `peak` is the number that fills all rows."""
    if not column.distinct:
        sign = SURPLUS if column.verdict is Verdict.MORE else NOTHING
        return sign.ljust(rows)
    eighths = max(1, round(column.distinct * 8 * rows / max(1, peak)))
    cells = -(-eighths // 8)
    match column.verdict:
        case Verdict.SHORT:
            solid = min(cells - 1, (column.distinct - column.missing) * rows // max(1, peak))
            bar = FULL * solid + MISSING * (cells - solid)
        case Verdict.TOO_YOUNG:
            bar = YOUNG * cells
        case Verdict.CANNOT_ASK:
            bar = UNKNOWN * cells
        case _:
            bar = FULL * (eighths // 8) + EIGHTHS[eighths % 8].strip()
    if column.verdict is Verdict.MORE:
        bar = bar[: rows - 1] + SURPLUS
    return bar.ljust(rows)


def chart_rows(columns: Sequence[Column], width: int, rows: int, chosen: int = -1) -> list[list[TextSpan]]:
    """The bars of one environment, the top row first; the chosen column has styles that end in `-chosen`."""
    cells = column_cells(len(columns), width)
    bar, gap = (cells, "") if cells == 1 else (cells - 1, " ")
    peak = max((column.distinct for column in columns), default=0)
    glyphs = [bar_glyphs(column, peak, rows) for column in columns]
    lines = []
    for row in reversed(range(rows)):
        line: list[TextSpan] = []
        for index, column in enumerate(columns):
            glyph = glyphs[index][row]
            style = "muted" if glyph == NOTHING else VERDICT_STYLES[column.verdict] if glyph != FULL else "good"
            line.append(TextSpan(glyph * bar, f"{style}-chosen" if index == chosen else style))
            if gap and index < len(columns) - 1:
                line.append(TextSpan(gap))
        lines.append(line)
    return lines
