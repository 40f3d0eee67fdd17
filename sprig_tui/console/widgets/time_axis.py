"""Time axis: columns of equal width side by side, and the times below them. Pure."""

from __future__ import annotations

from sprig_tui.console.widgets.line import Line, TextSpan

MAX_COLUMN_CELLS = 6


def column_cells(columns: int, width: int) -> int:
    """Cells of each column, a gap included where it has more than one cell; the last one needs no gap."""
    return max(1, min(MAX_COLUMN_CELLS, (width + 1) // max(1, columns)))


def time_axis(columns: int, width: int, *, chosen: int, label: str, oldest: str, newest: str) -> Line:
    """The chosen time below its column, and the oldest and newest time where there is room."""
    cells = column_cells(columns, width)
    at = chosen * cells
    if at + len(label) + 2 <= width:
        start, text = at, f"▲ {label}"
    else:
        start, text = max(0, at - len(label) - 1), f"{label} ▲"
    before = oldest.ljust(start) if len(oldest) < start else " " * start
    gap = cells * columns - start - len(text) - len(newest)
    after = (TextSpan(" " * gap + newest, "muted"),) if gap > 0 else ()
    return (TextSpan(before, "muted"), TextSpan(text, "strong"), *after)
