"""Columns of a list: which of them fit a width, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class SizedColumn(Protocol):
    """A column as far as its width is concerned."""

    @property
    def name(self) -> str: ...

    @property
    def min_cells(self) -> int:
        """Width below which it is useless."""
        ...

    @property
    def max_cells(self) -> int:
        """Width beyond which more room is useless; 0 for no limit."""
        ...

    @property
    def rank(self) -> int:
        """Columns of the highest rank are left out first."""
        ...

    @property
    def share(self) -> int:
        """Share of the spare room; 0 for a column that stays at `min_cells`."""
        ...


ColumnType = TypeVar("ColumnType", bound=SizedColumn)


def columns_that_fit(columns: Iterable[ColumnType], room: int, gap: int) -> tuple[list[ColumnType], int]:
    """The columns that fit, at least one, by rank; and the cells that are left."""
    kept: list[ColumnType] = []
    for column in sorted(columns, key=lambda column: column.rank):
        needed = column.min_cells + (gap if kept else 0)
        if needed > room and kept:
            break
        kept.append(column)
        room -= needed
    return kept, room


def share_room(columns: Sequence[SizedColumn], widths: dict[str, int], room: int) -> None:
    """Add spare cells to the widths of the columns by their shares."""
    while room > 0:
        growing = [
            column
            for column in columns
            if column.share and (not column.max_cells or widths[column.name] < column.max_cells)
        ]
        if not growing:
            break
        chosen = min(growing, key=lambda column: (widths[column.name] - column.min_cells) / column.share)
        widths[chosen.name] += 1
        room -= 1
