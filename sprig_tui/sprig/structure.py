"""Finds where a JSON value ends, on raw bytes and across chunks, without decoding it."""

from __future__ import annotations

import re
from enum import Enum

_outside = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"[^"{}\[\]]*+)*+').match
_inside = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+').match
_OPENER = {ord("}"): ord("{"), ord("]"): ord("[")}
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_KEPT_LEVELS = 1_000
"""Brackets whose kind is remembered; deeper ones, which no reader takes, are only counted."""


class Found(Enum):
    """What a stretch of a value held."""

    END = 1
    MORE = 2
    BROKEN = 3


class Structure:
    """The brackets that stand open in a value, and whether a string does.

    It looks at brackets and strings alone: whether what lies between is JSON, the decoder says later.
    """

    def __init__(self, opened: bytes = b"") -> None:
        self.opened = bytearray(opened)
        self.in_string = False
        self._deeper = 0

    def scan(self, data: bytes, position: int) -> tuple[Found, int]:
        """Reads on from `position` until the value's end, until `data` is used up, or until no JSON can have this.

        Returns what was found and where: just past the value, where to go on when there is more, or the fault (a
        bracket that closes another kind, a line end within a string).
        """
        size = len(data)
        while position < size:
            pattern = _inside if self.in_string else _outside
            position = pattern(data, position).end()  # type: ignore[union-attr]  # both match the empty string too
            if position == size:
                break
            byte = data[position]
            if byte == _QUOTE:
                self.in_string = not self.in_string
            elif self.in_string:  # a line end, or a backslash whose escape is not here or is a line end
                cut = byte != _NEWLINE and position + 1 == size
                return (Found.MORE if cut else Found.BROKEN), position
            elif byte in _OPENER:
                if self._deeper:
                    self._deeper -= 1
                elif not self.opened or self.opened.pop() != _OPENER[byte]:
                    return Found.BROKEN, position
                if not self.opened:
                    return Found.END, position + 1
            elif len(self.opened) < _KEPT_LEVELS:
                self.opened.append(byte)
            else:
                self._deeper += 1
            position += 1
        return Found.MORE, position
