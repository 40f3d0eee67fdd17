"""Record reader for files, folders and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeGuard, TypeVar

from sprig_tui.errors import InputError, UnknownFormatError
from sprig_tui.files import open_input, reading_hint
from sprig_tui.reasons import Reason
from sprig_tui.sprig.csv_rows import KEY_COLUMN, declared_delimiter, detect_delimiter, read_rows
from sprig_tui.sprig.formats.detect import parse_document, parse_raw_record, try_parse_record
from sprig_tui.sprig.json_stream import (
    DEFAULT_MAX_RECORD_BYTES,
    RawRecord,
    is_json_lines,
    read_line_blocks,
    split_documents,
)
from sprig_tui.sprig.records import Origin, Record, Unsendable
from sprig_tui.sprig.stream import BrokenStreamError, ReadProgress, StreamBuffer, utf8_chunks
from sprig_tui.sprig.unsendable import invalid_record

__all__ = ["ReadProgress", "RecordReader", "read_responses", "read_stream", "total_size"]

STDIN = "-"
INPUT_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv"})
"""Files read from a folder, each also with `.gz`; a file given by its path may have any name."""
MAX_UNKNOWN_RECORDS = 20
"""Records of unknown format at the start of a file after which it is rejected."""
_CSV_KEYS_ROW = "surveyId,surveyName,responseGroupUid,createdAt,completedAt,userId"
_CSV_LABELS = frozenset({"survey id", "survey name", "response group", "created", "completed", "user id", "visitor id"})
_SNIFFED_BYTES = 4_096
_PER_PROCESS_PATHS = ("/proc/", "/dev/fd/")
"""Paths that differ per process, such as the target of /dev/stdin."""
_MAX_SYMLINKS = 40
"""Symbolic links in a row that Linux follows."""

InputPath = str | os.PathLike[str]
"""A file, a folder, or `-` for standard input."""

T = TypeVar("T")
LineReader = Callable[[bytes, str, int], T | None]
"""Reads one line of JSON Lines, with the name of the input and the line's number; None for what it cannot read."""


def read_responses(
    sources: Iterable[InputPath],
    *,
    force: bool = False,
    stdin: BinaryIO | None = None,
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
    progress: ReadProgress | None = None,
) -> RecordReader:
    """Records of files, folders (recursively, by name, without hidden ones) and `-` for standard input.

    The format of each record is recognised by its content; memory is bounded by `max_record_bytes`. A record that
    cannot be read, or an error in the middle of a file, is an Unsendable, and reading continues. Raises InputError,
    before anything is read, for a missing or unreadable path, and UnknownFormatError for a file that holds no answers
    (for a stream, after its first records are read). With `force`, every line of such a file is an Unsendable.
    """
    files = find_files(sources)
    if not force:
        for file in files:
            if file != STDIN and Path(file).is_file():
                require_answers(file, max_record_bytes)
    progress = progress or ReadProgress()
    if not progress.bytes_total:
        progress.bytes_total = _total_bytes(files)
    return RecordReader(files, stdin=stdin, max_record_bytes=max_record_bytes, progress=progress, force=force)


