"""Requests of one explanation: after one that nobody answered, no other is sent.

Each would wait as long again; the lines that need them say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sprig_tui.errors import SegmentApiUnreachableError

Result = TypeVar("Result")


class Asking:
    """The requests to one API. Raises what the request raises, and its first unreachable error again."""

    def __init__(self) -> None:
        self._unreachable: SegmentApiUnreachableError | None = None

    async def ask(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """The result of a request."""
        if self._unreachable is not None:
            raise self._unreachable
        try:
            return await request()
        except SegmentApiUnreachableError as error:
            self._unreachable = error
            raise
