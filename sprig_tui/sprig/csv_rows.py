"""Rows of a CSV stream with the line they start on; one bad row does not take the next ones with it."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from sprig_tui.sprig.stream import StreamBuffer
from sprig_tui.sprig.unsendable import MAX_EXCERPT_BYTES

MAX_ROW_LINES = 1_000
"""Physical lines one row may take up; a quote that is never closed is given up after so many."""
DELIMITERS = (",", ";", "\t")
KEY_COLUMN = "responseGroupUid"
MAX_COLUMNS = 16_384
"""What a spreadsheet holds; each row is kept with all of its columns, so that a wider header would grow every one."""

_match_sep_line = re.compile(rb'"?[sS][eE][pP]=([!-~\t])"?').fullmatch


class CsvRow(NamedTuple):
    """One row, or a fault in its place."""

    line: int
    raw: bytes
    cells: list[str]
    fault: str = ""


def detect_delimiter(header: bytes, declared: str = "") -> str:
    """The delimiter that makes `header` the keys row of Sprig's export; empty where none does.

    Capitals and spaces around a key are nothing to go by. `told` is one that the file itself names.
    """
    if KEY_COLUMN.lower().encode() not in header.lower():
        return ""
    for delimiter in (declared, *DELIMITERS) if declared else DELIMITERS:
        row = parse_row(0, header, delimiter)
        if KEY_COLUMN.lower() in (cell.strip().lower() for cell in row.cells):
            return delimiter
    return ""


def declared_delimiter(line: bytes) -> str:
    """The delimiter in a line such as `sep=;`, which spreadsheets put on top; empty for any other line."""
    found = _match_sep_line(line.strip(b"\r\n"))
    return found[1].decode() if found else ""


def read_rows(buffer: StreamBuffer, delimiter: str, max_record_bytes: int) -> Iterator[CsvRow]:
    """Rows in order, blank ones left out; the first one sets the number of columns.

    A row with more columns than that is a fault. Where it came about by an unclosed quote, only its first line is.
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
    """Lines with their numbers, and the means to put some back."""

    def __init__(self, buffer: StreamBuffer, limit: int) -> None:
        self.buffer = buffer
        self._limit = limit
        self._pushed_back: deque[tuple[int, bytes]] = deque()

    def next_line(self) -> tuple[int, bytes] | None:
        r"""The next line with its `\n`; an over-long one is cut. None at the end."""
        if self._pushed_back:
            return self._pushed_back.popleft()
        window = self.buffer
        line = window.line
        end = window.line_end(self._limit)
        if end < 0 and window.pending > self._limit:
            raw = window.data[window.position :]
            window.skip_line()
            return line, raw
        if end < 0:
            raw = window.data[window.position :]
            window.position = len(window.data)
            return (line, raw) if raw else None
        raw = window.data[window.position : end + 1]
        window.advance_to(end + 1)
        return line, raw

    def push_back(self, line: int, lines: list[bytes]) -> None:
        """Puts lines in front of what comes next; the first of them is line `line`."""
        self._pushed_back.extendleft(reversed([(line + offset, raw) for offset, raw in enumerate(lines)]))


_line_end = re.compile(r"\r?\n\Z")


def parse_row(line: int, raw: bytes, delimiter: str) -> CsvRow:
    """One row from its bytes, line end included."""
    try:
        text = _line_end.sub("", raw.decode())
    except UnicodeDecodeError as wrong:
        return CsvRow(line, raw, [], f"not valid UTF-8 at byte {wrong.start + 1}")
    if len(text) >= csv.field_size_limit():
        csv.field_size_limit(2 * len(text))  # the module's own limit, which is global, may only grow
    try:
        found = list(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        return CsvRow(line, raw, [], f"not valid CSV: {error}")
    return CsvRow(line, raw, found[0] if found else [])
