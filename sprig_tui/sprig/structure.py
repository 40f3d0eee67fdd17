"""Finds where a JSON value ends, on raw bytes and across chunks, without decoding it."""

from __future__ import annotations

import re
from enum import Enum

_match_outside_string = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"[^"{}\[\]]*+)*+').match
_match_inside_string = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+').match
_OPENER = {ord("}"): ord("{"), ord("]"): ord("[")}
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_MAX_TRACKED_LEVELS = 1_000
"""Brackets whose kind is remembered; deeper ones, which no reader takes, are only counted."""


class ScanState(Enum):
    """What a stretch of a value held."""

    END = 1
    MORE = 2
    BROKEN = 3


class BracketScanner:
    """The brackets that stand open in a value, and whether a string does.

    It looks at brackets and strings alone: whether what lies between is JSON, the decoder says later.
    """

    def __init__(self, opened: bytes = b"") -> None:
        self.opened = bytearray(opened)
        self.in_string = False
        self._untracked_levels = 0

    def scan(self, data: bytes, position: int) -> tuple[ScanState, int]:
        """Reads on from `position` until the value's end, until `data` is used up, or until no JSON can have this.

        Returns what was found and where: just past the value, where to go on when there is more, or the fault (a
        bracket that closes another kind, a line end within a string).
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
            elif self.in_string:  # a line end, or a backslash whose escape is not here or is a line end
                cut = byte != _NEWLINE and position + 1 == size
                return (ScanState.MORE if cut else ScanState.BROKEN), position
            elif byte in _OPENER:
                if self._untracked_levels:
                    self._untracked_levels -= 1
                elif not self.opened or self.opened.pop() != _OPENER[byte]:
                    return ScanState.BROKEN, position
                if not self.opened:
                    return ScanState.END, position + 1
            elif len(self.opened) < _MAX_TRACKED_LEVELS:
                self.opened.append(byte)
            else:
                self._untracked_levels += 1
            position += 1
        return ScanState.MORE, position
