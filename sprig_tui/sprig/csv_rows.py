"""Rows of a CSV stream with the line they start on; one bad row does not take the next ones with it."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from sprig_tui.sprig.faults import EXCERPT_BYTES
from sprig_tui.sprig.window import Window

MAX_ROW_LINES = 1_000
"""Physical lines one row may take up; a quote that is never closed is given up after so many."""
DELIMITERS = (",", ";", "\t")
KEY_COLUMN = "responseGroupUid"
MAX_COLUMNS = 16_384
"""What a spreadsheet holds; each row is kept with all of its columns, so that a wider header would grow every one."""

_told = re.compile(rb'"?[sS][eE][pP]=([!-~\t])"?').fullmatch


class Row(NamedTuple):
    """One row, or a fault in its place."""

    line: int
    raw: bytes
    cells: list[str]
    fault: str = ""


def delimiter_of(header: bytes, told: str = "") -> str:
    """The delimiter that makes `header` the keys row of Sprig's export; empty where none does.

    Capitals and spaces around a key are nothing to go by. `told` is one that the file itself names.
    """
    if KEY_COLUMN.lower().encode() not in header.lower():
        return ""
    for delimiter in (told, *DELIMITERS) if told else DELIMITERS:
        row = parse_row(0, header, delimiter)
        if KEY_COLUMN.lower() in (cell.strip().lower() for cell in row.cells):
            return delimiter
    return ""


def told_delimiter(line: bytes) -> str:
    """The delimiter in a line such as `sep=;`, which spreadsheets put on top; empty for any other line."""
    found = _told(line.strip(b"\r\n"))
    return found[1].decode() if found else ""


def rows(window: Window, delimiter: str, max_record_bytes: int) -> Iterator[Row]:
    """Rows in order, blank ones left out; the first one sets the number of columns.

    A row with more columns than that is a fault. Where it came about by an unclosed quote, only its first line is.
    """
    source = _Lines(window, max_record_bytes)
    columns = 0
    while (first := source.take()) is not None:
        line, raw = first
        if not raw.strip():
            continue
        if len(raw) > max_record_bytes:
            yield Row(line, raw[:EXCERPT_BYTES], [], f"larger than {max_record_bytes:,} bytes")
            continue
        parts = [raw]
        size = len(raw)
        quotes = raw.count(b'"')
        while quotes % 2 and len(parts) < MAX_ROW_LINES and size <= max_record_bytes:
            following = source.take()
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
            source.give_back(line + 1, parts[1:])
            fault = row.fault if closed else "a quote is not closed"
            if not closed and len(parts) == 1 and window.failure:
                fault, window.told = window.failure, True
            row = Row(line, raw, [], fault)
        columns = columns or len(row.cells)
        yield row
    if window.failure and not window.told:
        yield Row(window.line, b"", [], window.failure)


class _Lines:
    """Lines with their numbers, and the means to put some back."""

    def __init__(self, window: Window, limit: int) -> None:
        self.window = window
        self._limit = limit
        self._returned: deque[tuple[int, bytes]] = deque()

    def take(self) -> tuple[int, bytes] | None:
        r"""The next line with its `\n`; an over-long one is cut. None at the end."""
        if self._returned:
            return self._returned.popleft()
        window = self.window
        line = window.line
        end = window.line_end(self._limit)
        if end < 0 and window.pending > self._limit:
            raw = window.data[window.at :]
            window.skip_line()
            return line, raw
        if end < 0:
            raw = window.data[window.at :]
            window.at = len(window.data)
            return (line, raw) if raw else None
        raw = window.data[window.at : end + 1]
        window.pass_to(end + 1)
        return line, raw

    def give_back(self, line: int, lines: list[bytes]) -> None:
        """Puts lines in front of what comes next; the first of them is line `line`."""
        self._returned.extendleft(reversed([(line + offset, raw) for offset, raw in enumerate(lines)]))


_line_end = re.compile(r"\r?\n\Z")


def parse_row(line: int, raw: bytes, delimiter: str) -> Row:
    """One row from its bytes, line end included."""
    try:
        text = _line_end.sub("", raw.decode())
    except UnicodeDecodeError as wrong:
        return Row(line, raw, [], f"not valid UTF-8 at byte {wrong.start + 1}")
    if len(text) >= csv.field_size_limit():
        csv.field_size_limit(2 * len(text))  # the module's own limit, which is global, may only grow
    try:
        found = list(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        return Row(line, raw, [], f"not valid CSV: {error}")
    return Row(line, raw, found[0] if found else [])
