"""Pastes: taken out of what the terminal sends before it is parsed, so that no part of one is ever a key.

Textual's parser takes an escape character within a paste for a key, and reads a megabyte letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from textual import events

MAX_PASTE_CHARS = 64_000_000
"""Longest paste that is kept."""
PASTE_STALL_S = 2.0
"""Seconds without more of a paste, after which escape and ctrl+q are keys again; a slow line may take as long."""
_START, _END = "\x1b[200~", "\x1b[201~"
_MIN_HELD_CHARS = 3
"""Least part of the start that is held back: fewer characters are a key."""
_MAX_KEY_CHARS = 16
_MIN_BURST_CHARS = 32
"""Least length of what begins a paste without brackets."""
_ESCAPES = re.compile(r"(?:\x1b(?:\[27(?:;\d*)?u)?)+")
_QUITS = re.compile(r"(?:\x11|\x1b\[113;(?:5|69|133|197)u)+")
"""Escape and ctrl+q, pressed once or more; the second form is that of kitty's protocol, also with a lock key on."""
_JSON_START = re.compile(r"""\s*(?:\{|\[\s*\{)\s*"\w""")
_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]*")
"""Text without keys other than letters, tab and enter."""


class PasteSplitter:
    """Splits what is read into text for the parser and whole pastes; `on_oversized` gets the length of a longer one.

    The end of a paste may be lost, with the connection of a multiplexer for example. `on_stall` is called once the rest
    does not come, with None, and with the length of the paste when it is dropped then, by escape or ctrl+q.
    """

    def __init__(
        self, on_oversized: Callable[[int], None], on_stall: Callable[[int | None], None] = lambda _: None
    ) -> None:
        self._on_oversized = on_oversized
        self._on_stall = on_stall
        self._has_stalled = False
        self._held = ""
        self._parts: list[str] | None = None
        """Parts of the paste that has begun; None outside of one."""
        self._size = 0

    def wait(self, quiet_s: float) -> None:
        """Nothing came for this long."""
        if self._parts is not None and quiet_s >= PASTE_STALL_S and not self._has_stalled:
            self._has_stalled = True
            self._on_stall(None)

    def feed(self, text: str) -> Iterator[str | events.Paste]:
        """The parts of a text in their order."""
        if self._has_stalled:
            text = self._without_stalled(text)
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
                    self._has_stalled = False
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

    def _without_stalled(self, text: str) -> str:
        """What is left to do of a text after a stall: escape and ctrl+q drop the paste, and a longer text goes on."""
        self._has_stalled = self._parts is not None and len(text) <= _MAX_KEY_CHARS
        is_escape = _ESCAPES.fullmatch(text) is not None
        if not self._has_stalled or not (is_escape or _QUITS.fullmatch(text)):
            return text
        self._parts, self._held, self._has_stalled = None, "", False
        self._on_stall(self._size)
        return "" if is_escape else text


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
