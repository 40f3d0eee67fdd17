"""Entry columns: new deliveries column by column, as they pass between processes and into the tables of a journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Self, overload

from msgspec.structs import astuple

from sprig_tui.journal.records import NewDelivery

_FIELDS = NewDelivery.__struct_fields__
_POSITIONS = {name: at for at, name in enumerate(_FIELDS)}
PLAIN_COLUMNS = _FIELDS[_POSITIONS["detail"] : _POSITIONS["line"] + 1]
"""Columns that the tables hold as they are, under the same names."""


class EntryColumns(Sequence[NewDelivery]):
    """Entries that are made records only where somebody asks for them.

    The columns are the fields of NewDelivery, in its order. A step that looks at a column costs a fraction of one that
    looks at a field of each record, and so does passing columns to another process or to a statement.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        self.columns = columns

    @classmethod
    def of(cls, entries: Sequence[NewDelivery]) -> EntryColumns:
        """The entries as columns."""
        return entries if isinstance(entries, EntryColumns) else cls.joined((entries,))

    @classmethod
    def joined(cls, parts: Sequence[Sequence[NewDelivery]]) -> EntryColumns:
        """All entries of some sequences, in order."""
        if len(parts) == 1 and isinstance(parts[0], EntryColumns):
            return parts[0]
        if not any(isinstance(part, EntryColumns) for part in parts):
            parts = ([*chain.from_iterable(parts)],)
        columns: list[list[Any]] = [[] for _ in _FIELDS]
        for part in parts:
            piece = part.columns if isinstance(part, EntryColumns) else zip(*map(astuple, part), strict=True)
            for column, values in zip(columns, piece, strict=False):
                column.extend(values)
        return cls(columns)

    @classmethod
    def from_short(cls, columns: Sequence[Sequence[Any]], entries: int) -> Self:
        """The columns of so many entries whose `short_columns` these are."""
        return cls([[*column] * entries if len(column) == 1 else column for column in columns])

    def short_columns(self) -> list[Sequence[Any]]:
        """The columns for `from_short`: those that hold one value throughout have it once."""
        return [column[:1] if _is_uniform(column) else column for column in self.columns]

    def column(self, field: str) -> Sequence[Any]:
        """The values of this field of NewDelivery."""
        return self.columns[_POSITIONS[field]]

    def common(self, field: str) -> Any:
        """The value of this field that all entries have; None if they have several, and without entries."""
        column = self.columns[_POSITIONS[field]]
        return column[0] if _is_uniform(column) else None

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[NewDelivery]:
        return map(NewDelivery, *self.columns)

    @overload
    def __getitem__(self, at: int) -> NewDelivery: ...
    @overload
    def __getitem__(self, at: slice) -> EntryColumns: ...
    def __getitem__(self, at: int | slice) -> NewDelivery | EntryColumns:
        if isinstance(at, slice):
            return EntryColumns([column[at] for column in self.columns])
        return NewDelivery(*[column[at] for column in self.columns])


def _is_uniform(column: Sequence[Any]) -> bool:
    # most columns that differ do so at the ends
    return bool(column) and column[0] == column[-1] and column.count(column[0]) == len(column)
