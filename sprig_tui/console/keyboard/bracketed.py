"""Pastes: taken out of what the terminal sends before it is parsed, so that no part of one is ever a key.

Textual's parser takes an escape character within a paste for a key, and reads a megabyte letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from textual import events

MAX_PASTE_CHARS = 64_000_000
"""Longest paste that is kept."""
_START, _END = "\x1b[200~", "\x1b[201~"
_MIN_HELD_CHARS = 3
"""Least part of the start that is held back: fewer characters are a key."""
_MIN_BURST_CHARS = 32
"""Least length of what begins a paste without brackets."""
_JSON_START = re.compile(r"""\s*(?:\{|\[\s*\{)\s*"\w""")
_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]*")
"""Text without keys other than letters, tab and enter."""


class PasteSplitter:
    """Splits what is read into text for the parser and whole pastes; `on_oversized` gets the length of a longer one."""

    def __init__(self, on_oversized: Callable[[int], None]) -> None:
        self._on_oversized = on_oversized
        self._held = ""
        self._parts: list[str] | None = None
        """Parts of the paste that has begun; None outside of one."""
        self._size = 0

    def feed(self, text: str) -> Iterator[str | events.Paste]:
        """The parts of a text in their order."""
        text = self._held + text
        self._held = ""
        while text:
            if self._parts is None:
                before, start, text = text.partition(_START)
                if not start:
                    keep = _held_length(before, _START, at_least=_MIN_HELD_CHARS)
                    before, self._held = before[: len(before) - keep], before[len(before) - keep :]
                else:
                    self._parts, self._size = [], 0
                if before:
                    yield before
                continue
            pasted, end, text = text.partition(_END)
            if not end:
                keep = _held_length(pasted, _END, at_least=1)
                pasted, self._held = pasted[: len(pasted) - keep], pasted[len(pasted) - keep :]
            self._size += len(pasted)
            if self._size <= MAX_PASTE_CHARS:
                self._parts.append(pasted)
            else:
                self._parts.clear()
            if end:
                if self._size <= MAX_PASTE_CHARS:
                    yield events.Paste("".join(self._parts))
                else:
                    self._on_oversized(self._size)
                self._parts = None


class BurstPaste:
    """JSON that a terminal without bracketed paste gives as keys: recognised by its beginning, in one read.

    No hand types so much at once, and no one types ahead what begins like that. Other texts stay keys.
    """

    def __init__(self, on_oversized: Callable[[int], None]) -> None:
        self._on_oversized = on_oversized
        self._parts: list[str] = []
        self._size = 0

    @property
    def has_begun(self) -> bool:
        """Whether what is read next belongs to it, if it comes at once."""
        return self._size > 0

    def take(self, text: str) -> bool:
        """Take what was read, if it begins such a paste or goes on with one."""
        begins = len(text) >= _MIN_BURST_CHARS and _JSON_START.match(text) is not None
        if not (self.has_begun or begins) or not _PLAIN.fullmatch(text):
            return False
        self._size += len(text)
        if self._size <= MAX_PASTE_CHARS:
            self._parts.append(text)
        else:
            self._parts.clear()
        return True

    def end(self) -> Iterator[events.Paste]:
        """The paste, once nothing more came at once."""
        if self._size > MAX_PASTE_CHARS:
            self._on_oversized(self._size)
        elif self._size:
            yield events.Paste("".join(self._parts))
        self._parts, self._size = [], 0


def _held_length(text: str, mark: str, *, at_least: int) -> int:
    """Length of the end of a text that may be the beginning of a mark."""
    for length in range(len(mark) - 1, at_least - 1, -1):
        if text.endswith(mark[:length]):
            return length
    return 0
