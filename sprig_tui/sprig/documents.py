"""Takes a stream of JSON apart into records: lines, list elements, the `data` of REST pages, documents in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

from sprig_tui.sprig.faults import EXCERPT_BYTES
from sprig_tui.sprig.structure import Found, Structure
from sprig_tui.sprig.window import Window

DEFAULT_MAX_RECORD_BYTES = 10_000_000

_validate = msgspec.json.Decoder(Raw).decode
_brace_before_object = re.compile(rb"\}(?=\s*,\s*\{)").search
_space = re.compile(rb"[ \t\r\n]*+")
_between = re.compile(rb"[ \t\r\n,]*+")
_line = re.compile(rb"[^\n]*+")
_scalar = re.compile(rb"[^,\]\n]*+")
_page = re.compile(rb'\{\s*+(?:"cursor"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|null)\s*+,\s*+)?+"data"\s*+:\s*+\[').match
_PAGE_HEAD_BYTES = 4_096
_TAIL_BYTES = 256


class Piece(NamedTuple):
    """One record's bytes, still to be decoded, or a fault in their place."""

    raw: bytes
    line: int
    """1-based line of the stream on which it starts."""
    path: str = ""
    """Place in the document, such as `data[3]`; empty for the whole."""
    fault: str = ""
    """Why it cannot be decoded; `raw` is an excerpt then."""


