"""Record browser: an open file, which threads read, count and search for problems, and the record that is shown."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from threading import Event
from typing import NamedTuple

from sprig_tui.console.payload.inspection import PlanCheck, has_problems, no_plan
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.summary import RecordPosition
from sprig_tui.errors import InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.sprig.held_input import InputSource, StopCheck, StoppedError, never_stop
from sprig_tui.sprig.reader import find_files
from sprig_tui.sprig.records import Record


class RecordRef(NamedTuple):
    """The place of a record: its number, from 0, in files; or the number of a delivery, and no files."""

    files: tuple[InputSource, ...]
    number: int


def _existing_files(sources: tuple[InputSource, ...]) -> tuple[tuple[InputSource, ...], tuple[InputError, ...]]:
    """The sources that can be opened, and why the others cannot."""
    existing: list[InputSource] = []
    missing: list[InputError] = []
    for source in sources:
        try:
            if isinstance(source, str):
                find_files([source])
        except InputError as error:
            missing.append(error)
        else:
            existing.append(source)
    return tuple(existing), tuple(missing)


class ProblemIndex:
    """Numbers of the records with problems, as far as they are known; filled by a thread, read by the screen."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.complete = False

    def next(self, number: int, step: int) -> int | None:
        """The nearest record with problems after (step 1) or before (step -1) record `number`."""
        if step > 0:
            at = bisect_right(self.numbers, number)
            return self.numbers[at] if at < len(self.numbers) else None
        at = bisect_left(self.numbers, number)
        return self.numbers[at - 1] if at else None

    def rank(self, number: int) -> int:
        """The rank of a record among those with problems, from 1; 0 where it has none."""
        at = bisect_left(self.numbers, number)
        return at + 1 if at < len(self.numbers) and self.numbers[at] == number else 0


class RecordBrowser:
    """An open file and the number of the record shown. Threads read it until `close`."""

    def __init__(self, file: RecordFile, missing: tuple[InputError, ...] = ()) -> None:
        self.file = file
        self.missing = missing
        """Why some of the requested sources are not open."""
        self.number = 0
        """The record asked for last, from 0."""
        self.problems: ProblemIndex | None = None
        """Set while only records with problems are wanted."""
        self.counting = False
        """Whether `count` is running."""
        self._closed = Event()
        self._reading = Event()

    @classmethod
    async def open(cls, sources: tuple[InputSource, ...], stop: StopCheck = never_stop) -> RecordBrowser:
        """Open those of several sources that can be opened; raises InputError, as RecordFile does, where none can.

        Waits for standard input to begin; raises StoppedError once `stop` returns True.
        """
        if len(sources) < 2:
            return cls(await asyncio.to_thread(RecordFile, sources, stop))
        existing, missing = await asyncio.to_thread(_existing_files, sources)
        if missing and not existing:
            raise missing[0]
        return cls(await asyncio.to_thread(RecordFile, existing, stop), missing)

    def close(self) -> None:
        """End every read that is under way."""
        self._closed.set()
        self._reading.set()

    async def read(self, number: int) -> Record | None:
        """Record `number`, None past the end, or where it has not come yet.

        A read that is under way is stopped, and raises StoppedError. Raises InputError when the file is gone or has
        changed.
        """
        self._reading.set()
        cached = self.file.cached(number)
        if cached is not None:
            return cached
        stop = self._reading = Event()
        while self.is_ahead(number):
            # the count indexes that part of the file; a second reader would slow both down
            await asyncio.sleep(0.05)
            if stop.is_set():
                raise StoppedError
            if self.file.is_drained and number >= self.file.count:
                return None
        return await asyncio.to_thread(self.file.read, number, stop.is_set)

    def is_ahead(self, number: int) -> bool:
        """Whether the count has not reached the record yet."""
        return self.counting and self.file.seekable and number >= self.file.count

    async def count(self) -> None:
        """Count to the end; raises InputError, and StoppedError when closed."""
        self.counting = True
        try:
            await asyncio.to_thread(self.file.count_on, self._closed.is_set)
        finally:
            self.counting = False

    async def find_problems(
        self, problems: ProblemIndex, builder: EntryBuilder, now_ms: int, check_plan: PlanCheck = no_plan
    ) -> None:
        """Add every record with problems, until all are checked or they are no longer wanted.

        No other thread may use `builder`. Raises InputError.
        """

        def stop() -> bool:
            return self._closed.is_set() or self.problems is not problems

        def scan() -> None:
            for number, record in self.file.each(stop):
                if has_problems(record, builder, now_ms, check_plan):
                    problems.numbers.append(number)
            problems.complete = True

        try:
            await asyncio.to_thread(scan)
        except StoppedError:
            return

    @property
    def busy(self) -> bool:
        """Whether the file is still counted or searched for problems."""
        return not self.file.complete or (self.problems is not None and not self.problems.complete)

    def position(self) -> RecordPosition:
        """Position of the record shown."""
        problems = None
        if self.problems is not None:
            problems = (self.problems.rank(self.number), len(self.problems.numbers), self.problems.complete)
        return RecordPosition(
            self.file.name, self.number + 1, max(self.file.count, self.number + 1), self.file.complete, problems
        )
