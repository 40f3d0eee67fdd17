"""A stretch of a byte stream: grows by chunks, forgets what was passed, knows its line."""

from __future__ import annotations

from collections.abc import Iterator


class BrokenStreamError(Exception):
    """A source that failed half-way, such as a truncated gzip file; the text says how."""


_BULK_READ_THRESHOLD_BYTES = 262_144
"""Pending bytes from which more than one chunk is read at once."""


class StreamBuffer:
    """Bytes of a stream from `at` on; `line` is the 1-based line on which `at` stands.

    A stream that fails half-way ends there: what came before it is still read, and `failure` says what happened.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.data = b""
        self.position = 0
        self.line = 1
        self.base = 0
        """Offset in the stream of the first byte of `data`."""
        self.searched = 0
        """Offset in the stream up to which the end of a record was looked for, for readers that look ahead."""
        self.ended = False
        self.failure = ""
        self.failure_reported = False
        """Whether the end of the stream was already reported as a fault."""

    def fill(self) -> bool:
        """Appends the next chunk and drops what was passed, so that `at` becomes 0; False at the end.

        A long record grows by a quarter at least, so that appending to it costs no more than reading it.
        """
        pending = self.pending
        wanted = pending // 4 if pending >= _BULK_READ_THRESHOLD_BYTES else 1
        parts: list[bytes] = []
        while wanted > 0 and (chunk := self._next_chunk()) is not None:
            parts.append(chunk)
            wanted -= len(chunk)
        if not parts:
            return False
        self.base += self.position
        if pending:
            parts.insert(0, self.data[self.position :])
        self.data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.position = 0
        return True

    def _next_chunk(self) -> bytes | None:
        """The next chunk; None at the end of the stream, and for good."""
        chunk = None
        if not self.ended:
            try:
                chunk = next(self._chunks, None)
            except BrokenStreamError as error:
                self.failure = str(error)
        self.ended = chunk is None
        return chunk

    def advance_to(self, position: int) -> None:
        """Moves `at` forward, counting lines."""
        self.line += self.data.count(b"\n", self.position, position)
        self.position = position

    @property
    def pending(self) -> int:
        """Bytes at hand from `at` on."""
        return len(self.data) - self.position

    def line_end(self, limit: int) -> int:
        r"""Position of the next `\n`, reading on as needed; -1 where the stream ends or `limit` bytes hold none."""
        searched = self.position
        while True:
            end = self.data.find(b"\n", searched)
            if end >= 0:
                return end
            if self.pending > limit:
                return -1
            searched = len(self.data) - self.position
            if not self.fill():
                return -1

    def skip_line(self) -> None:
        r"""Passes the rest of this line and its `\n`, without keeping it."""
        while True:
            end = self.data.find(b"\n", self.position)
            if end >= 0:
                self.line += 1
                self.position = end + 1
                return
            self.position = len(self.data)
            if not self.fill():
                return