def split_document(raw: bytes, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> Iterator[Piece]:
    """Pieces of a document in memory."""
    return split_documents(Window(iter((raw,))), max_record_bytes)


def split_documents(window: Window, max_record_bytes: int) -> Iterator[Piece]:
    """Pieces of JSON documents one after the other, however they are laid out; memory stays within one record."""
    while _skip(window, _space):
        yield from _value(window, "", max_record_bytes)
    if window.failure and not window.told:
        yield Piece(b"", window.line, "", window.failure)


def _value(window: Window, path: str, limit: int) -> Iterator[Piece]:
    """The records of the value that starts here: one, or many where it is a list or a page."""
    first = window.data[window.at]
    if first == ord("["):
        window.at += 1
        yield from _elements(window, path, limit)
    elif first == ord("{"):
        head = _page(window.data, window.at)
        piece = None if head else _quick_record(window, path, limit)
        if piece is None:
            head = head or _page_head(window)
            piece = None if head else _record(window, path, limit)
        if head is None:
            if piece is not None:
                yield piece
            return
        window.pass_to(head.end())
        yield from _elements(window, f"{path}.data" if path else "data", limit)
        yield from _rest_of_page(window, path, limit)
    else:
        yield _stray(window, path, limit)


def _page_head(window: Window) -> re.Match[bytes] | None:
    """A REST page's opening up to the bracket of its `data`; None where the value is no page."""
    while window.pending < _PAGE_HEAD_BYTES and not _page(window.data, window.at):
        if Structure().scan(window.data, window.at)[0] is not Found.MORE or not window.more():
            break
    return _page(window.data, window.at)


def _elements(window: Window, path: str, limit: int) -> Iterator[Piece]:
    """The elements of the list whose bracket was just passed; passes the closing one."""
    index = 0
    while _skip(window, _between):
        first = window.data[window.at]
        if first == ord("]"):
            window.at += 1
            return
        place = f"{path}[{index}]"
        if first == ord("{") and not path:
            yield from _value(window, place, limit)  # a list of pages; pages do not stand in pages
        elif first in b"{[":
            yield _quick_record(window, place, limit) or _record(window, place, limit)
        else:
            yield _stray(window, place, limit)
        index += 1
    yield from _cut_off(window, path, "list")


def _cut_off(window: Window, path: str, what: str) -> Iterator[Piece]:
    """A fault for a list or page that does not end, unless its last record has told already."""
    if not (window.told or window.failure):
        window.told = True
        yield Piece(b"", window.line, path, f"the {what} does not end: the file may be cut off")


def _quick_record(window: Window, path: str, limit: int) -> Piece | None:
    """The object that starts here, where the first brace that another object follows ends it; the usual case in a list.

    A prefix that is valid JSON from brace to brace is the whole object, so the decoder's word suffices.
    """
    data, at = window.data, window.at
    if window.base + at < window.searched:
        return None  # the next such brace ended no record that began before, or there is none at hand
    found = _brace_before_object(data, at, at + limit)
    window.searched = window.base + (min(at + limit, len(data)) if found is None else found.end())
    if found is None:
        return None
    raw = data[at : found.end()]
    try:
        _validate(raw)
    except (DecodeError, RecursionError):
        return None
    line = window.line
    window.pass_to(found.end())
    return Piece(raw, line, path)


def _record(window: Window, path: str, limit: int) -> Piece:
    """The object or list that starts here, whole; or a fault, with the stream past what is wrong."""
    structure = Structure()
    line = window.line
    indent = _indent(window) if path else b""
    excerpt: bytes | None = None
    position = window.at
    while True:
        found, position = structure.scan(window.data, position)
        if excerpt is None and position - window.at > limit:
            excerpt = window.data[window.at : window.at + EXCERPT_BYTES]
        if found is Found.END:
            raw = window.data[window.at : position]
            window.pass_to(position)
            return Piece(raw, line, path) if excerpt is None else Piece(excerpt, line, path, _too_large(limit))
        if found is Found.BROKEN:
            excerpt = excerpt or window.data[window.at : min(position, window.at + EXCERPT_BYTES)]
            window.pass_to(position)
            excerpt += _to_next(window, indent)
            return Piece(excerpt[:EXCERPT_BYTES], line, path, "not valid JSON: its brackets or quotes do not match")
        if excerpt is not None:
            window.pass_to(position)
        ahead = position - window.at
        if not window.more():
            excerpt = excerpt or window.data[window.at : window.at + EXCERPT_BYTES]
            window.pass_to(len(window.data))
            window.told = True
            return Piece(excerpt, line, path, window.failure or "not valid JSON: it ends too early")
        position = window.at + ahead


def _rest_of_page(window: Window, path: str, limit: int) -> Iterator[Piece]:
    """Passes what follows `data` in a page, up to its closing brace."""
    structure = Structure(b"{")
    while True:
        found, position = structure.scan(window.data, window.at)
        window.pass_to(position)
        if found is Found.END:
            return
        if found is Found.BROKEN:
            yield _stray(window, path, limit)
            return
        if not window.more():
            yield from _cut_off(window, path, "page")
            return


def _stray(window: Window, path: str, limit: int) -> Piece:
    """What is no object or list, up to the next comma, bracket or line end."""
    line = window.line
    pattern = _scalar if path else _line
    while True:
        end = pattern.match(window.data, window.at)
        position = end.end() if end else window.at
        if position < len(window.data) or window.pending > limit or not window.more():
            break
    raw = window.data[window.at : max(position, window.at + 1)]
    window.pass_to(window.at + len(raw))
    if window.pending == 0 and len(raw) > limit:
        window.skip_line()
        return Piece(raw[:EXCERPT_BYTES], line, path, _too_large(limit))
    return Piece(raw.strip(), line, path)


def _indent(window: Window) -> bytes | None:
    """White space before the value that starts here, where it starts its line and that line is at hand."""
    before = window.data[max(0, window.at - _TAIL_BYTES) : window.at]
    indent = before[before.rfind(b"\n") + 1 :]
    return indent if b"\n" in before and not indent.strip() else None


def _to_next(window: Window, indent: bytes | None) -> bytes:
    """Goes on after a broken record: at a brace with the same indent, or after `},`; else at the end.

    Returns the start of what it passed over.
    """
    pattern = re.compile(rb"\}\s*,\s*(?=\{)" if indent is None else rb"\n" + indent + rb"(?=[{\[])")
    passed = b""
    while True:
        found = pattern.search(window.data, window.at)
        until = found.end() if found else max(window.at, len(window.data) - _TAIL_BYTES)
        if len(passed) < EXCERPT_BYTES:
            passed += window.data[window.at : until]
        window.pass_to(until)
        if found:
            return passed.rstrip(b" \t\r\n,")
        if not window.more():
            passed += window.data[window.at :]
            window.pass_to(len(window.data))
            window.told = True
            return passed


def _skip(window: Window, pattern: re.Pattern[bytes]) -> bool:
    """Passes what `pattern` takes; False at the end of the stream."""
    while True:
        found = pattern.match(window.data, window.at)
        window.pass_to(found.end() if found else window.at)
        if window.at < len(window.data):
            return True
        if not window.more():
            return False


def _too_large(limit: int) -> str:
    return f"larger than {limit:,} bytes"
