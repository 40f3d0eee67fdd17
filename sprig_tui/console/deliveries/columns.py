"""Which columns of the log fit a width, and how wide each is: worked out from the width alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

ColumnName = Literal[
    "id", "time", "environment", "survey", "user", "type", "answer", "state", "status", "attempts", "result"
]
"""`result` is the latency of what was delivered, and else the reason or the error."""


class Column(NamedTuple):
    """A column as it may be."""

    name: ColumnName
    title: str
    min_cells: int
    """Cells under which it says nothing."""
    max_cells: int
    """Cells beyond which it gains nothing; 0 for no bound."""
    rank: int
    """The lower, the longer it stays when there is little room."""
    share: int = 0
    """Its part of what room is left over; 0 for a column of `least` cells."""


TIME = Column("time", "time", 8, 12, 1)
"""To the second, or to the millisecond: nothing between the two is of use."""
COLUMNS = (
    Column("id", "id", 6, 9, 12, share=1),
    TIME,
    Column("environment", "env", 11, 14, 8, share=1),
    Column("survey", "survey", 10, 32, 4, share=5),
    Column("user", "user", 8, 24, 5, share=3),
    Column("type", "type", 6, 14, 11, share=1),
    Column("answer", "answer", 8, 36, 6, share=4),
    Column("state", "state", 9, 9, 2),
    Column("status", "http", 4, 4, 7),
    Column("attempts", "tries", 5, 5, 9),
    Column("result", "result", 9, 0, 3, share=12),
)
"""In the order of the log."""

WIDE_MIN_CELLS = 150
"""Cells from which on there are numbers and milliseconds, and columns two apart: below, room is for the result."""
MARK_CELLS = 2
"""In front of each row: whether it is marked."""


class PlacedColumn(NamedTuple):
    """A column as it stands in the log."""

    name: ColumnName
    title: str
    width: int
    gap: int
    """Blank cells behind it."""


@lru_cache(maxsize=64)
def place_columns(width: int) -> tuple[PlacedColumn, ...]:
    """The columns for a log of so many cells; together with the marks they fill it exactly where it is wide enough.

    The least important columns give way first; what is left over goes to those that gain by it.
    """
    gap = 2 if width >= WIDE_MIN_CELLS else 1
    room = width - MARK_CELLS
    kept: list[Column] = []
    for column in sorted(COLUMNS, key=lambda one: one.rank):
        if column.name == "id" and width < WIDE_MIN_CELLS:
            continue
        needed = column.min_cells + (gap if kept else 0)
        if needed > room and kept:
            break
        kept.append(column)
        room -= needed
    widths = {column.name: column.min_cells for column in kept}
    if width >= WIDE_MIN_CELLS and room >= TIME.max_cells - TIME.min_cells:
        room -= TIME.max_cells - TIME.min_cells
        widths["time"] = TIME.max_cells
    while room > 0:
        growing = [
            column
            for column in kept
            if column.share and (not column.max_cells or widths[column.name] < column.max_cells)
        ]
        if not growing:
            break
        hungriest = min(growing, key=lambda one: (widths[one.name] - one.min_cells) / one.share)
        widths[hungriest.name] += 1
        room -= 1
    ordered = [column for column in COLUMNS if column.name in widths]
    return tuple(
        PlacedColumn(column.name, column.title, widths[column.name], gap if column is not ordered[-1] else 0)
        for column in ordered
    )
