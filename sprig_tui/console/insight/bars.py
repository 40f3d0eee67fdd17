"""Bars of the insight screen: a line for each group of deliveries, its parts as glyphs of their own. Pure.

█ delivered    ○ queued    ▒ withheld    ✗ failed

Each part has a glyph of its own, in ASCII too, so that neither colour nor a good eye for shades is needed. Names
of strangers become printable where the line is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.journal.records import State
from sprig_tui.text import one_line

EIGHTHS = " ▏▎▍▌▋▊▉"
MAX_LABEL_CELLS = 44
MAX_LABEL_SHARE = 0.4
"""Of the width, for the labels."""
MIN_LABEL_CELLS = 8
MIN_BAR_CELLS = 4
GAP = TextSpan("  ")


class Shade(NamedTuple):
    """How a part of a bar is drawn, and what it is."""

    name: str
    glyph: str
    style: str


SHADES = {
    State.DELIVERED: Shade("delivered", "█", "good"),
    State.QUEUED: Shade("queued", "○", "accent"),
    State.WITHHELD: Shade("withheld", "▒", "warning"),
    State.FAILED: Shade("failed", "✗", "bad"),
}
"""By state, in the order of the parts."""


class Part(NamedTuple):
    """A number of deliveries and how it is drawn."""

    shade: Shade
    number: int


class Bar(NamedTuple):
    """A group of deliveries."""

    key: str
    """Identity among the bars, so that the cursor stays on it when the numbers change."""
    label: str
    parts: tuple[Part, ...]
    find: Callable[[], str]
    """Gives the filter text of these deliveries; empty where no filter finds them."""
    figure: str = ""
    """Beside the number, such as `12 %`."""
    note: str = ""
    """What is said of it below the bars."""

    @property
    def total(self) -> int:
        """Deliveries."""
        return sum(part.number for part in self.parts)


def split_cells(counts: Sequence[int], cells: int) -> list[int]:
    """So many cells shared by counts; each that is not zero gets one where there are enough."""
    total = sum(counts)
    if not total or cells < 1:
        return [0] * len(counts)
    shares = [count * cells / total for count in counts]
    given = [max(1, int(share)) if count else 0 for share, count in zip(shares, counts, strict=True)]
    by_rest = sorted(range(len(counts)), key=lambda at: shares[at] - given[at])
    while sum(given) > cells:
        given[next(at for at in by_rest if given[at] == max(given))] -= 1
    while sum(given) < cells:
        given[by_rest[-1]] += 1
        by_rest.sort(key=lambda at: shares[at] - given[at])
    return given


def bar_spans(parts: Sequence[Part], cells: int, peak: int) -> list[TextSpan]:
    """The glyphs of a bar that is as long as its share of `peak`, padded to `cells`; never empty for a count."""
    total = sum(part.number for part in parts)
    if not total or cells < 1:
        return [TextSpan(" " * max(0, cells))]
    exact = total * cells / max(1, peak)
    length = min(cells, max(1, round(exact)))
    shared = split_cells([part.number for part in parts], length)
    spans = [TextSpan(part.shade.glyph * given, part.shade.style) for part, given in zip(parts, shared, strict=True)]
    return [*(span for span in spans if span.text), TextSpan(" " * (cells - length))]


class BarLayout(NamedTuple):
    """Widths of the parts of a line, in cells."""

    label: int
    bar: int
    number: int
    figure: int


def bar_layout(bars: Sequence[Bar], width: int) -> BarLayout:
    """The widths at which all bars fit."""
    number = max((len(f"{bar.total:,}") for bar in bars), default=1)
    figure = max((len(bar.figure) for bar in bars), default=0)
    longest = max((cell_len(one_line(bar.label, limit=MAX_LABEL_CELLS)) for bar in bars), default=0)
    room = width - number - figure - 3 * len(GAP.text)
    label = min(longest, MAX_LABEL_CELLS, max(MIN_LABEL_CELLS, int(width * MAX_LABEL_SHARE)), room - MIN_BAR_CELLS)
    label = max(1, label)
    return BarLayout(label, max(0, room - label), number, figure)


def bar_line(bar: Bar, layout: BarLayout, peak: int) -> Line:
    """The line of a bar; `peak` is the number of the longest one."""
    return (
        TextSpan(one_line(bar.label, limit=4 * MAX_LABEL_CELLS), "", layout.label),
        GAP,
        *bar_spans(bar.parts, layout.bar, peak),
        GAP,
        TextSpan(f"{bar.total:>{layout.number},}", "strong"),
        GAP,
        TextSpan(f"{bar.figure:>{layout.figure}}", "muted"),
    )


def parts_text(parts: Iterable[Part]) -> str:
    """The parts in words, such as `1,204 delivered, 3 failed`."""
    return ", ".join(f"{part.number:,} {part.shade.name}" for part in parts if part.number) or "nothing"
