"""Takes a stream of JSON apart into records: lines, list elements, the `data` of REST pages, documents in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

from sprig_tui.sprig.faults import MAX_EXCERPT_BYTES
from sprig_tui.sprig.structure import BracketScanner, ScanState
from sprig_tui.sprig.window import StreamBuffer

DEFAULT_MAX_RECORD_BYTES = 10_000_000

_validate = msgspec.json.Decoder(Raw).decode
_brace_before_object = re.compile(rb"\}(?=\s*,\s*\{)").search
_space = re.compile(rb"[ \t\r\n]*+")
_separators = re.compile(rb"[ \t\r\n,]*+")
_line = re.compile(rb"[^\n]*+")
_scalar = re.compile(rb"[^,\]\n]*+")
_page_start = re.compile(rb'\{\s*+(?:"cursor"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|null)\s*+,\s*+)?+"data"\s*+:\s*+\[').match
_PAGE_HEAD_BYTES = 4_096
_TAIL_BYTES = 256


class RawRecord(NamedTuple):
    """One record's bytes, still to be decoded, or a fault in their place."""

    raw: bytes
    line: int
    """1-based line of the stream on which it starts."""
    path: str = ""
    """Place in the document, such as `data[3]`; empty for the whole."""
    fault: str = ""
    """Why it cannot be decoded; `raw` is an excerpt then."""


