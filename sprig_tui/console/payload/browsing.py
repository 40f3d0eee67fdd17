"""Moving through the records of an open file: one at a time, by number, or from one that is in trouble to the next."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from threading import Event

from sprig_tui.console.payload.inspection import has_problems
from sprig_tui.console.payload.record_file import RecordFile, StoppedError
from sprig_tui.console.payload.summary import RecordPosition
from sprig_tui.errors import InputError
from sprig_tui.intake import EntryBuilder
from sprig_tui.sprig.reading import find_files
from sprig_tui.sprig.records import Record


def _existing_files(sources: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[InputError, ...]]:
    """The sources that can be opened, and why the others cannot."""
    there: list[str] = []
    missing: list[InputError] = []
    for source in sources:
        try:
            find_files([source])
        except InputError as error:
            missing.append(error)
        else:
            there.append(source)
    return tuple(there), tuple(missing)


class ProblemIndex:
    """The numbers of the records in trouble, as far as they are known; filled by a thread, read by the screen."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.complete = False

    def next(self, number: int, step: int) -> int | None:
        """The nearest one after (step 1) or before (step -1) record `number`."""
        if step > 0:
            at = bisect_right(self.numbers, number)
            return self.numbers[at] if at < len(self.numbers) else None
        at = bisect_left(self.numbers, number)
        return self.numbers[at - 1] if at else None

    def rank(self, number: int) -> int:
        """Which of them a record is, from 1; 0 where it is none."""
        at = bisect_left(self.numbers, number)
        return at + 1 if at < len(self.numbers) and self.numbers[at] == number else 0


class RecordBrowser:
    """An open file and the record that is looked at. Reading goes on in threads, which `close` ends."""

    def __init__(self, file: RecordFile, missing: tuple[InputError, ...] = ()) -> None:
        self.file = file
        self.missing = missing
        """Why some of the sources that were asked for are not among it."""
        self.number = 0
        """The record asked for last, from 0."""
        self.problems: ProblemIndex | None = None
        """Set while only troubled records are wanted."""
        self.counting = False
        """Whether `count` goes on."""
        self._closed = Event()
        self._reading = Event()

    @classmethod
    async def open(cls, sources: tuple[str, ...]) -> RecordBrowser:
        """Of several sources those that can be opened; raises InputError as RecordFile does where none can."""
        if len(sources) < 2:
            return cls(await asyncio.to_thread(RecordFile, sources))
        there, missing = await asyncio.to_thread(_existing_files, sources)
        if missing and not there:
            raise missing[0]
        return cls(await asyncio.to_thread(RecordFile, there), missing)

    def close(self) -> None:
        """End what is still being read."""
        self._closed.set()
        self._reading.set()

    async def read(self, number: int) -> Record | None:
        """Record `number`, None past the end; a read that is still under way is given up, and raises StoppedError.

        Raises InputError when the file is gone or has changed.
        """
        self._reading.set()
        kept = self.file.cached(number)
        if kept is not None:
            return kept
        stop = self._reading = Event()
        while self.is_ahead(number):
            # The count comes by there and leaves marks; reading beside it would take both twice as long.
            await asyncio.sleep(0.05)
            if stop.is_set():
                raise StoppedError
        return await asyncio.to_thread(self.file.read, number, stop.is_set)

    def is_ahead(self, number: int) -> bool:
        """Whether the record lies where the count still has to come by."""
        return self.counting and self.file.seekable and number >= self.file.count

    async def count(self) -> None:
        """Count to the end; raises InputError, and StoppedError when closed."""
        self.counting = True
        try:
            await asyncio.to_thread(self.file.count_on, self._closed.is_set)
        finally:
            self.counting = False

    async def find_problems(self, problems: ProblemIndex, intake: EntryBuilder, now_ms: int) -> None:
        """Look at every record for trouble, until that is done or no longer wanted.

        The intake is for this alone. Raises InputError.
        """

        def stop() -> bool:
            return self._closed.is_set() or self.problems is not problems

        def look() -> None:
            for number, record in self.file.each(stop):
                if has_problems(record, intake, now_ms):
                    problems.numbers.append(number)
            problems.complete = True

        try:
            await asyncio.to_thread(look)
        except StoppedError:
            return

    @property
    def busy(self) -> bool:
        """Whether counting or looking for trouble goes on."""
        return not self.file.complete or (self.problems is not None and not self.problems.complete)

    def position(self) -> RecordPosition:
        """Where the record stands."""
        troubled = None
        if self.problems is not None:
            troubled = (self.problems.rank(self.number), len(self.problems.numbers), self.problems.complete)
        return RecordPosition(
            self.file.name, self.number + 1, max(self.file.count, self.number + 1), self.file.complete, troubled
        )
