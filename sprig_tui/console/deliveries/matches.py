"""Which deliveries the log shows, as ids alone: what turns a line number into a delivery and back.

A journal may hold a million deliveries, and a filter may match any of them; a list that can be scrolled anywhere at
once has to know, for each of its lines, which delivery stands there. Eight bytes each do for that. Two arrays:

    older   newest first, from where the search began; the search appends as it goes back
    newer   oldest first; what arrived since is appended

so that both grow at their ends, and line 0 is the last of `older`. Ids grow with time, so both are sorted and an id is
found by halving. A journal without a filter and without gaps needs no array: `older` is a range.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

_MAX_LIST_IDS = 8
"""Single removals from an array cost less than building it again up to about here."""


class MatchIndex:
    """Ids in order of arrival, by position: 0 is the oldest that is known."""

    def __init__(self, *, newest: int = 0) -> None:
        """`newest`: the search begins there; ids beyond it count as arrived since."""
        self._older: array[int] | range = array("q")
        self._newer: array[int] = array("q")
        self._initial_newest = newest
        self.complete = False
        """Whether the search has come to the oldest delivery."""

    @classmethod
    def of_everything(cls, oldest: int, newest: int) -> MatchIndex:
        """All ids of a journal that has every one of them."""
        made = cls(newest=newest)
        made._older = range(newest, oldest - 1, -1)
        made.complete = True
        return made

    def __len__(self) -> int:
        return len(self._older) + len(self._newer)

    def __getitem__(self, position: int) -> int:
        """The id at a position from 0."""
        older = len(self._older)
        return self._older[older - 1 - position] if position < older else self._newer[position - older]

    def slice(self, first: int, last: int) -> list[int]:
        """Ids at positions `first` (included) to `last` (excluded), as far as there are such."""
        return [self[position] for position in range(max(0, first), min(last, len(self)))]

    def position(self, delivery_id: int) -> int:
        """Where an id stands, or where it would: how many are older."""
        older = len(self._older)
        if delivery_id > self._initial_newest:
            return older + bisect_left(self._newer, delivery_id)
        return older - bisect_right(self._older, -delivery_id, key=lambda known: -known)

    def __contains__(self, delivery_id: object) -> bool:
        if not isinstance(delivery_id, int):
            return False
        position = self.position(delivery_id)
        return position < len(self) and self[position] == delivery_id

    @property
    def newest(self) -> int:
        """The newest id; 0 for none."""
        return self[len(self) - 1] if len(self) else 0

    def add_older(self, ids: Iterable[int]) -> None:
        """What the search found, newest first, each older than all before."""
        self._mutable_older().extend(ids)

    def add_newer(self, ids: Iterable[int]) -> int:
        """What arrived, oldest first; returns how many of them are new here."""
        before = len(self._newer)
        newest = max(self._initial_newest, self._newer[-1] if before else 0)
        self._newer.extend(one for one in ids if one > newest)
        return len(self._newer) - before

    def insert(self, delivery_id: int) -> bool:
        """One that matches since it changed, wherever it stands in time; False where it was here already."""
        if delivery_id in self:
            return False
        position = self.position(delivery_id)
        older = len(self._older)
        if delivery_id > self._initial_newest:
            self._newer.insert(position - older, delivery_id)
        else:
            self._mutable_older().insert(older - position, delivery_id)
        return True

    def remove(self, ids: Iterable[int]) -> int:
        """Those that match no longer; returns how many were here."""
        gone = [one for one in ids if one in self]
        if len(gone) <= _MAX_LIST_IDS:
            for one in gone:
                older = self._mutable_older() if one <= self._initial_newest else self._newer
                position = self.position(one)
                del older[
                    len(self._older) - 1 - position if one <= self._initial_newest else position - len(self._older)
                ]
        else:
            without = set(gone)
            self._older = array("q", (one for one in self._older if one not in without))
            self._newer = array("q", (one for one in self._newer if one not in without))
        return len(gone)

    def _mutable_older(self) -> array[int]:
        if not isinstance(self._older, array):
            self._older = array("q", self._older)
        return self._older
