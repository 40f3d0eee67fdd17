"""Ends of files: whether one stops in the middle of a line or a document, because its writer pauses or was cut off."""

from __future__ import annotations

import codecs
import os
from typing import BinaryIO

import msgspec

from sprig_tui.sprig.csv_rows import detect_delimiter, parse_row

_HEAD_BYTES = 65_536
_TAIL_BYTES = 1_000_000


def is_truncated(path: str) -> bool:
    """Whether the last line, or the document, of a plain file is not all there; raises OSError.

    A last line without a line end is whole where it is JSON, or a row with as many cells as the keys row. What cannot
    be told (compressed files, other encodings, very long lines) counts as whole.
    """
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a bare text
        head = (stream.read(_HEAD_BYTES) or b"").removeprefix(codecs.BOM_UTF8).lstrip()
        tail = _read_tail(stream)
    if b"\0" in head or not tail.strip():
        return False
    last = tail[tail.rfind(b"\n") + 1 :].strip()
    first = head.split(b"\n", 1)[0]
    if head.startswith(b"["):
        return not tail.rstrip().endswith(b"]")
    if head.startswith(b"{"):
        if not last or _is_json(last):
            return not last and not _is_json(first.strip()) and not tail.rstrip().endswith((b"}", b"]"))
        return _is_json(first.strip()) or not tail.rstrip().endswith((b"}", b"]"))
    delimiter = detect_delimiter(first)
    if delimiter and last and b"\n" in tail:
        keys, cells = parse_row(0, first, delimiter).cells, parse_row(0, last, delimiter).cells
        return len(cells) < len(keys) or last.count(b'"') % 2 == 1
    return False


def _read_tail(stream: BinaryIO) -> bytes:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _TAIL_BYTES))
    return stream.read(_TAIL_BYTES) or b""


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
