"""Search in the records of an open file: all that match a filter, and the next one from a place. Runs in threads."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from threading import Event

from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.ingest.prefetch import SHORT_SWITCH_INTERVAL
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.sprig.held_input import StopCheck
from sprig_tui.sprig.records import Record


class RecordFilter:
    """What the list shows: the records that a query matches, or only those of them that have a problem."""

    def __init__(self, query: Query = MATCH_ALL, *, only_problems: bool = False) -> None:
        self.query = query
        self.only_problems = only_problems

    def __bool__(self) -> bool:
        return bool(self.query.terms) or self.only_problems

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordFilter):
            return NotImplemented
        return (self.query, self.only_problems) == (other.query, other.only_problems)

    __hash__ = None  # type: ignore[assignment] # a filter is no key

    @property
    def text(self) -> str:
        """The filter as a title shows it."""
        parts = [f"/{self.query.text}" if self.query.terms else "", "with problems" if self.only_problems else ""]
        return ", ".join(filter(None, parts))

    def matches(self, number: int, record: Record, assessor: RecordAssessor) -> bool:
        """Whether the record is shown."""
        return assessor.matches(number, record, self.query, only_problems=self.only_problems)


class RecordSearch:
    """Numbers of the matching records, in order; a thread adds to them, the screen reads them at any time."""

    def __init__(self, file: RecordFile, wanted: RecordFilter) -> None:
        self.file = file
        self.wanted = wanted
        self.numbers = array("q")
        self.searched = 0
        """Number of records looked at."""
        self.complete = False
        self._stopped = Event()

    def stop(self) -> None:
        """End the thread soon."""
        self._stopped.set()

    def run(self, assessor: RecordAssessor) -> None:
        """Look at every record. Raises InputError where the file cannot be read, StoppedError when stopped."""
        with SHORT_SWITCH_INTERVAL:
            for number, record in self.file.each(self._stopped.is_set):
                if self.wanted.matches(number, record, assessor):
                    self.numbers.append(number)
                self.searched = number + 1
        self.complete = True

    @property
    def share(self) -> float:
        """Searched share of the file, 0 to 1; 0 while its records are still counted."""
        if self.complete:
            return 1.0
        return min(0.99, self.searched / max(self.file.count, 1)) if self.file.complete else 0.0

    def has_passed(self, number: int) -> bool:
        """Whether it is known if the record matches."""
        return self.complete or self.searched > number

    def position(self, number: int) -> int:
        """The place of a record among the matches, or of the first match after it."""
        return bisect_left(self.numbers, number)

    def neighbour(self, number: int, step: int) -> int | None:
        """The nearest match after (step 1) or before (step -1) record `number`, of those found so far."""
        at = self.position(number)
        at = at - 1 if step < 0 else at + (number in self)
        return self.numbers[at] if 0 <= at < len(self.numbers) else None

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = self.position(number)
        return at < len(self.numbers) and self.numbers[at] == number


def find_next(
    file: RecordFile, wanted: RecordFilter, start: int, step: int, assessor: RecordAssessor, stop: StopCheck
) -> int | None:
    """The nearest match after (step 1) or before (step -1) record `start`, else the first one from the other end.

    None where nothing matches. Raises as `RecordSearch.run` does.
    """

    def matches(number: int, record: Record) -> bool:
        return wanted.matches(number, record, assessor)

    with SHORT_SWITCH_INTERVAL:
        if step < 0:
            found = file.find_before(start, matches, stop)
            return found if found is not None else file.find_before(file.count, matches, stop)
        for first, end in ((start + 1, None), (0, start + 1)):
            for number, record in file.from_number(first, stop):
                if end is not None and number >= end:
                    break
                if matches(number, record):
                    return number
    return None
