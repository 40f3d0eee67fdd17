"""JSON stream split into records: lines, list elements, the `data` of REST pages, or documents in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

from sprig_tui.sprig.stream import StreamBuffer
from sprig_tui.sprig.unsendable import MAX_EXCERPT_BYTES

DEFAULT_MAX_RECORD_BYTES = 10_000_000
_PAGE_HEAD_BYTES = 4_096
_TAIL_BYTES = 256

# No possessive repeats of groups: before 3.11.5, Python's end in the middle of the iteration that did not match. The
# repeats are limited, since Python remembers each iteration of those that are not possessive.
_match_outside_string = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+){0,50}"[^"{}\[\]]*+){0,50}').match
_match_inside_string = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+){0,200}').match
_OPENER = {ord("}"): ord("{"), ord("]"): ord("[")}
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_MAX_TRACKED_LEVELS = 1_000
"""Levels whose kind of bracket is checked; deeper ones, which no decoder accepts, are only counted."""

_validate = msgspec.json.Decoder(Raw).decode
_brace_before_object = re.compile(rb"\}(?=\s*,\s*\{)").search
_space = re.compile(rb"[ \t\r\n]*+")
_separators = re.compile(rb"[ \t\r\n,]*+")
_line = re.compile(rb"[^\n]*+")
_scalar = re.compile(rb"[^,\]\n]*+")
_page_start = re.compile(rb'\{\s*+(?:"cursor"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|null)\s*+,\s*+)?+"data"\s*+:\s*+\[').match


class ScanState(Enum):
    """Result of scanning a part of a value."""

    END = 1
    MORE = 2
    BROKEN = 3


class BracketScanner:
    """The open brackets of a value, and whether a string is open.

    Only brackets and strings are scanned; the decoder checks the rest later.
    """

    def __init__(self, opened: bytes = b"") -> None:
        self.opened = bytearray(opened)
        self.in_string = False
        self._untracked_levels = 0

    def scan(self, data: bytes, position: int) -> tuple[ScanState, int]:
        """Scan from `position` to the end of the value, the end of `data`, or the first fault.

        Returns the state and a position: just past the value, where to continue with more data, or of the fault (a
        bracket that closes another kind, a line end inside a string).
        """
        size = len(data)
        while position < size:
            pattern = _match_inside_string if self.in_string else _match_outside_string
            position = pattern(data, position).end()  # type: ignore[union-attr]  # both match the empty string too
            if position == size:
                break
            byte = data[position]
            if byte == _QUOTE:
                self.in_string = not self.in_string
            elif self.in_string:  # a line end or a backslash
                if (state := _state_in_string(data, position)) is not None:
                    return state, position
                continue  # more escapes than the pattern matches at once
            elif byte in _OPENER:
                if not self._close(byte):
                    return ScanState.BROKEN, position
                if not self.opened:
                    return ScanState.END, position + 1
            elif len(self.opened) < _MAX_TRACKED_LEVELS:
                self.opened.append(byte)
            else:
                self._untracked_levels += 1
            position += 1
        return ScanState.MORE, position

    def _close(self, byte: int) -> bool:
        """Close the innermost bracket; False where this one does not fit it."""
        if self._untracked_levels:
            self._untracked_levels -= 1
            return True
        return bool(self.opened) and self.opened.pop() == _OPENER[byte]


def _state_in_string(data: bytes, position: int) -> ScanState | None:
    """The result at a line end or a backslash in a string; None for an escape that is here as a whole."""
    if data[position] == _NEWLINE:
        return ScanState.BROKEN
    if position + 1 == len(data):
        return ScanState.MORE
    return ScanState.BROKEN if data[position + 1] == _NEWLINE else None


class RawRecord(NamedTuple):
    """The undecoded bytes of one record, or a fault in their place."""

    raw: bytes
    line: int
    """1-based line of the stream on which it starts."""
    path: str = ""
    """Path in the document, such as `data[3]`; empty for the whole."""
    fault: str = ""
    """Why the record cannot be decoded; `raw` is an excerpt then."""


def split_document(raw: bytes, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> Iterator[RawRecord]:
    """The records of a document in memory."""
    return split_documents(StreamBuffer(iter((raw,))), max_record_bytes)


def split_documents(buffer: StreamBuffer, max_record_bytes: int) -> Iterator[RawRecord]:
    """The records of JSON documents in a row, in any layout; memory is bounded by one record."""
    while _skip(buffer, _space):
        yield from _split_value(buffer, "", max_record_bytes)
    if buffer.failure and not buffer.failure_reported:
        yield RawRecord(b"", buffer.line, "", buffer.failure)


def split_from_element(buffer: StreamBuffer, path: str, index: int, max_record_bytes: int) -> Iterator[RawRecord]:
    """The records of a document from an element of its list on, and of the documents after it.

    `path` is that of the list: empty for a list of records, `data` for a page.
    """
    yield from _split_elements(buffer, path, max_record_bytes, index)
    if path:
        yield from _skip_rest_of_page(buffer, "", max_record_bytes)
    yield from split_documents(buffer, max_record_bytes)


def _split_value(buffer: StreamBuffer, path: str, limit: int) -> Iterator[RawRecord]:
    """The records of the value that starts here: one, or the elements of a list or page."""
    first = buffer.data[buffer.position]
    if first == ord("["):
        buffer.position += 1
        yield from _split_elements(buffer, path, limit)
    elif first == ord("{"):
        head = _page_start(buffer.data, buffer.position)
        record = None if head else _try_record(buffer, path, limit)
        if record is None:
            head = head or _page_head(buffer)
            record = None if head else _next_record(buffer, path, limit)
        if head is None:
            if record is not None:
                yield record
            return
        buffer.advance_to(head.end())
        yield from _split_elements(buffer, f"{path}.data" if path else "data", limit)
        yield from _skip_rest_of_page(buffer, path, limit)
    else:
        yield _stray_text_fault(buffer, path, limit)


def _page_head(buffer: StreamBuffer) -> re.Match[bytes] | None:
    """The start of a REST page up to the bracket of its `data`; None for any other value."""
    while buffer.pending < _PAGE_HEAD_BYTES and not _page_start(buffer.data, buffer.position):
        if BracketScanner().scan(buffer.data, buffer.position)[0] is not ScanState.MORE or not buffer.fill():
            break
    return _page_start(buffer.data, buffer.position)


def _split_elements(buffer: StreamBuffer, path: str, limit: int, index: int = 0) -> Iterator[RawRecord]:
    """The elements of the list whose opening bracket is behind `position`; advances past the closing one.

    `index` is that of the first element read.
    """
    while _skip(buffer, _separators):
        first = buffer.data[buffer.position]
        if first == ord("]"):
            buffer.position += 1
            return
        place = f"{path}[{index}]"
        if first == ord("{") and not path:
            yield from _split_value(buffer, place, limit)  # a list of pages; a page holds no pages
        elif first in b"{[":
            yield _try_record(buffer, place, limit) or _next_record(buffer, place, limit)
        else:
            yield _stray_text_fault(buffer, place, limit)
        index += 1
    yield from _truncation_fault(buffer, path, "list")


def _truncation_fault(buffer: StreamBuffer, path: str, what: str) -> Iterator[RawRecord]:
    """A fault for a list or page that does not end, unless its last record already reports it."""
    if not (buffer.failure_reported or buffer.failure):
        buffer.failure_reported = True
        yield RawRecord(b"", buffer.line, path, f"the {what} does not end: the file may be cut off")


def _try_record(buffer: StreamBuffer, path: str, limit: int) -> RawRecord | None:
    """The object that starts here, if it ends at the first `}` before another object; the usual case in a list.

    A prefix that is valid JSON from brace to brace is the whole object, so the decoder alone decides.
    """
    data, at = buffer.data, buffer.position
    if buffer.base + at < buffer.searched:
        return None  # an earlier record searched this part already, without a brace that ended it
    brace = _brace_before_object(data, at, at + limit)
    buffer.searched = buffer.base + (min(at + limit, len(data)) if brace is None else brace.end())
    if brace is None:
        return None
    raw = data[at : brace.end()]
    try:
        _validate(raw)
    except (DecodeError, RecursionError):
        return None
    line = buffer.line
    buffer.advance_to(brace.end())
    return RawRecord(raw, line, path)


def _next_record(buffer: StreamBuffer, path: str, limit: int) -> RawRecord:
    """The whole object or list that starts here; or a fault, and the buffer then stands after the broken part."""
    scanner = BracketScanner()
    line = buffer.line
    indent = _indent_before(buffer) if path else b""
    excerpt: bytes | None = None
    position = buffer.position
    while True:
        state, position = scanner.scan(buffer.data, position)
        if excerpt is None and position - buffer.position > limit:
            excerpt = buffer.data[buffer.position : buffer.position + MAX_EXCERPT_BYTES]
        if state is ScanState.END:
            raw = buffer.data[buffer.position : position]
            buffer.advance_to(position)
            return (
                RawRecord(raw, line, path)
                if excerpt is None
                else RawRecord(excerpt, line, path, _too_large_text(limit))
            )
        if state is ScanState.BROKEN:
            excerpt = excerpt or buffer.data[buffer.position : min(position, buffer.position + MAX_EXCERPT_BYTES)]
            buffer.advance_to(position)
            excerpt += _resync(buffer, indent)
            return RawRecord(
                excerpt[:MAX_EXCERPT_BYTES], line, path, "not valid JSON: its brackets or quotes do not match"
            )
        if excerpt is not None:
            buffer.advance_to(position)
        ahead = position - buffer.position
        if not buffer.fill():
            excerpt = excerpt or buffer.data[buffer.position : buffer.position + MAX_EXCERPT_BYTES]
            buffer.advance_to(len(buffer.data))
            buffer.failure_reported = True
            return RawRecord(excerpt, line, path, buffer.failure or "not valid JSON: it ends too early")
        position = buffer.position + ahead


def _skip_rest_of_page(buffer: StreamBuffer, path: str, limit: int) -> Iterator[RawRecord]:
    """Advance from the end of `data` in a page to after its closing brace; yields a fault if it has none."""
    scanner = BracketScanner(b"{")
    while True:
        state, position = scanner.scan(buffer.data, buffer.position)
        buffer.advance_to(position)
        if state is ScanState.END:
            return
        if state is ScanState.BROKEN:
            yield _stray_text_fault(buffer, path, limit)
            return
        if not buffer.fill():
            yield from _truncation_fault(buffer, path, "page")
            return


def _stray_text_fault(buffer: StreamBuffer, path: str, limit: int) -> RawRecord:
    """Text that is neither an object nor a list, up to the next comma, bracket or line end."""
    line = buffer.line
    pattern = _scalar if path else _line
    while True:
        end = pattern.match(buffer.data, buffer.position)
        position = end.end() if end else buffer.position
        if position < len(buffer.data) or buffer.pending > limit or not buffer.fill():
            break
    raw = buffer.data[buffer.position : max(position, buffer.position + 1)]
    buffer.advance_to(buffer.position + len(raw))
    if buffer.pending == 0 and len(raw) > limit:
        buffer.skip_line()
        return RawRecord(raw[:MAX_EXCERPT_BYTES], line, path, _too_large_text(limit))
    return RawRecord(raw.strip(), line, path)


def _indent_before(buffer: StreamBuffer) -> bytes | None:
    """White space before the value that starts here; None unless the value starts a line that is in the buffer."""
    before = buffer.data[max(0, buffer.position - _TAIL_BYTES) : buffer.position]
    indent = before[before.rfind(b"\n") + 1 :]
    return indent if b"\n" in before and not indent.strip() else None


def _resync(buffer: StreamBuffer, indent: bytes | None) -> bytes:
    """Advance past a broken record: to a bracket with the same indent, or after `},`; otherwise to the end.

    Returns the first bytes that were skipped.
    """
    pattern = re.compile(rb"\}\s*,\s*(?=\{)" if indent is None else rb"\n" + indent + rb"(?=[{\[])")
    skipped = b""
    while True:
        match = pattern.search(buffer.data, buffer.position)
        end = match.end() if match else max(buffer.position, len(buffer.data) - _TAIL_BYTES)
        if len(skipped) < MAX_EXCERPT_BYTES:
            skipped += buffer.data[buffer.position : end]
        buffer.advance_to(end)
        if match:
            return skipped.rstrip(b" \t\r\n,")
        if not buffer.fill():
            skipped += buffer.data[buffer.position :]
            buffer.advance_to(len(buffer.data))
            buffer.failure_reported = True
            return skipped


def _skip(buffer: StreamBuffer, pattern: re.Pattern[bytes]) -> bool:
    """Advance past everything that `pattern` matches; False at the end of the stream."""
    while True:
        match = pattern.match(buffer.data, buffer.position)
        buffer.advance_to(match.end() if match else buffer.position)
        if buffer.position < len(buffer.data):
            return True
        if not buffer.fill():
            return False


def _too_large_text(limit: int) -> str:
    return f"larger than {limit:,} bytes"


def is_json_lines(buffer: StreamBuffer, max_record_bytes: int) -> bool:
    """Whether the stream holds at least one document on each line; `position` is after any white space.

    The first line decides, or the second one if the first is ambiguous; the file's name does not.
    """
    if not buffer.pending:
        buffer.fill()
    if buffer.data.startswith(b"[", buffer.position):
        return False
    end = buffer.line_end(max_record_bytes)
    if end < 0:
        return False
    first = buffer.data[buffer.position : end].strip()
    if not first.startswith(b"{"):
        return True
    scanner = BracketScanner()
    state, _ = scanner.scan(first, 0)
    if state is not ScanState.MORE or scanner.in_string:
        return True
    awaits_value = first.endswith(b":") or (scanner.opened[-1:] == b"[" and first.endswith((b"[", b",")))
    if awaits_value:
        return False
    return _next_line_start(buffer, max_record_bytes).startswith(b"{")


def _next_line_start(buffer: StreamBuffer, limit: int) -> bytes:
    """The first byte of the next line that is not blank; empty without one."""
    position = buffer.data.find(b"\n", buffer.position) + 1 - buffer.position
    while True:
        following = buffer.data[buffer.position + position :].lstrip()
        if following:
            return following[:1]
        position = buffer.pending
        if position > limit or not buffer.fill():
            return b""


def read_line_blocks(buffer: StreamBuffer, max_record_bytes: int) -> Iterator[tuple[int, list[bytes]] | RawRecord]:
    """Blocks of lines, blank ones included, each with the number of its first line; or faults as RawRecords.

    Blocks are much faster than single lines.
    """
    while True:
        end = buffer.data.rfind(b"\n", buffer.position)
        if end < 0:
            if buffer.pending > max_record_bytes:
                yield _oversize_fault(buffer, max_record_bytes)
            elif not buffer.fill():
                break
            continue
        line = buffer.line
        lines = buffer.data[buffer.position : end].split(b"\n")
        if buffer.data.find(b"\r", buffer.position, end) >= 0:
            lines = [raw.rstrip(b"\r") for raw in lines]
        buffer.position = end + 1
        buffer.line += len(lines)
        yield line, lines
    last = buffer.data[buffer.position :]
    if buffer.failure:
        yield RawRecord(last[:MAX_EXCERPT_BYTES], buffer.line, "", buffer.failure)
    elif last:
        yield buffer.line, [last]


def _oversize_fault(buffer: StreamBuffer, limit: int) -> RawRecord:
    line = buffer.line
    excerpt = buffer.data[buffer.position : buffer.position + MAX_EXCERPT_BYTES]
    buffer.skip_line()
    return RawRecord(excerpt, line, "", f"the line is larger than {limit:,} bytes")
