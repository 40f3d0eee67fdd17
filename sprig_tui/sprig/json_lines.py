"""JSON Lines: telling them from other layouts, and taking them apart quickly."""

from __future__ import annotations

from collections.abc import Iterator

from sprig_tui.sprig.documents import RawRecord
from sprig_tui.sprig.faults import MAX_EXCERPT_BYTES
from sprig_tui.sprig.structure import BracketScanner, ScanState
from sprig_tui.sprig.window import StreamBuffer


def is_json_lines(buffer: StreamBuffer, max_record_bytes: int) -> bool:
    """Whether the stream that starts here, after white space, holds one document or more on each line.

    Decided by the first line, and where that leaves it open by the second, never by the file's name.
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
    structure = BracketScanner()
    found, _ = structure.scan(first, 0)
    if found is not ScanState.MORE or structure.in_string:
        return True
    awaits_value = first.endswith(b":") or (structure.opened[-1:] == b"[" and first.endswith((b"[", b",")))
    if awaits_value:
        return False
    return _next_line_start(buffer, max_record_bytes).startswith(b"{")


def _next_line_start(buffer: StreamBuffer, limit: int) -> bytes:
    """The start of the next line that is not blank; empty where there is none."""
    position = buffer.data.find(b"\n", buffer.position) + 1 - buffer.position
    while True:
        following = buffer.data[buffer.position + position :].lstrip()
        if following:
            return following[:1]
        position = buffer.pending
        if position > limit or not buffer.fill():
            return b""


def read_line_blocks(buffer: StreamBuffer, max_record_bytes: int) -> Iterator[tuple[int, list[bytes]] | RawRecord]:
    """Lines in blocks with the number of the first, blank ones included; a fault is a Piece.

    Blocks instead of lines keep a million records cheap.
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


def split_lines(buffer: StreamBuffer, max_record_bytes: int) -> Iterator[RawRecord]:
    """A piece per line that is not blank, for readers that look at one line at a time."""
    for block in read_line_blocks(buffer, max_record_bytes):
        if isinstance(block, RawRecord):
            yield block
            continue
        for line, raw in enumerate(block[1], block[0]):
            if stripped := raw.strip():
                yield RawRecord(stripped, line)


def _oversize_fault(buffer: StreamBuffer, limit: int) -> RawRecord:
    line = buffer.line
    excerpt = buffer.data[buffer.position : buffer.position + MAX_EXCERPT_BYTES]
    buffer.skip_line()
    return RawRecord(excerpt, line, "", _line_too_large_text(limit))


def _line_too_large_text(limit: int) -> str:
    return f"the line is larger than {limit:,} bytes"
