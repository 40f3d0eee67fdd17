"""One file of records that can be entered in the middle: marks where reading may start again, found as it is read.

JSON Lines, CSV exports, lists and pages of JSON, and documents in a row have such places, a quarter of a megabyte
apart; in a gzip file they are offsets of its content. Text in other encodings than UTF-8, and lists of pages, are read
from their beginning each time.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from sprig_tui.errors import InputError, UnknownFormatError
from sprig_tui.files import open_input, reading_hint
from sprig_tui.sprig.csv_rows import CsvRow, detect_delimiter, read_rows
from sprig_tui.sprig.formats.csv_export import read_export
from sprig_tui.sprig.formats.detect import parse_raw_record, try_parse_record
from sprig_tui.sprig.held_input import HeldInput, InputSource, StopCheck, never_stop
from sprig_tui.sprig.json_stream import (
    DEFAULT_MAX_RECORD_BYTES,
    is_json_lines,
    split_documents,
    split_from_element,
)
from sprig_tui.sprig.reader import read_lines, read_stream, require_answers
from sprig_tui.sprig.records import Record
from sprig_tui.sprig.stream import (
    CHUNK_BYTES,
    BrokenStreamError,
    GzipIndex,
    ReadProgress,
    StreamBuffer,
    gunzip_from,
    is_gzip,
    utf8_chunks,
)

ROWS_PER_INDEX_ENTRY = 500
MAX_INDENT_BYTES = 256
"""Text before a record that is searched for its indent."""
_ELEMENT = re.compile(r"(?P<path>(?:data)?)(?:\[(?P<element>\d+)\])?")
"""Paths of records that reading can start at: in a list, in a page, or a document of its own."""
_MAX_RECORD_BYTES = DEFAULT_MAX_RECORD_BYTES
_HEAD_BYTES = 8
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class IndexEntry(NamedTuple):
    """Index entry: reading can start at record `number` (from 0), byte `offset` and line `line` (from 1)."""

    number: int
    offset: int
    line: int
    path: str = ""
    """Path of the list that the record is an element of, such as `data`."""
    element: int = -1
    """Its index in that list; -1 for a record that is in none."""


class DiskFile:
    """A regular file. One that changes while it is open would be told wrongly: `check` raises InputError then."""

    ended = True
    is_drained = False
    shortfall = ""

    def __init__(self, path: str) -> None:
        """Raises InputError for a file that is missing, cannot be opened, or is not regular (such as a pipe)."""
        self.name = path
        if not Path(path).exists():
            raise InputError(f"there is no file {path}", hint="check the path")
        if not Path(path).is_file():
            raise InputError(f"{path} is no regular file", hint="open a file or a folder")
        try:
            with open_input(path) as stream:
                self._identity = _identity(os.fstat(stream.fileno()))
        except OSError as error:
            raise InputError(f"cannot open {path}: {error.strerror}", hint=reading_hint(error)) from error
        self.title = Path(path).name
        self.size = self._identity[1]
        """Size in bytes."""

    def open(self, follow: StopCheck | None = None) -> BinaryIO:  # noqa: ARG002 - nothing is appended
        """A stream from the beginning; raises InputError when the file is gone or has changed."""
        try:
            stream = open_input(self.name)  # closed by whoever reads it
        except OSError as error:
            raise InputError(f"cannot open {self.name}: {error.strerror}", hint="open it again") from error
        try:
            self.check(stream)
        except InputError:
            stream.close()
            raise
        return stream

    def check(self, stream: BinaryIO | None = None) -> None:
        """Raise InputError when what was opened, or else what the path leads to now, has changed or is gone."""
        try:
            status = Path(self.name).stat() if stream is None else os.fstat(stream.fileno())
        except OSError as error:
            raise InputError(f"cannot open {self.name}: {error.strerror}", hint="open it again") from error
        if _identity(status) != self._identity:
            raise InputError(f"{self.name} has changed since it was opened", hint="open it again")


class IndexedFile:
    """The records of one file, or of an input that is held, from any number on.

    Several iterators may run at once, in different threads: what they share only ever grows.
    """

    def __init__(self, source: InputSource, stop: StopCheck = never_stop) -> None:
        """Raises InputError for a file that is missing, cannot be opened, or is not regular (such as a pipe).

        Waits for the first record of an input that has not ended; raises StoppedError once `stop` returns True.
        """
        self._input = DiskFile(source) if isinstance(source, str) else source
        self.path = self._input.name
        self.count = 0
        """Number of records read so far."""
        self.complete = False
        """Whether `count` is final."""
        self._index: list[IndexEntry] = []
        self._header: list[bytes] = []
        self._labels_known = False
        with self._input.open(stop) as stream:
            head = _read_head(stream)
        if isinstance(source, str):
            require_answers(source)
        else:
            _require_held_answers(source, stop)
        self._gzip = GzipIndex() if is_gzip(head) else None
        """Checkpoints of a compressed file."""
        self._start: int | None = 0
        self._layout: Literal["lines", "csv", "documents", ""] = ""
        self._delimiter = ""
        with contextlib.suppress(OSError), self._input.open(stop) as stream:
            if self._gzip is not None:
                head = _first(self._chunks(stream, 0))
            self._start = _text_offset(head)
            if self._start is not None:
                self._recognise(StreamBuffer(self._chunks(stream, self._start)))
        if self.awaits_more:
            # what comes first is shown before the rest is counted
            next(self.records(0, stop), None)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._input.size

    @property
    def awaits_more(self) -> bool:
        """Whether records may be appended."""
        return not (self.complete or self._input.ended)

    @property
    def is_drained(self) -> bool:
        """Whether more may be appended, and whoever counts the records waits for it."""
        return self.awaits_more and self._input.is_drained

    @property
    def seekable(self) -> bool:
        """Whether the file has index entries."""
        return bool(self._layout)

    def nearest(self, number: int) -> int:
        """The last record at or before `number` that has an index entry."""
        at = bisect_right(self._index, number, key=lambda mark: mark.number)
        return self._index[at - 1].number if at else 0

    def records(self, number: int = 0, follow: StopCheck | None = None) -> Iterator[tuple[int, Record]]:
        """(number, record) from the last mark at or before `number` on, to the end of the file.

        Of an input that has not ended, the last record may be there in part: only those that were counted are read,
        and it is counted by an iterator that waits for more, with `follow`. Raises InputError when the file is gone or
        has changed, StoppedError once `follow` returns True.
        """
        at = bisect_right(self._index, number, key=lambda mark: mark.number)
        mark = self._index[at - 1] if at else None
        # in this order: what is counted meanwhile may not be in what is read
        whole = follow is not None or self._input.ended
        counted = self.count
        with self._input.open(follow) as stream:
            if self._layout == "lines":
                records = self._lines(stream, mark)
            elif self._layout == "csv":
                records = self._rows(stream, mark)
            elif self._layout == "documents":
                records = self._documents(stream, mark)
            else:
                records = read_stream(stream, self.path, force=True)  # checked when it was opened
            position = mark.number if mark else 0
            if not whole and position >= counted:
                return
            for record in records:
                position += 1
                self.count = max(self.count, position)
                yield position - 1, record
                if not whole and position >= counted:
                    return
            if isinstance(self._input, DiskFile):
                self._input.check(stream)
            self.complete = True

    def require_unchanged(self) -> None:
        """Raise InputError when the file is gone or has changed: one that is being read may give other records then."""
        if isinstance(self._input, DiskFile):
            self._input.check()

    def _recognise(self, window: StreamBuffer) -> None:
        """Recognise the layout from the beginning, as the reader does."""
        _skip_space(window)
        if window.data[window.position : window.position + 1] in (b"{", b"["):
            self._layout = "lines" if is_json_lines(window, _MAX_RECORD_BYTES) else "documents"
            return
        end = window.line_end(_MAX_RECORD_BYTES)
        self._delimiter = detect_delimiter(window.data[window.position : end if end >= 0 else None])
        if self._delimiter:
            self._layout = "csv"

    def _add_entry(self, entry: IndexEntry) -> None:
        if not self._index or entry.number > self._index[-1].number:
            self._index.append(entry)

    def _chunks(self, stream: BinaryIO, offset: int) -> Iterator[bytes]:
        """The text from an offset on."""
        return _chunks(stream, offset) if self._gzip is None else gunzip_from(stream, offset, self._gzip)

    # -- JSON Lines ------------------------------------------------------------------------------------------------

    def _lines(self, stream: BinaryIO, entry: IndexEntry | None) -> Iterator[Record]:
        start = entry or IndexEntry(0, self._start or 0, 1)
        fed = start.offset
        number = start.number

        def chunks() -> Iterator[bytes]:
            nonlocal fed
            for chunk in self._chunks(stream, start.offset):
                # the next chunk is asked for once all whole lines were read, so the rest starts a line,
                # unless the buffer is inside a line that is too long to keep
                if window.position and window.data[window.position - 1 : window.position] == b"\n":
                    self._add_entry(IndexEntry(number, fed - window.pending, window.line))
                fed += len(chunk)
                yield chunk

        window = StreamBuffer(chunks())
        window.line = start.line
        for record in read_lines(window, self.path, _MAX_RECORD_BYTES, try_parse_record):
            number += 1
            yield record

    # -- documents ---------------------------------------------------------------------------------------------------

    def _documents(self, stream: BinaryIO, entry: IndexEntry | None) -> Iterator[Record]:
        """Read lists, pages or documents in a row; from an index entry with its indent, which is before it."""
        start = entry or IndexEntry(0, self._start or 0, 1)
        before = min(start.offset - (self._start or 0), MAX_INDENT_BYTES)
        base = start.offset - before
        window = StreamBuffer(self._chunks(stream, base))
        while window.pending < before and window.fill():
            pass
        window.position = before
        window.line = start.line
        number, indexed_to = start.number, start.offset
        if start.element >= 0:
            raw_records = split_from_element(window, start.path, start.element, _MAX_RECORD_BYTES)
        else:
            raw_records = split_documents(window, _MAX_RECORD_BYTES)
        for raw in raw_records:
            yield parse_raw_record(raw, self.path, raw.line)
            number += 1
            place = _ELEMENT.fullmatch(raw.path)
            offset = base + window.base + window.position
            if place is None or offset < indexed_to + CHUNK_BYTES:
                continue
            indexed_to = offset
            element = int(place["element"]) + 1 if place["element"] else -1
            self._add_entry(IndexEntry(number, offset, window.line, place["path"], element))

    # -- CSV -------------------------------------------------------------------------------------------------------

    def _rows(self, stream: BinaryIO, entry: IndexEntry | None) -> Iterator[Record]:
        """Read an export from an index entry: its first two rows, then the rest, with corrected line numbers."""
        header = b"".join(self._header) if entry else b""
        lines = header.count(b"\n")
        shift = entry.line - lines - 1 if entry else 0
        fed = 0
        base = (entry.offset if entry else self._start or 0) - len(header)

        def chunks() -> Iterator[bytes]:
            nonlocal fed
            if header:
                fed += len(header)
                yield header
            for chunk in self._chunks(stream, base + len(header)):
                fed += len(chunk)
                yield chunk

        window = StreamBuffer(chunks())
        number = entry.number if entry else 0

        def noted() -> Iterator[CsvRow]:
            since = 0
            for row in read_rows(window, self._delimiter, _MAX_RECORD_BYTES):
                before = number
                yield row._replace(line=row.line + shift) if row.line > lines else row
                since += 1
                if not self._labels_known:
                    self._read_index(row, had_records=number > before)
                elif since >= ROWS_PER_INDEX_ENTRY and not row.fault and _next_offset(window, row):
                    since = 0
                    self._add_entry(IndexEntry(number, base + fed - window.pending, window.line + shift))

        _skip_space(window)
        for record in read_export(self.path, noted()):
            number += 1
            yield record

    def _read_index(self, row: CsvRow, *, had_records: bool) -> None:
        """Remember the row of keys and, where there is one, the row of labels after it."""
        if not self._header:
            self._header.append(row.raw)
        elif not row.fault:
            if not had_records:
                self._header.append(row.raw)
            self._labels_known = True


def _read_head(stream: BinaryIO) -> bytes:
    """The first bytes: enough to recognise compression and encoding, unless there are fewer."""
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := stream.read(CHUNK_BYTES)):
        head += chunk
    return head


def _require_held_answers(held: HeldInput, stop: StopCheck) -> None:
    """Raise InputError for an input in which none of the first records has a known format."""
    with held.open(stop) as stream:
        try:
            next(read_stream(stream, held.title), None)
        except UnknownFormatError as error:
            message = f"{held.title} holds no answers: {error.why}"
            raise InputError(message, hint="nothing was stored; sprig-tui help formats shows what is read") from error


def _first(chunks: Iterator[bytes]) -> bytes:
    """The first chunk; empty where there is none or it cannot be read."""
    with contextlib.suppress(BrokenStreamError):
        return next(chunks, b"")
    return b""


def _next_offset(window: StreamBuffer, row: CsvRow) -> bool:
    """Whether no lines were put back to be read again."""
    return window.line == row.line + row.raw.count(b"\n")


def _chunks(stream: BinaryIO, offset: int) -> Iterator[bytes]:
    try:
        stream.seek(offset)
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise BrokenStreamError(f"reading failed: {error.strerror or error}") from error


def _skip_space(window: StreamBuffer) -> None:
    """Skip white space."""
    while not window.data[window.position :].strip():
        window.advance_to(len(window.data))
        if not window.fill():
            break
    window.advance_to(len(window.data) - len(window.data[window.position :].lstrip()))


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _text_offset(head: bytes) -> int | None:
    """The offset where the text begins, for encodings in which bytes and text agree; else None."""
    try:
        text = next(utf8_chunks(io.BytesIO(head), ReadProgress()), b"")
    except BrokenStreamError:
        return None
    start = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    return start if text and head.startswith(text, start) else None
