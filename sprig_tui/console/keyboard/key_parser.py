"""Parser of what is typed: keys with the time of their read, and escape as a key of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from sprig_tui.console.keyboard.bursts import MAX_BURST_GAP_S
from sprig_tui.console.textual_private import end_sequence

if TYPE_CHECKING:
    from textual._xterm_parser import XTermParser

_ESCAPE = "\x1b"
_SEQUENCE_STARTS = ("[", "O")
"""What follows the escape character in the sequences of keys and of the mouse; a slow line may cut them there."""
_CUT_MOUSE_REPORT = re.compile(r"\x1b\[<[\d;]*")
_MAX_TAIL_CHARS = 32
"""More than a report of the mouse has."""


class KeyParser:
    """Textual's parser, for which an escape is the first character of something only if the rest comes at once.

    Textual's waits for it for a tenth of a second: escape and a key that was typed soon after were alt and that key,
    and did nothing.
    """

    def __init__(self, parser: XTermParser, on_keys: Callable[[float, int], None] = lambda *_: None) -> None:
        """`on_keys` gets the time of a read and the number of its keys, before the first of them is given."""
        self._parser = parser
        self._on_keys = on_keys
        self._read_at = 0.0
        self._escape = ""
        """The last escape character that was read, with the characters after it."""

    def feed(self, text: str, read_at: float) -> Iterator[Message]:
        """The events of a text that was read at this time on the clock of events."""
        if read_at - self._read_at > MAX_BURST_GAP_S and not (self._escape + text)[1:].startswith(_SEQUENCE_STARTS):
            yield from self.end_escape()
        self._read_at = read_at
        since = self._escape + text
        self._escape = since[since.rindex(_ESCAPE) :][:_MAX_TAIL_CHARS] if _ESCAPE in since else ""
        yield from self._timed(self._parser.feed(text))

    def end_escape(self) -> Iterator[Message]:
        """The key that an escape character at the end stands for: what comes next is something else."""
        if self._escape:
            self._escape = ""
            yield from self._timed(end_sequence(self._parser))

    def tick(self) -> Iterator[Message]:
        """What nothing followed for long enough; called while nothing is read.

        A report of the mouse is never keys: its rest may come late, and digits and letters are commands.
        """
        if not _CUT_MOUSE_REPORT.fullmatch(self._escape):
            yield from self._timed(self._parser.tick())

    def _timed(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Keys of one write arrive in one read: one time tells bursts from single keys, however busy the machine is."""
        timed = list(messages)
        keys = [message for message in timed if isinstance(message, events.Key)]
        for key in keys:
            key.time = self._read_at
        if keys:
            self._on_keys(self._read_at, len(keys))
        yield from timed
