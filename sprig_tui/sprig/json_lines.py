"""JSON Lines: telling them from other layouts, and taking them apart quickly."""

from __future__ import annotations

from collections.abc import Iterator

from sprig_tui.sprig.documents import Piece
from sprig_tui.sprig.faults import EXCERPT_BYTES
from sprig_tui.sprig.structure import Found, Structure
from sprig_tui.sprig.window import Window


def is_json_lines(window: Window, max_record_bytes: int) -> bool:
    """Whether the stream that starts here, after white space, holds one document or more on each line.

    Decided by the first line, and where that leaves it open by the second, never by the file's name.
    """
    if not window.pending:
        window.more()
    if window.data.startswith(b"[", window.at):
        return False
    end = window.line_end(max_record_bytes)
    if end < 0:
        return False
    first = window.data[window.at : end].strip()
    if not first.startswith(b"{"):
        return True
    structure = Structure()
    found, _ = structure.scan(first, 0)
    if found is not Found.MORE or structure.in_string:
        return True
    awaits_value = first.endswith(b":") or (structure.opened[-1:] == b"[" and first.endswith((b"[", b",")))
    if awaits_value:
        return False
    return _second_line(window, max_record_bytes).startswith(b"{")


def _second_line(window: Window, limit: int) -> bytes:
    """The start of the next line that is not blank; empty where there is none."""
    position = window.data.find(b"\n", window.at) + 1 - window.at
    while True:
        following = window.data[window.at + position :].lstrip()
        if following:
            return following[:1]
        position = window.pending
        if position > limit or not window.more():
            return b""


def line_blocks(window: Window, max_record_bytes: int) -> Iterator[tuple[int, list[bytes]] | Piece]:
    """Lines in blocks with the number of the first, blank ones included; a fault is a Piece.

    Blocks instead of lines keep a million records cheap.
    """
    while True:
        end = window.data.rfind(b"\n", window.at)
        if end < 0:
            if window.pending > max_record_bytes:
                yield _oversize(window, max_record_bytes)
            elif not window.more():
                break
            continue
        line = window.line
        lines = window.data[window.at : end].split(b"\n")
        if window.data.find(b"\r", window.at, end) >= 0:
            lines = [raw.rstrip(b"\r") for raw in lines]
        window.at = end + 1
        window.line += len(lines)
        yield line, lines
    last = window.data[window.at :]
    if window.failure:
        yield Piece(last[:EXCERPT_BYTES], window.line, "", window.failure)
    elif last:
        yield window.line, [last]


def split_lines(window: Window, max_record_bytes: int) -> Iterator[Piece]:
    """A piece per line that is not blank, for readers that look at one line at a time."""
    for block in line_blocks(window, max_record_bytes):
        if isinstance(block, Piece):
            yield block
            continue
        for line, raw in enumerate(block[1], block[0]):
            if stripped := raw.strip():
                yield Piece(stripped, line)


def _oversize(window: Window, limit: int) -> Piece:
    line = window.line
    excerpt = window.data[window.at : window.at + EXCERPT_BYTES]
    window.skip_line()
    return Piece(excerpt, line, "", _too_large(limit))


def _too_large(limit: int) -> str:
    return f"the line is larger than {limit:,} bytes"
