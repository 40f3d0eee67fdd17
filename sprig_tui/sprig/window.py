"""A stretch of a byte stream: grows by chunks, forgets what was passed, knows its line."""

from __future__ import annotations

from collections.abc import Iterator


class BrokenSourceError(Exception):
    """A source that failed half-way, such as a truncated gzip file; the text says how."""


class Window:
    """Bytes of a stream from `at` on; `line` is the 1-based line on which `at` stands.

    A stream that fails half-way ends there: what came before it is still read, and `failure` says what happened.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.data = b""
        self.at = 0
        self.line = 1
        self.ended = False
        self.failure = ""
        self.told = False
        """Whether the end of the stream was already reported as a fault."""

    def more(self) -> bool:
        """Appends the next chunk and drops what was passed, so that `at` becomes 0; False at the end."""
        if self.ended:
            return False
        try:
            chunk = next(self._chunks, None)
        except BrokenSourceError as error:
            chunk = None
            self.failure = str(error)
        if chunk is None:
            self.ended = True
            return False
        self.data = self.data[self.at :] + chunk if self.at < len(self.data) else chunk
        self.at = 0
        return True

    def pass_to(self, position: int) -> None:
        """Moves `at` forward, counting lines."""
        self.line += self.data.count(b"\n", self.at, position)
        self.at = position

    @property
    def pending(self) -> int:
        """Bytes at hand from `at` on."""
        return len(self.data) - self.at

    def line_end(self, limit: int) -> int:
        r"""Position of the next `\n`, reading on as needed; -1 where the stream ends or `limit` bytes hold none."""
        searched = self.at
        while True:
            end = self.data.find(b"\n", searched)
            if end >= 0:
                return end
            if self.pending > limit:
                return -1
            searched = len(self.data) - self.at
            if not self.more():
                return -1

    def skip_line(self) -> None:
        r"""Passes the rest of this line and its `\n`, without keeping it."""
        while True:
            end = self.data.find(b"\n", self.at)
            if end >= 0:
                self.line += 1
                self.at = end + 1
                return
            self.at = len(self.data)
            if not self.more():
                return