def split_document(raw: bytes, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> Iterator[RawRecord]:
    """Pieces of a document in memory."""
    return split_documents(StreamBuffer(iter((raw,))), max_record_bytes)


def split_documents(buffer: StreamBuffer, max_record_bytes: int) -> Iterator[RawRecord]:
    """Pieces of JSON documents one after the other, however they are laid out; memory stays within one record."""
    while _skip(buffer, _space):
        yield from _split_value(buffer, "", max_record_bytes)
    if buffer.failure and not buffer.failure_reported:
        yield RawRecord(b"", buffer.line, "", buffer.failure)


def _split_value(buffer: StreamBuffer, path: str, limit: int) -> Iterator[RawRecord]:
    """The records of the value that starts here: one, or many where it is a list or a page."""
    first = buffer.data[buffer.position]
    if first == ord("["):
        buffer.position += 1
        yield from _split_elements(buffer, path, limit)
    elif first == ord("{"):
        head = _page_start(buffer.data, buffer.position)
        piece = None if head else _try_record(buffer, path, limit)
        if piece is None:
            head = head or _page_head(buffer)
            piece = None if head else _next_record(buffer, path, limit)
        if head is None:
            if piece is not None:
                yield piece
            return
        buffer.advance_to(head.end())
        yield from _split_elements(buffer, f"{path}.data" if path else "data", limit)
        yield from _skip_rest_of_page(buffer, path, limit)
    else:
        yield _stray_text_fault(buffer, path, limit)


def _page_head(buffer: StreamBuffer) -> re.Match[bytes] | None:
    """A REST page's opening up to the bracket of its `data`; None where the value is no page."""
    while buffer.pending < _PAGE_HEAD_BYTES and not _page_start(buffer.data, buffer.position):
        if BracketScanner().scan(buffer.data, buffer.position)[0] is not ScanState.MORE or not buffer.fill():
            break
    return _page_start(buffer.data, buffer.position)


def _split_elements(buffer: StreamBuffer, path: str, limit: int) -> Iterator[RawRecord]:
    """The elements of the list whose bracket was just passed; passes the closing one."""
    index = 0
    while _skip(buffer, _separators):
        first = buffer.data[buffer.position]
        if first == ord("]"):
            buffer.position += 1
            return
        place = f"{path}[{index}]"
        if first == ord("{") and not path:
            yield from _split_value(buffer, place, limit)  # a list of pages; pages do not stand in pages
        elif first in b"{[":
            yield _try_record(buffer, place, limit) or _next_record(buffer, place, limit)
        else:
            yield _stray_text_fault(buffer, place, limit)
        index += 1
    yield from _truncation_fault(buffer, path, "list")


def _truncation_fault(buffer: StreamBuffer, path: str, what: str) -> Iterator[RawRecord]:
    """A fault for a list or page that does not end, unless its last record has told already."""
    if not (buffer.failure_reported or buffer.failure):
        buffer.failure_reported = True
        yield RawRecord(b"", buffer.line, path, f"the {what} does not end: the file may be cut off")


def _try_record(buffer: StreamBuffer, path: str, limit: int) -> RawRecord | None:
    """The object that starts here, where the first brace that another object follows ends it; the usual case in a list.

    A prefix that is valid JSON from brace to brace is the whole object, so the decoder's word suffices.
    """
    data, at = buffer.data, buffer.position
    if buffer.base + at < buffer.searched:
        return None  # the next such brace ended no record that began before, or there is none at hand
    found = _brace_before_object(data, at, at + limit)
    buffer.searched = buffer.base + (min(at + limit, len(data)) if found is None else found.end())
    if found is None:
        return None
    raw = data[at : found.end()]
    try:
        _validate(raw)
    except (DecodeError, RecursionError):
        return None
    line = buffer.line
    buffer.advance_to(found.end())
    return RawRecord(raw, line, path)


def _next_record(buffer: StreamBuffer, path: str, limit: int) -> RawRecord:
    """The object or list that starts here, whole; or a fault, with the stream past what is wrong."""
    structure = BracketScanner()
    line = buffer.line
    indent = _indent_before(buffer) if path else b""
    excerpt: bytes | None = None
    position = buffer.position
    while True:
        found, position = structure.scan(buffer.data, position)
        if excerpt is None and position - buffer.position > limit:
            excerpt = buffer.data[buffer.position : buffer.position + MAX_EXCERPT_BYTES]
        if found is ScanState.END:
            raw = buffer.data[buffer.position : position]
            buffer.advance_to(position)
            return (
                RawRecord(raw, line, path)
                if excerpt is None
                else RawRecord(excerpt, line, path, _too_large_text(limit))
            )
        if found is ScanState.BROKEN:
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
    """Passes what follows `data` in a page, up to its closing brace."""
    structure = BracketScanner(b"{")
    while True:
        found, position = structure.scan(buffer.data, buffer.position)
        buffer.advance_to(position)
        if found is ScanState.END:
            return
        if found is ScanState.BROKEN:
            yield _stray_text_fault(buffer, path, limit)
            return
        if not buffer.fill():
            yield from _truncation_fault(buffer, path, "page")
            return


def _stray_text_fault(buffer: StreamBuffer, path: str, limit: int) -> RawRecord:
    """What is no object or list, up to the next comma, bracket or line end."""
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
    """White space before the value that starts here, where it starts its line and that line is at hand."""
    before = buffer.data[max(0, buffer.position - _TAIL_BYTES) : buffer.position]
    indent = before[before.rfind(b"\n") + 1 :]
    return indent if b"\n" in before and not indent.strip() else None


def _resync(buffer: StreamBuffer, indent: bytes | None) -> bytes:
    """Goes on after a broken record: at a brace with the same indent, or after `},`; else at the end.

    Returns the start of what it passed over.
    """
    pattern = re.compile(rb"\}\s*,\s*(?=\{)" if indent is None else rb"\n" + indent + rb"(?=[{\[])")
    passed = b""
    while True:
        found = pattern.search(buffer.data, buffer.position)
        until = found.end() if found else max(buffer.position, len(buffer.data) - _TAIL_BYTES)
        if len(passed) < MAX_EXCERPT_BYTES:
            passed += buffer.data[buffer.position : until]
        buffer.advance_to(until)
        if found:
            return passed.rstrip(b" \t\r\n,")
        if not buffer.fill():
            passed += buffer.data[buffer.position :]
            buffer.advance_to(len(buffer.data))
            buffer.failure_reported = True
            return passed


def _skip(buffer: StreamBuffer, pattern: re.Pattern[bytes]) -> bool:
    """Passes what `pattern` takes; False at the end of the stream."""
    while True:
        found = pattern.match(buffer.data, buffer.position)
        buffer.advance_to(found.end() if found else buffer.position)
        if buffer.position < len(buffer.data):
            return True
        if not buffer.fill():
            return False


def _too_large_text(limit: int) -> str:
    return f"larger than {limit:,} bytes"
