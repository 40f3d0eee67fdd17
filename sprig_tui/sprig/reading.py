"""Reads responses from files, folders and standard input: the one entrance for everything on disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from sprig_tui.errors import InputError, UnknownFormatError
from sprig_tui.reasons import Reason
from sprig_tui.sprig.byte_source import Progress, utf8_chunks
from sprig_tui.sprig.csv_export import read_export
from sprig_tui.sprig.csv_rows import KEY_COLUMN, delimiter_of, rows, told_delimiter
from sprig_tui.sprig.documents import DEFAULT_MAX_RECORD_BYTES, Piece, split_documents
from sprig_tui.sprig.faults import invalid
from sprig_tui.sprig.json_lines import is_json_lines, line_blocks
from sprig_tui.sprig.recognise import parse_document, quick_record, read_piece
from sprig_tui.sprig.records import Origin, Record, StudyResponse, Unsendable
from sprig_tui.sprig.window import BrokenSourceError, Window

__all__ = ["Progress", "Responses", "read_responses", "total_size"]

STDIN = "-"
SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv"})
"""Files taken from a folder, each also with `.gz`; a file named by itself may have any name."""
FIRST_RECORDS = 20
"""A file in which none of so many has a form that is known is no file of answers."""
_KEYS_ROW = "surveyId,surveyName,responseGroupUid,createdAt,completedAt,userId"
_LABELS = frozenset({"survey id", "survey name", "response group", "created", "completed", "user id", "visitor id"})
_SNIFFED_BYTES = 4_096
_OWN = ("/proc/", "/dev/fd/")
"""Where a name is something else to each process: /dev/stdin leads there."""
_LINKS = 40
"""How many the system follows."""

Source = str | os.PathLike[str]


def read_responses(
    sources: Iterable[Source],
    *,
    force: bool = False,
    stdin: BinaryIO | None = None,
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
    progress: Progress | None = None,
) -> Responses:
    """Records of files, folders (recursively, by name, hidden ones left out) and `-` for standard input.

    The format of each record is recognised by content; memory does not grow with the size of a file, only with
    `max_record_bytes`. A record that cannot be read, or a file that fails half-way, is an Unsendable, and reading goes
    on. Raises InputError at once, before anything is read, for a source that is not there or cannot be opened, and
    UnknownFormatError for a file that is none of answers (for a stream when its first records were read); with `force`
    every line of such a file is a record that cannot be read.
    """
    files = find_files(sources)
    if not force:
        for file in files:
            if file != STDIN and Path(file).is_file():
                check_answers(file, max_record_bytes)
    progress = progress or Progress()
    if not progress.bytes_total:
        progress.bytes_total = _size(files)
    return Responses(files, stdin=stdin, max_record_bytes=max_record_bytes, progress=progress, force=force)


def check_answers(file: str, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> None:
    """Raise UnknownFormatError for a file in which none of the first records has a form that is known."""
    with suppress(OSError), Path(file).open("rb", buffering=0) as opened:
        records = _read_stream(opened, file, max_record_bytes, Progress())
        next(_answers_only(records, file), None)


def _answers_only(records: Iterator[Record], name: str) -> Iterator[Record]:
    """The same records, once one of the first has a form that is known; raises UnknownFormatError where none has."""
    first: list[Record] = []
    for record in records:
        first.append(record)
        if _has_form(record):
            break
        if len(first) >= FIRST_RECORDS:
            raise _not_answers(first, name)
    if first and not _has_form(first[-1]):
        raise _not_answers(first, name)
    yield from first
    yield from records


def _has_form(record: Record) -> bool:
    return isinstance(record, StudyResponse) or bool(record.origin.format) or record.reason is not Reason.INVALID


def _not_answers(first: list[Record], name: str) -> UnknownFormatError:
    found, name = first[0], os.fsencode(name).decode(errors="replace")
    what = "its only record is not" if len(first) == 1 else f"none of its first {len(first)} records is"
    line = f"line {found.origin.line}: " if found.origin.line > 1 else ""
    why = found.detail if isinstance(found, Unsendable) else ""
    return UnknownFormatError(
        f"{name} is not a file of answers: {what} one of Sprig's ({line}{why})",
        hint="nothing was stored; sprig-tui preview --help shows a minimal record, and send --force takes it as it is",
    )


class Responses(Iterator[Record]):
    """The records of some files, read as they are asked for, once."""

    def __init__(
        self,
        files: list[str],
        *,
        stdin: BinaryIO | None = None,
        max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
        progress: Progress | None = None,
        force: bool = False,
    ) -> None:
        self.files = files
        self.max_record_bytes = max_record_bytes
        self.progress = progress or Progress()
        self._records = _read_all(files, stdin, max_record_bytes, self.progress, force)
        self._seen: list[Record] = []
        self._begun = False

    def __iter__(self) -> Iterator[Record]:  # noqa: PYI034 - a generator needs no second call for each record
        self._begun = True
        if self._seen:
            self._records, self._seen = chain(self._seen, self._records), []
        return self._records

    def __next__(self) -> Record:
        return next(iter(self))

    def peek(self) -> Iterator[Record]:
        """Look at the first records, one after the other; they are read all the same."""
        yield from self._seen
        for record in self._records:
            self._seen.append(record)
            yield record

    @property
    def repeatable(self) -> bool:
        """Whether another process could read the same: all of it is files, and none of it was taken yet."""
        return not self._begun and all(name != STDIN and _is_anyones(name) for name in self.files)


def total_size(sources: Iterable[Source]) -> int:
    """Bytes on disk of all that would be read; 0 where one of them is standard input. Raises InputError."""
    return _size(find_files(sources))


def find_files(sources: Iterable[Source]) -> list[str]:
    """The files to read, in order, `-` among them; raises InputError for one that is not there or cannot be opened."""
    files: list[str] = []
    for source in sources:
        name = os.fspath(source)
        if name == STDIN:
            files.append(name)
        elif Path(name).is_dir():
            files += _in_folder(name)
        else:
            files.append(name)
    for name in files:
        if name != STDIN:
            _check(name)
    return files


def _in_folder(folder: str) -> list[str]:
    def refuse(error: OSError) -> None:
        raise InputError(f"cannot list {error.filename or folder}: {error.strerror}") from error

    found: list[str] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [str(Path(place, name)) for name in names if not name.startswith(".") and _is_known(name)]
    if not found:
        raise InputError(
            f"no file to read in {folder}",
            hint="files ending in .json, .jsonl, .ndjson or .csv are read, each also with .gz",
        )
    return sorted(found)


def _is_known(name: str) -> bool:
    path = Path(name.lower().removesuffix(".gz"))
    return path.suffix in SUFFIXES


def _is_anyones(name: str) -> bool:
    """Whether it is a file, and the same one to every process."""
    path = Path(name)
    for _ in range(_LINKS):
        path = Path(os.path.abspath(path))  # noqa: PTH100 - takes `..` out, unlike Path.absolute
        if str(path).startswith(_OWN):
            return False
        if not path.is_symlink():
            return path.is_file()
        path = path.parent / path.readlink()
    return False


def _check(name: str) -> None:
    """Opens regular files, since rights alone do not tell; a pipe must not be opened twice."""
    try:
        if Path(name).is_file():
            with Path(name).open("rb"):
                return
        os.stat(name)  # noqa: PTH116 - raises for what is not there, unlike Path.exists
    except FileNotFoundError:
        raise InputError(f"there is no file {name}", hint="check the path") from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot open {name}: {what}", hint="check the file's rights") from error


def _size(files: list[str]) -> int:
    if STDIN in files:
        return 0
    return sum(Path(name).stat().st_size for name in files)


def _read_all(
    files: list[str], stdin: BinaryIO | None, limit: int, progress: Progress, force: bool
) -> Iterator[Record]:
    for file in files:
        progress.current = "stdin" if file == STDIN else file
        records = _read_file(file, stdin or sys.stdin.buffer, limit, progress)
        if not force and (file == STDIN or _is_stream(file)):  # others were looked at before
            records = _answers_only(records, progress.current)
        for record in records:
            progress.records += 1
            yield record


def _is_stream(file: str) -> bool:
    return Path(file).exists() and not Path(file).is_file()


def _read_file(file: str, stdin: BinaryIO, limit: int, progress: Progress) -> Iterator[Record]:
    if file == STDIN:
        yield from _read_stream(stdin, "stdin", limit, progress)
        return
    try:
        with Path(file).open("rb", buffering=0) as opened:
            yield from _read_stream(opened, file, limit, progress)
    except OSError as error:
        yield invalid(b"", Origin(file), f"cannot be opened any more: {error.strerror}")


def _read_stream(stream: BinaryIO, name: str, limit: int, progress: Progress) -> Iterator[Record]:
    """Records of one stream, by what its first bytes show."""
    window = Window(utf8_chunks(stream, progress))
    while not window.data[window.at :].strip():
        window.pass_to(len(window.data))
        if not window.more():
            break
    window.pass_to(len(window.data) - len(window.data[window.at :].lstrip()))
    if window.data[window.at : window.at + 1] in (b"{", b"["):
        yield from _read_json(window, name, limit)
        return
    end = window.line_end(limit)
    header = window.data[window.at : end if end >= 0 else None]
    if _ends_in_returns(header):
        window = _with_line_feeds(window)  # line ends of old Macs, which Excel can still write
        end = window.line_end(limit)
        header = window.data[window.at : end if end >= 0 else None]
    told = told_delimiter(header)
    if told and end >= 0:
        window.pass_to(end + 1)
        end = window.line_end(limit)
        header = window.data[window.at : end if end >= 0 else None]
    if delimiter := delimiter_of(header, told):
        yield from read_export(name, rows(window, delimiter, limit))
    elif header and (detail := _refusal(window, name, header)):
        yield invalid(header, Origin(name, "", window.line), detail)
    else:
        yield from _read_json(window, name, limit)


def _ends_in_returns(header: bytes) -> bool:
    """Whether the export that begins here, up to its first line feed, ends its lines in carriage returns alone."""
    lines = header[:-1].split(b"\r", 2)
    keys = lines[told_delimiter(lines[0]) != "" : 2]
    return len(lines) > 1 and bool(keys) and delimiter_of(keys[0], told_delimiter(lines[0])) != ""


def _with_line_feeds(window: Window) -> Window:
    """The rest of a stream whose lines end in carriage returns alone."""

    def chunks() -> Iterator[bytes]:
        yield window.data[window.at :].replace(b"\r", b"\n")
        window.at = len(window.data)
        while window.more():
            yield window.data.replace(b"\r", b"\n")
            window.at = len(window.data)
        if window.failure:
            raise BrokenSourceError(window.failure)

    changed = Window(chunks())
    changed.line = window.line
    changed.more()
    return changed


def _refusal(window: Window, name: str, header: bytes) -> str:
    """Why a whole file is not read; empty where its lines may still be records."""
    words = {
        cell.strip().lower() for cell in header[:_SNIFFED_BYTES].decode(errors="replace").replace('"', "").split(",")
    }
    if len(words & _LABELS) >= 3:
        return (
            "the labels row of Sprig's export stands first, and the keys row above it is missing: put it back, or"
            f" export again; it begins with {_KEYS_ROW}"
        )
    if Path(name.lower().removesuffix(".gz")).suffix == ".csv":
        return (
            f"not an export of Sprig's: its first row has no {KEY_COLUMN}, so its rows were not read;"
            f" the keys row stands first there, and begins with {_KEYS_ROW}"
        )
    start = window.data[window.at : window.at + _SNIFFED_BYTES]
    if b"\0" in start and b"\n{" not in start:
        return "not text: the file is neither JSON nor CSV, and was not read"
    return ""


def _read_json(window: Window, name: str, limit: int) -> Iterator[Record]:
    if is_json_lines(window, limit):
        yield from read_lines(window, name, limit)
        return
    for piece in split_documents(window, limit):
        yield read_piece(piece, name, piece.line)


def read_lines(window: Window, name: str, limit: int) -> Iterator[Record]:
    """Records of JSON Lines from where the window stands, a line's start, to the end; `limit` bytes per record."""
    for block in line_blocks(window, limit):
        if isinstance(block, Piece):
            yield read_piece(block, name, block.line)
            continue
        line, lines = block
        for raw in lines:
            if len(raw) <= limit and (response := quick_record(raw, name, line)) is not None:
                yield response
            else:
                yield from parse_document(raw, Origin(name, "", line), max_record_bytes=limit)
            line += 1
