"""Plots of the insight screen: columns of glyphs and lines of braille dots over time. Pure.

Both have the numbers of the vertical axis on their left and a column for each time, so that they can stand below each
other. plotille draws the lines: it gives dots, the styles are those of the console's themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from sprig_tui.console.insight.bars import Part, split_cells
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.time_axis import column_cells

CHOSEN = "-chosen"
"""End of the style names of the chosen column."""
NUMBER_CELLS = 6
AXIS_CELLS = NUMBER_CELLS + 2
"""Cells left of the columns."""
NOTHING = "·"
_NO_DOTS = "\u2800"


class Series(NamedTuple):
    """Numbers over time, one for each column."""

    name: str
    style: str
    values: Sequence[float | None]
    """None where nothing is known: the line has a gap."""


def short_number(number: float) -> str:
    """In at most five characters: `0.25`, `12`, `9,999`, `12.3k`, `4.5M`."""
    if number < 10 and number != int(number):
        return f"{number:.2g}" if number >= 0.01 else "<0.01"
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= scale:
            shown = number / (scale if unit != "k" else 1e3)
            return f"{shown:.1f}{unit}" if shown < 100 else f"{round(shown)}{unit}"
    return f"{round(number):,}"


def nice_top(highest: float) -> float:
    """The end of the axis: the least round number that is not below the highest one."""
    if highest <= 0:
        return 1.0
    scale = 1.0
    while scale * 10 <= highest:
        scale *= 10
    while scale > highest:
        scale /= 10
    return next(
        step * scale for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * scale >= highest * 0.999_999
    )


def stacked_rows(columns: Sequence[Sequence[Part]], width: int, rows: int, chosen: int = -1) -> list[Line]:
    """A bar upwards for each column, its parts on top of each other; the top row first."""
    cells = column_cells(len(columns), width)
    top = nice_top(max((sum(part.number for part in parts) for parts in columns), default=0))
    stacks = [_stack(parts, top, rows) for parts in columns]
    lines: list[Line] = []
    for row in reversed(range(rows)):
        spans = [_axis_span(top, row, rows, whole=True)]
        for index, stack in enumerate(stacks):
            glyph, style = stack[row]
            bar, gap = (cells, 0) if cells == 1 else (cells - 1, 1)
            spans.append(TextSpan(glyph * bar, style + CHOSEN if index == chosen else style))
            spans.append(TextSpan(" " * gap))
        lines.append(spans)
    return lines


def _stack(parts: Sequence[Part], top: float, rows: int) -> list[tuple[str, str]]:
    """Glyph and style of each row, from the bottom up."""
    total = sum(part.number for part in parts)
    height = min(rows, max(1, round(total * rows / top))) if total else 0
    shared = split_cells([part.number for part in parts], height)
    stack = [
        (part.shade.glyph, part.shade.style) for part, given in zip(parts, shared, strict=True) for _ in range(given)
    ]
    stack += [(" ", "")] * (rows - len(stack))
    if not total and rows:
        stack[0] = (NOTHING, "muted")
    return stack


def line_rows(series: Sequence[Series], width: int, rows: int, chosen: int = -1) -> list[Line]:
    """The series as lines of dots over each other, the last one in front; the top row first."""
    count = max((len(one.values) for one in series), default=0)
    if not count or rows < 1:
        return []
    cells = column_cells(count, width)
    known = [value for one in series for value in one.values if value is not None]
    top = nice_top(max(known, default=0.0))
    drawn = [(_dots(tuple(one.values), cells * count, rows, top), one.style) for one in series]
    lines: list[Line] = []
    for row in range(rows):
        glyphs = [_cell([(dots[row][at], style) for dots, style in drawn]) for at in range(cells * count)]
        styles = [
            style + CHOSEN if at // cells == chosen and not (cells > 1 and at % cells == cells - 1) else style
            for at, (_, style) in enumerate(glyphs)
        ]
        spans = [_axis_span(top, rows - 1 - row, rows)]
        for style, run in groupby(range(len(glyphs)), styles.__getitem__):
            spans.append(TextSpan("".join(glyphs[at][0] for at in run), style))
        lines.append(spans)
    return lines


@lru_cache(8)
def _dots(values: tuple[float | None, ...], width: int, rows: int, top: float) -> list[str]:
    """The rows of one line; kept, since choosing another column changes only styles."""
    # imported here: the console has no plots before this screen is opened
    from plotille import Canvas

    # a point on the upper edge would be outside
    canvas = Canvas(width, rows, xmin=0, ymin=0, xmax=len(values), ymax=top * (1 + 1 / (4 * rows)))
    before: tuple[float, float] | None = None
    for index, value in enumerate(values):
        if value is None:
            before = None
            continue
        # in the middle of its column
        point = index + 0.5, max(0.0, min(float(value), top))
        if before is None:
            canvas.point(*point)
        else:
            canvas.line(*before, *point)
        before = point
    text: str = canvas.plot("\n")
    return text.split("\n")


def _cell(layers: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """One cell of several lines: all of their dots, in the style of the one in front."""
    bits, style = 0, ""
    for glyph, name in layers:
        if glyph != _NO_DOTS:
            bits |= ord(glyph) - ord(_NO_DOTS)
            style = name
    return (chr(ord(_NO_DOTS) + bits) if bits else " "), style


def _axis_span(top: float, row: int, rows: int, *, whole: bool = False) -> TextSpan:
    """The number and the line left of a row, counted from the bottom; `whole`: of things that are counted."""
    number = ""
    if row == rows - 1:
        number = short_number(top)
    elif row == 0:
        number = "0"
    elif rows >= 7 and row == (rows - 1) // 2 and rows % 2 and (top / 2 == int(top / 2) or not whole):
        number = short_number(top / 2)
    return TextSpan(f"{number:>{NUMBER_CELLS}} {'┤' if number else '│'}", "muted")