def require_answers(file: str, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> None:
    """Raise UnknownFormatError for a file in which none of the first records has a known format."""
    with suppress(OSError), open_input(file) as opened:
        records = _read_stream(opened, file, max_record_bytes, ReadProgress(), try_parse_record)
        next(_require_known_format(records, file), None)


def read_stream(
    stream: BinaryIO, name: str, *, force: bool = False, progress: ReadProgress | None = None
) -> Iterator[Record]:
    """Records of one stream, as `read_responses` gives those of standard input; `name` is that of their origin.

    Raises UnknownFormatError, unless `force`, once the first records are read and hold no answers.
    """
    records = _read_stream(stream, name, DEFAULT_MAX_RECORD_BYTES, progress or ReadProgress(), try_parse_record)
    return records if force else _require_known_format(records, name)


def _require_known_format(records: Iterator[Record | T], name: str) -> Iterator[Record | T]:
    """The same records; raises UnknownFormatError if none of the first ones has a known format."""
    first: list[Record | T] = []
    for record in records:
        first.append(record)
        if _has_known_format(record):
            break
        if len(first) >= MAX_UNKNOWN_RECORDS:
            raise _not_answers_error(first, name)
    if first and not _has_known_format(first[-1]):
        raise _not_answers_error(first, name)
    yield from first
    yield from records


def _has_known_format(record: object) -> bool:
    return not _is_unknown(record)


def _is_unknown(record: object) -> TypeGuard[Unsendable]:
    return isinstance(record, Unsendable) and not record.origin.format and record.reason is Reason.INVALID


def _not_answers_error(first: Iterable[object], name: str) -> UnknownFormatError:
    records, name = [*filter(_is_unknown, first)], os.fsencode(name).decode(errors="replace")
    what = "its only record is not" if len(records) == 1 else f"none of its first {len(records)} records is"
    line = f"line {records[0].origin.line}: " if records[0].origin.line > 1 else ""
    why = f"{what} one of Sprig's ({line}{records[0].detail})"
    return UnknownFormatError(
        f"{name} is not a file of answers: {why}",
        hint="nothing was stored; sprig-tui preview --help shows a minimal record, and send --force takes it as it is",
        why=why,
    )


def read_files(
    files: list[str], read_line: LineReader[T], *, max_record_bytes: int, progress: ReadProgress
) -> Iterator[Record | T]:
    """Records of files that `read_responses` accepted; `read_line` makes something else of the lines that it can."""
    return _read_all(files, None, max_record_bytes, progress, force=True, read_line=read_line)


class RecordReader(Iterator[Record]):
    """Iterator over the records of files; it reads each file once, on demand."""

    def __init__(
        self,
        files: list[str],
        *,
        stdin: BinaryIO | None = None,
        max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
        progress: ReadProgress | None = None,
        force: bool = False,
    ) -> None:
        self.files = files
        self.max_record_bytes = max_record_bytes
        self.progress = progress or ReadProgress()
        self._records = _read_all(files, stdin, max_record_bytes, self.progress, force, try_parse_record)
        self._peeked: list[Record] = []
        self._started = False

    def __iter__(self) -> Iterator[Record]:  # noqa: PYI034 - a generator needs no second call for each record
        self._started = True
        if self._peeked:
            self._records, self._peeked = chain(self._peeked, self._records), []
        return self._records

    def __next__(self) -> Record:
        return next(iter(self))

    def peek(self) -> Iterator[Record]:
        """Iterate over the first records without consuming them."""
        yield from self._peeked
        for record in self._records:
            self._peeked.append(record)
            yield record

    @property
    def repeatable(self) -> bool:
        """Whether another process could read the same records: all inputs are files, and no record was consumed."""
        return not self._started and all(name != STDIN and _is_shareable_file(name) for name in self.files)


def total_size(sources: Iterable[InputPath]) -> int:
    """Bytes on disk of all inputs; 0 if standard input is among them. Raises InputError."""
    return _total_bytes(find_files(sources))


def find_files(sources: Iterable[InputPath]) -> list[str]:
    """The files to read in order, `-` included; raises InputError for a missing or unreadable one."""
    files: list[str] = []
    for source in sources:
        name = os.fspath(source)
        if name == STDIN:
            files.append(name)
        elif Path(name).is_dir():
            files += _files_in_folder(name)
        else:
            files.append(name)
    for name in files:
        if name != STDIN:
            _check_readable(name)
    return files


def _files_in_folder(folder: str) -> list[str]:
    def raise_error(error: OSError) -> None:
        raise InputError(f"cannot list {error.filename or folder}: {error.strerror}") from error

    files: list[str] = []
    for place, folders, names in os.walk(folder, onerror=raise_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [str(Path(place, name)) for name in names if not name.startswith(".") and _has_input_suffix(name)]
    if not files:
        raise InputError(
            f"no file to read in {folder}",
            hint="files ending in .json, .jsonl, .ndjson or .csv are read, each also with .gz",
        )
    return sorted(files)


def _has_input_suffix(name: str) -> bool:
    path = Path(name.lower().removesuffix(".gz"))
    return path.suffix in INPUT_SUFFIXES


def _is_shareable_file(name: str) -> bool:
    """Whether the path is the same file for every process."""
    path = Path(name)
    for _ in range(_MAX_SYMLINKS):
        path = Path(os.path.abspath(path))  # noqa: PTH100 - takes `..` out, unlike Path.absolute
        if str(path).startswith(_PER_PROCESS_PATHS):
            return False
        if not path.is_symlink():
            return path.is_file()
        path = path.parent / path.readlink()
    return False


def _check_readable(name: str) -> None:
    """Raise InputError unless the file can be opened; a pipe is not opened, since it can be opened only once."""
    try:
        if Path(name).is_file():
            with open_input(name):
                return
        os.stat(name)  # noqa: PTH116 - raises for a missing file, unlike Path.exists
    except FileNotFoundError:
        raise InputError(f"there is no file {name}", hint="check the path") from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        hint = reading_hint(error) if isinstance(error, OSError) else "check the path"
        raise InputError(f"cannot open {name}: {what}", hint=hint) from error


def _total_bytes(files: list[str]) -> int:
    if STDIN in files:
        return 0
    return sum(Path(name).stat().st_size for name in files)


def _read_all(
    files: list[str],
    stdin: BinaryIO | None,
    limit: int,
    progress: ReadProgress,
    force: bool,
    read_line: LineReader[T],
) -> Iterator[Record | T]:
    for file in files:
        progress.current_file = "stdin" if file == STDIN else file
        records = _read_file(file, stdin or sys.stdin.buffer, limit, progress, read_line)
        if not force and (file == STDIN or _is_stream(file)):  # regular files were checked before
            records = _require_known_format(records, progress.current_file)
        for record in records:
            progress.records += 1
            yield record


def _is_stream(file: str) -> bool:
    return Path(file).exists() and not Path(file).is_file()


def _read_file(
    file: str, stdin: BinaryIO, limit: int, progress: ReadProgress, read_line: LineReader[T]
) -> Iterator[Record | T]:
    if file == STDIN:
        yield from _read_stream(stdin, "stdin", limit, progress, read_line)
        return
    try:
        with open_input(file) as opened:
            yield from _read_stream(opened, file, limit, progress, read_line)
    except OSError as error:
        yield invalid_record(b"", Origin(file), f"can no longer be opened: {error.strerror}")


def _read_stream(
    stream: BinaryIO, name: str, limit: int, progress: ReadProgress, read_line: LineReader[T]
) -> Iterator[Record | T]:
    """Records of one stream; its first bytes show the format."""
    buffer = StreamBuffer(utf8_chunks(stream, progress))
    while not buffer.data[buffer.position :].strip():
        buffer.advance_to(len(buffer.data))
        if not buffer.fill():
            break
    buffer.advance_to(len(buffer.data) - len(buffer.data[buffer.position :].lstrip()))
    if buffer.data[buffer.position : buffer.position + 1] in (b"{", b"["):
        yield from _read_json(buffer, name, limit, read_line)
        return
    header, end = _header_line(buffer, limit)
    if _ends_in_carriage_returns(header):
        buffer = _with_line_feeds(buffer)  # line ends of old Macs, which Excel can still write
        header, end = _header_line(buffer, limit)
    declared = declared_delimiter(header)
    if declared and end >= 0:
        buffer.advance_to(end + 1)
        header, end = _header_line(buffer, limit)
    if delimiter := detect_delimiter(header, declared):
        from sprig_tui.sprig.formats.csv_export import read_export  # imported late: most inputs are JSON

        yield from read_export(name, read_rows(buffer, delimiter, limit))
    elif header and (detail := _rejection_reason(buffer, name, header)):
        yield invalid_record(header, Origin(name, "", buffer.line), detail)
    else:
        yield from _read_json(buffer, name, limit, read_line)


def _header_line(buffer: StreamBuffer, limit: int) -> tuple[bytes, int]:
    """The line at `position` and the position of its end, -1 if it does not end within `limit` bytes."""
    end = buffer.line_end(limit)
    return buffer.data[buffer.position : end if end >= 0 else None], end


def _ends_in_carriage_returns(header: bytes) -> bool:
    """Whether the lines of the export that begins here end in carriage returns without line feeds."""
    lines = header[:-1].split(b"\r", 2)
    keys = lines[declared_delimiter(lines[0]) != "" : 2]
    return len(lines) > 1 and bool(keys) and detect_delimiter(keys[0], declared_delimiter(lines[0])) != ""


def _with_line_feeds(buffer: StreamBuffer) -> StreamBuffer:
    """The rest of a stream, with carriage returns replaced by line feeds."""

    def chunks() -> Iterator[bytes]:
        yield buffer.data[buffer.position :].replace(b"\r", b"\n")
        buffer.position = len(buffer.data)
        while buffer.fill():
            yield buffer.data.replace(b"\r", b"\n")
            buffer.position = len(buffer.data)
        if buffer.failure:
            raise BrokenStreamError(buffer.failure)

    changed = StreamBuffer(chunks())
    changed.line = buffer.line
    changed.fill()
    return changed


def _rejection_reason(buffer: StreamBuffer, name: str, header: bytes) -> str:
    """Why the whole file is rejected; empty if its lines may be records."""
    words = {
        cell.strip().lower() for cell in header[:_SNIFFED_BYTES].decode(errors="replace").replace('"', "").split(",")
    }
    if len(words & _CSV_LABELS) >= 3:
        return (
            "the labels row of Sprig's export stands first, and the keys row above it is missing: put it back, or"
            f" export again; it begins with {_CSV_KEYS_ROW}"
        )
    if Path(name.lower().removesuffix(".gz")).suffix == ".csv":
        return (
            f"not an export of Sprig's: its first row has no {KEY_COLUMN}, so its rows were not read;"
            f" the keys row stands first there, and begins with {_CSV_KEYS_ROW}"
        )
    start = buffer.data[buffer.position : buffer.position + _SNIFFED_BYTES]
    if b"\0" in start and b"\n{" not in start:
        return "not text: the file is neither JSON nor CSV, and was not read"
    return ""


def _read_json(buffer: StreamBuffer, name: str, limit: int, read_line: LineReader[T]) -> Iterator[Record | T]:
    if is_json_lines(buffer, limit):
        yield from read_lines(buffer, name, limit, read_line)
        return
    for record in split_documents(buffer, limit):
        yield parse_raw_record(record, name, record.line)


def read_lines(buffer: StreamBuffer, name: str, limit: int, read_line: LineReader[T]) -> Iterator[Record | T]:
    """Records of JSON Lines from `position`, the start of a line, to the end; `limit` bytes per record."""
    for block in read_line_blocks(buffer, limit):
        if isinstance(block, RawRecord):
            yield parse_raw_record(block, name, block.line)
            continue
        line, lines = block
        for raw in lines:
            if len(raw) <= limit and (read := read_line(raw, name, line)) is not None:
                yield read
            else:
                yield from parse_document(raw, Origin(name, "", line), max_record_bytes=limit)
            line += 1
