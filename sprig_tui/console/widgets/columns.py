"""Columns of a list: those that the user chose, which of them fit a width, and how wide they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from sprig_tui.config.toml_file import nearest_key_hint

MIN_CHOSEN_CELLS, MAX_CHOSEN_CELLS = 3, 300
"""Narrowest and widest column that a user may ask for."""
MARK_CELLS = 2
"""Width of the mark in front of each row."""
MAX_SHOWN_CHARS = 60


class SizedColumn(Protocol):
    """A column as far as its width is concerned."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

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


class PlacedColumn(NamedTuple):
    """A column with its width in the list."""

    name: str
    title: str
    width: int
    gap: int
    """Blank cells after it."""


class ChosenColumn(NamedTuple):
    """A column that the user chose."""

    name: str
    width: int = 0
    """Cells that the user gave it; 0 where it takes what its content needs."""

    @property
    def text(self) -> str:
        """As in the config: `user`, or `user:20`."""
        return f"{self.name}:{self.width}" if self.width else self.name


ColumnType = TypeVar("ColumnType", bound=SizedColumn)


def columns_that_fit(
    columns: Iterable[ColumnType], room: int, gap: int, widths: dict[str, int] | None = None
) -> tuple[list[ColumnType], int]:
    """The first columns that fit, at least one; and the cells that are left.

    `widths` are least widths by name that differ from `min_cells`.
    """
    kept: list[ColumnType] = []
    least = widths or {}
    for column in columns:
        needed = least.get(column.name, column.min_cells) + (gap if kept else 0)
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


def place_chosen(
    columns: Sequence[SizedColumn],
    chosen: Sequence[ChosenColumn],
    room: int,
    gap: int,
    *,
    asked_for: Collection[str] = (),
) -> tuple[PlacedColumn, ...]:
    """The chosen columns in their order, as far as they fit.

    A column with a width of its own gets it, or what is left of the room; the others share the rest. Where the least
    widths do not fit, columns of the highest rank are left out, but last those in `asked_for`: lists have them only for
    who chose them.
    """
    by_name = {column.name: column for column in columns}
    listed = [by_name[one.name] for one in chosen if one.name in by_name]
    wanted = {one.name: one.width for one in chosen if one.width}
    least = {name: min(width, by_name[name].min_cells) for name, width in wanted.items() if name in by_name}
    by_need = sorted(listed, key=lambda column: (column.name not in asked_for, column.rank))
    kept, room = columns_that_fit(by_need, room, gap, least)
    widths = {column.name: least.get(column.name, column.min_cells) for column in kept}
    for name in (one.name for one in chosen if one.width and one.name in widths):
        added = max(0, min(room, wanted[name] - widths[name]))
        widths[name] += added
        room -= added
    share_room([column for column in kept if column.name not in wanted], widths, room)
    return placed(columns=[column for column in listed if column.name in widths], widths=widths, gap=gap)


def placed(columns: Sequence[SizedColumn], widths: dict[str, int], gap: int) -> tuple[PlacedColumn, ...]:
    """The columns in this order with their widths; none has a gap at the end."""
    return tuple(
        PlacedColumn(column.name, column.title, widths[column.name], gap if column is not columns[-1] else 0)
        for column in columns
    )


_CHOICE = re.compile(r"([^:]*)(?::([0-9]{1,6}))?")


def parse_columns(key: str, value: Any, names: Sequence[str]) -> tuple[tuple[ChosenColumn, ...], str]:
    """The columns that a key of the config names, and the problem with them; no columns where there is one."""
    shape = f'write it as {key} = ["{names[0]}", "{names[1]}:20"]'
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return (), f"console.{key} must be a list of texts; {shape}"
    chosen: list[ChosenColumn] = []
    for text in value:
        match = _CHOICE.fullmatch(text)
        name, width = match.groups() if match else (text, None)
        if name not in names:
            shown = repr(name[:MAX_SHOWN_CHARS])
            return (), f"console.{key}: there is no column {shown}; {nearest_key_hint(name[:MAX_SHOWN_CHARS], names)}"
        if match is None or (width and not MIN_CHOSEN_CELLS <= int(width) <= MAX_CHOSEN_CELLS):
            limits = f"a width is {MIN_CHOSEN_CELLS} to {MAX_CHOSEN_CELLS} cells"
            return (), f"console.{key}: {text[:MAX_SHOWN_CHARS]!r}: {limits}, such as {name}:20"
        if any(one.name == name for one in chosen):
            return (), f"console.{key}: the column {name} is named twice; keep one of them"
        chosen.append(ChosenColumn(name, int(width) if width else 0))
    return tuple(chosen), "" if chosen else f"console.{key} names no column; {shape}, or remove it"
