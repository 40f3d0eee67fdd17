"""Edited records that were not sent yet, by the place they were read from."""

from __future__ import annotations

from typing import NamedTuple

from sprig_tui.console.payload.record_browser import RecordRef
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.records import Record


class RecordEdit(NamedTuple):
    """A record as edited by the user, and what it replaces."""

    record: Record
    before: bytes
    """The record as read, to notice that the file has another one in that place by now."""
    detail: DeliveryDetail | None
    """The delivery, where the edited record is one."""


class RecordEdits:
    """The edits of a console session. They are in memory only; the files stay as they are."""

    def __init__(self) -> None:
        self._by_place: dict[RecordRef, RecordEdit] = {}

    def __len__(self) -> int:
        return len(self._by_place)

    def __contains__(self, place: object) -> bool:
        return place in self._by_place

    def get(self, place: RecordRef | None) -> RecordEdit | None:
        """The edit of a place; None where there is none."""
        return self._by_place.get(place) if place is not None else None

    def at(self, place: RecordRef, record: Record) -> Record | None:
        """`record` of this place as edited; None where it was not, or where another record was edited there.

        Callable in any thread.
        """
        edit = self._by_place.get(place)
        return edit.record if edit is not None and edit.before == record.raw else None

    def keep(self, place: RecordRef, record: Record, *, before: bytes, detail: DeliveryDetail | None) -> None:
        """Keep an edit; where the place was edited before, what it replaces stays that of the first edit."""
        first = self._by_place.get(place) or RecordEdit(record, before, detail)
        self._by_place[place] = first._replace(record=record)

    def remove(self, place: RecordRef | None) -> RecordEdit | None:
        """Remove the edit of a place and return it; None where there is none."""
        return self._by_place.pop(place, None) if place is not None else None

    def count_in(self, files: tuple[InputSource, ...]) -> int:
        """The number of edited records of these files."""
        return sum(place.files == files for place in self._by_place)
