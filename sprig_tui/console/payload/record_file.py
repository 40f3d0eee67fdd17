"""Records of files, folders and held inputs by number; only a few of a million are in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from sprig_tui.console.payload.indexed_file import IndexedFile
from sprig_tui.errors import InputError
from sprig_tui.ingest.prefetch import SHORT_SWITCH_INTERVAL
from sprig_tui.sprig.held_input import InputSource, StopCheck, StoppedError, never_stop
from sprig_tui.sprig.reader import find_files
from sprig_tui.sprig.records import Record

MAX_CACHED_RECORDS = 1_024
MAX_CACHED_BYTES = 16_000_000
_STOP_CHECK_EVERY_RECORDS = 64
APPENDED_CHECK_S = 0.1
"""Seconds between two looks whether more of an input has come."""
GIVE_WAY_S = 0.1
"""Seconds that long reads wait after a key, so that the screen has the interpreter."""

RecordCheck = Callable[[int, Record], bool]
"""Whether the record of this number is wanted."""


def source_name(source: InputSource) -> str:
    """Name of a source for people: that of the file or the folder."""
    if not isinstance(source, str):
        return source.title
    path = Path(source)
    return f"{path.name or path}/" if path.is_dir() else path.name


class RecordFile:
    """Records of some files, in order, by number from 0. `read`, `count_on` and the searches are for worker threads.

    Memory holds the marks of each file (one in a quarter of a megabyte) and the last records read.
    """

    def __init__(self, sources: Sequence[InputSource], stop: StopCheck = never_stop) -> None:
        """Raises InputError for a source that is missing or cannot be opened, and for a folder without data.

        Waits for the first record of an input that has not ended; raises StoppedError once `stop` returns True.
        """
        self.sources = tuple(sources)
        self._files = [
            IndexedFile(file, stop)
            for source in sources
            for file in (find_files([source]) if isinstance(source, str) else [source])
        ]
        self._cached: OrderedDict[int, Record] = OrderedDict()
        self._cached_bytes = 0
        self._lock = Lock()
        self._busy_until = 0.0
        """Time of the monotonic clock up to which the screen needs the interpreter."""
        self._reader: Iterator[tuple[int, Record]] | None = None
        self._reader_is_short = False
        """Whether the reader stops at what was counted when it began, since more was to come."""
        self._reader_file = 0
        self._reader_at = 0

    @property
    def name(self) -> str:
        """Name for the title: that of the file or the folder."""
        name = source_name(self.sources[0])
        return f"{name} and {len(self.sources) - 1} more" if len(self.sources) > 1 else name

    @property
    def count(self) -> int:
        """Number of records read so far."""
        return sum(file.count for file in self._files)

    @property
    def complete(self) -> bool:
        """Whether `count` is final."""
        return all(file.complete for file in self._files)

    @property
    def awaits_more(self) -> bool:
        """Whether records may be appended."""
        return any(file.awaits_more for file in self._files)

    @property
    def is_drained(self) -> bool:
        """Whether more may be appended, and all that is there was counted."""
        return any(file.is_drained for file in self._files)

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """Why inputs that are held ended too early."""
        return tuple(filter(None, (source.shortfall for source in self.sources if not isinstance(source, str))))

    @property
    def seekable(self) -> bool:
        """Whether every file has index entries."""
        return all(file.seekable for file in self._files)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return sum(file.size for file in self._files)

    def cached(self, number: int) -> Record | None:
        """The record if it is cached; callable in any thread."""
        return self._cached.get(number)

    def read(self, number: int, stop: StopCheck = never_stop) -> Record | None:
        """Record `number`; None past the end. Raises InputError when a file changed, StoppedError when stopped."""
        with self._lock:
            if number in self._cached:
                self._cached.move_to_end(number)
                return self._cached[number]
            base = 0
            for index, file in enumerate(self._files):
                if file.complete and number >= base + file.count:
                    base += file.count
                    continue
                record = self._read_in(index, base, number - base, stop)
                if record is not None:
                    return record
                base += file.count
            return None

    def read_many(self, numbers: Sequence[int], max_bytes: int) -> list[Record] | None:
        """These records, in ascending order; None where they have more bytes together. Raises InputError."""
        records: list[Record] = []
        size = 0
        for number in numbers:
            record = self.read(number)
            if record is None:
                raise InputError(f"{self.name} no longer has record {number + 1:,}", hint="read it again")
            records.append(record)
            size += len(record.raw)
            if size > max_bytes:
                return None
        return records

    def count_on(self, stop: StopCheck = never_stop) -> None:
        """Read to the end, which completes `count` and the index. Raises as `read` does."""
        with SHORT_SWITCH_INTERVAL:
            for file in self._files:
                if not file.complete:
                    for number, _ in file.records(file.nearest(file.count), stop):
                        if number % _STOP_CHECK_EVERY_RECORDS == 0:
                            self._wait_for_keys(stop)

    def each(self, stop: StopCheck = never_stop) -> Iterator[tuple[int, Record]]:
        """Every (number, record), read separately, also of those to come. Raises as `read` does."""
        number = 0
        while True:
            # before the read: it may end meanwhile
            whole = not self.awaits_more
            for position, record in self.from_number(number, stop):
                yield position, record
                number = position + 1
            if whole:
                return
            while self.awaits_more and self.count <= number:
                self._wait_for_keys(stop)
                sleep(APPENDED_CHECK_S)

    def from_number(self, number: int, stop: StopCheck = never_stop) -> Iterator[tuple[int, Record]]:
        """Every (number, record) from `number` on that is there, read separately. Raises as `read` does."""
        base = 0
        for file in self._files:
            if not (file.complete and number >= base + file.count):
                for position, record in file.records(max(0, number - base)):
                    if position % _STOP_CHECK_EVERY_RECORDS == 0:
                        self._wait_for_keys(stop)
                    if base + position >= number:
                        yield base + position, record
            base += file.count

    def find_before(self, number: int, matches: RecordCheck, stop: StopCheck = never_stop) -> int | None:
        """The last record before `number` that matches, None for none; of those counted. Raises as `read` does.

        The file is read backwards from one index entry to the one before.
        """
        bases = [0]
        for file in self._files:
            bases.append(bases[-1] + file.count)
        for base, file in zip(reversed(bases[:-1]), reversed(self._files), strict=True):
            end = min(number - base, file.count)
            while end > 0:
                start = file.nearest(end - 1)
                found = self._last_match(file, base, end, matches, stop)
                if found is not None:
                    return found
                end = start
        return None

    def give_way(self) -> None:
        """Let the threads that count and search wait for a moment: a key was pressed."""
        self._busy_until = monotonic() + GIVE_WAY_S

    def _wait_for_keys(self, stop: StopCheck) -> None:
        """Wait while keys are pressed. Raises StoppedError when stopped."""
        if stop():
            raise StoppedError
        while (seconds := self._busy_until - monotonic()) > 0:
            sleep(min(seconds, GIVE_WAY_S))
            if stop():
                raise StoppedError

    def _last_match(self, file: IndexedFile, base: int, end: int, matches: RecordCheck, stop: StopCheck) -> int | None:
        """The last match among the records from the index entry before `end` up to it."""
        found = None
        for position, record in file.records(end - 1):
            if position >= end:
                break
            if position % _STOP_CHECK_EVERY_RECORDS == 0:
                self._wait_for_keys(stop)
            if matches(base + position, record):
                found = base + position
        return found

    def _read_in(self, index: int, base: int, number: int, stop: StopCheck) -> Record | None:
        """Record `number` of one file; continues the current reader where it is nearer than the index entry."""
        file = self._files[index]
        file.require_unchanged()
        ahead = self._reader_file == index and file.nearest(number) <= self._reader_at <= number
        if self._reader is None or not ahead or self._reader_is_short:
            self._reader_is_short = file.awaits_more
            self._reader = file.records(number)
            self._reader_file = index
        for position, record in self._reader:
            self._reader_at = position + 1
            self._cache(base + position, record)
            if position >= number:
                return record
            if position % _STOP_CHECK_EVERY_RECORDS == 0 and stop():
                raise StoppedError
        self._reader = None
        return None

    def _cache(self, number: int, record: Record) -> None:
        if number not in self._cached:
            self._cached_bytes += len(record.raw)
        self._cached[number] = record
        while len(self._cached) > MAX_CACHED_RECORDS or (
            self._cached_bytes > MAX_CACHED_BYTES and len(self._cached) > 1
        ):
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= len(dropped.raw)
