"""Entry columns: new deliveries column by column, as they pass between processes and into the tables of a journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Self, overload

from msgspec import Struct
from msgspec.structs import astuple

from sprig_tui.journal.entry_payloads import EntryPack, JoinedBodies, PackedRaws, join_payload_columns, make_packs
from sprig_tui.journal.records import NewDelivery

_FIELDS = NewDelivery.__struct_fields__
_POSITIONS = {name: at for at, name in enumerate(_FIELDS)}
RAW, BODY = _POSITIONS["raw"], _POSITIONS["body"]
EntryRow = tuple[Any, ...]
"""The fields of an entry, in the order of NewDelivery: a tuple takes half the time of a record."""
PLAIN_COLUMNS = _FIELDS[_POSITIONS["detail"] : _POSITIONS["line"] + 1]
"""Columns that the tables hold as they are, under the same names."""


class PackedEntries(Struct, frozen=True, array_like=True):
    """Entries as they pass through a pipe: in few and small values."""

    columns: Sequence[Sequence[Any]] = ((),) * len(_FIELDS)
    """Those that hold one value throughout have it once; records and calls are left out."""
    packs: Sequence[EntryPack] = ()
    bodies: bytes = b""
    """The calls, joined by commas."""
    sizes: Sequence[int] = ()
    """Those of the calls."""


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
    def of_rows(cls, rows: Iterable[EntryRow]) -> Self:
        """The entries with these fields, in the order of NewDelivery."""
        return cls([*zip(*rows, strict=True)] or [()] * len(_FIELDS))

    @classmethod
    def joined(cls, parts: Sequence[Sequence[NewDelivery]]) -> EntryColumns:
        """All entries of some sequences, in order."""
        if len(parts) == 1 and isinstance(parts[0], EntryColumns):
            return parts[0]
        if not any(isinstance(part, EntryColumns) for part in parts):
            parts = ([*chain.from_iterable(parts)],)
        pieces = [
            part.columns if isinstance(part, EntryColumns) else cls.of_rows(map(astuple, part)).columns
            for part in parts
            if part
        ]
        if len(pieces) < 2:
            return cls(pieces[0]) if pieces else cls.of_rows(())
        return cls(
            [
                join_payload_columns(column) if at in {RAW, BODY} else [*chain.from_iterable(column)]
                for at, column in enumerate(zip(*pieces, strict=True))
            ]
        )

    @classmethod
    def from_packed(cls, packed: PackedEntries) -> Self:
        """The entries that were packed; their payloads stay so."""
        number = len(packed.sizes)
        columns: list[Sequence[Any]] = [[*column] * number if len(column) == 1 else column for column in packed.columns]
        columns[RAW], columns[BODY] = PackedRaws(packed.packs), JoinedBodies(packed.bodies, packed.sizes)
        return cls(columns)

    def packed(self) -> PackedEntries:
        """The entries for a pipe, and for `from_packed`."""
        raws, bodies = self.columns[RAW], self.columns[BODY]
        packs = make_packs(raws, bodies, self.column("environment"), self.column("message_id"))
        columns = [column[:1] if _is_uniform(column) else column for column in self.columns]
        columns[RAW] = columns[BODY] = ()
        return PackedEntries(columns, packs, b",".join(bodies), [*map(len, bodies)])

    def packs(self) -> Sequence[EntryPack]:
        """The payloads as a journal stores them."""
        raws = self.columns[RAW]
        if isinstance(raws, PackedRaws):
            return raws.packs
        return make_packs(raws, self.columns[BODY], self.column("environment"), self.column("message_id"))

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
