"""CSV rows of a stream, each with its first line; a broken row does not affect the next ones."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from sprig_tui.sprig.stream import StreamBuffer
from sprig_tui.sprig.unsendable import MAX_EXCERPT_BYTES

MAX_ROW_LINES = 1_000
"""Physical lines of one row; a quote that is not closed within them is a fault."""
DELIMITERS = (",", ";", "\t")
KEY_COLUMN = "responseGroupUid"
MAX_COLUMNS = 16_384
"""Columns of an Excel sheet. Each row is stored with all columns, so that a wider header would grow every row."""

_match_sep_line = re.compile(rb'"?[sS][eE][pP]=([!-~\t])"?').fullmatch


class CsvRow(NamedTuple):
    """One row, or a fault in its place."""

    line: int
    raw: bytes
    cells: list[str]
    fault: str = ""


def detect_delimiter(header: bytes, declared: str = "") -> str:
    """The delimiter with which `header` is the keys row of Sprig's export; empty without one.

    Case and spaces around a key are ignored. `declared` is a delimiter that the file names itself.
    """
    if KEY_COLUMN.lower().encode() not in header.lower():
        return ""
    for delimiter in (declared, *DELIMITERS) if declared else DELIMITERS:
        row = parse_row(0, header, delimiter)
        if KEY_COLUMN.lower() in (cell.strip().lower() for cell in row.cells):
            return delimiter
    return ""


def declared_delimiter(line: bytes) -> str:
    """The delimiter in a first line such as `sep=;`, which spreadsheets write; empty for any other line."""
    match = _match_sep_line(line.strip(b"\r\n"))
    return match[1].decode() if match else ""


def read_rows(buffer: StreamBuffer, delimiter: str, max_record_bytes: int) -> Iterator[CsvRow]:
    """Rows in order without blank ones; the first row sets the number of columns.

    A row with more columns is a fault. If an unclosed quote caused it, only its first line is the fault.
    """
    source = _LineReader(buffer, max_record_bytes)
    columns = 0
    while (first := source.next_line()) is not None:
        line, raw = first
        if not raw.strip():
            continue
        if len(raw) > max_record_bytes:
            yield CsvRow(line, raw[:MAX_EXCERPT_BYTES], [], f"larger than {max_record_bytes:,} bytes")
            continue
        parts = [raw]
        size = len(raw)
        quotes = raw.count(b'"')
        while quotes % 2 and len(parts) < MAX_ROW_LINES and size <= max_record_bytes:
            following = source.next_line()
            if following is None:
                break
            parts.append(following[1])
            size += len(following[1])
            quotes += following[1].count(b'"')
        row = parse_row(line, b"".join(parts), delimiter)
        closed = quotes % 2 == 0
        if closed and not row.fault and len(row.cells) > (columns or len(row.cells)):
            row = row._replace(fault=f"{len(row.cells)} columns where the keys row has {columns}")
        if not closed or (row.fault and len(parts) > 1):
            source.push_back(line + 1, parts[1:])
            fault = row.fault if closed else "a quote is not closed"
            if not closed and len(parts) == 1 and buffer.failure:
                fault, buffer.failure_reported = buffer.failure, True
            row = CsvRow(line, raw, [], fault)
        columns = columns or len(row.cells)
        yield row
    if buffer.failure and not buffer.failure_reported:
        yield CsvRow(buffer.line, b"", [], buffer.failure)


class _LineReader:
    """Lines of a stream with their numbers; lines can be pushed back."""

    def __init__(self, buffer: StreamBuffer, limit: int) -> None:
        self.buffer = buffer
        self._limit = limit
        self._pushed_back: deque[tuple[int, bytes]] = deque()

    def next_line(self) -> tuple[int, bytes] | None:
        r"""The next line with its `\n`, cut if it is too long; None at the end."""
        if self._pushed_back:
            return self._pushed_back.popleft()
        buffer = self.buffer
        line = buffer.line
        end = buffer.line_end(self._limit)
        if end < 0 and buffer.pending > self._limit:
            raw = buffer.data[buffer.position :]
            buffer.skip_line()
            return line, raw
        if end < 0:
            raw = buffer.data[buffer.position :]
            buffer.position = len(buffer.data)
            return (line, raw) if raw else None
        raw = buffer.data[buffer.position : end + 1]
        buffer.advance_to(end + 1)
        return line, raw

    def push_back(self, line: int, lines: list[bytes]) -> None:
        """Return these lines before the rest of the stream; the first of them has number `line`."""
        self._pushed_back.extendleft(reversed([(line + offset, raw) for offset, raw in enumerate(lines)]))


_line_end = re.compile(r"\r?\n\Z")


def parse_row(line: int, raw: bytes, delimiter: str) -> CsvRow:
    """One row from its bytes, line end included."""
    try:
        text = _line_end.sub("", raw.decode())
    except UnicodeDecodeError as wrong:
        return CsvRow(line, raw, [], f"not valid UTF-8 at byte {wrong.start + 1}")
    if len(text) >= csv.field_size_limit():
        csv.field_size_limit(2 * len(text))  # the csv module's limit is global, so it is only raised
    try:
        rows = list(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        return CsvRow(line, raw, [], f"not valid CSV: {error}")
    return CsvRow(line, raw, rows[0] if rows else [])
