"""Held input: records that are in no file of their own, such as a pasted text or standard input."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, Protocol

StopCheck = Callable[[], bool]
"""Returns True once the read should stop."""


class StoppedError(Exception):
    """The read was stopped."""


def never_stop() -> bool:
    """Never stops a read."""
    return False


class HeldInput(Protocol):
    """Bytes that this process holds. They never change, but more may be appended until it has `ended`.

    Two of the same content may be equal: what a person did with the records of one counts for the other.
    """

    name: str
    """The `source` of deliveries made of its records."""
    title: str
    """What people call it, such as `standard input`."""

    @property
    def size(self) -> int:
        """Bytes so far."""
        ...

    @property
    def ended(self) -> bool:
        """Whether there is no more to come."""
        ...

    @property
    def is_drained(self) -> bool:
        """Whether a reader that follows has read everything so far, and waits."""
        ...

    @property
    def shortfall(self) -> str:
        """Why it ended before its producer did; empty where it did not."""
        ...

    def open(self, follow: StopCheck | None = None) -> BinaryIO:
        """A seekable stream from the beginning to what is there now.

        With `follow` a read at the end waits for more until the input has ended, and raises StoppedError once
        `follow` returns True.
        """
        ...


InputSource = str | HeldInput
"""A path, or what is held."""


class HeldText:
    """A text in memory."""

    ended = True
    is_drained = False
    shortfall = ""

    def __init__(self, data: bytes, *, name: str, title: str) -> None:
        self.data = data
        self.name = name
        self.title = title

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)

    def open(self, follow: StopCheck | None = None) -> BinaryIO:  # noqa: ARG002 - all of it is there
        """A stream over the same bytes."""
        return io.BytesIO(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeldText) and (self.name, self.data) == (other.name, other.data)

    def __hash__(self) -> int:
        return hash((self.name, self.data))
