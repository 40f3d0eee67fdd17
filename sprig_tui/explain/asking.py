"""Requests of one explanation: after one that nobody answered, or several in a row that failed, no other is sent.

Each would wait as long again; the lines that need them say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sprig_tui.errors import SegmentApiUnreachableError

MAX_FAILED_REQUESTS = 4
"""Requests in a row that are answered with 5xx: a single route that fails must not cost the other lines."""

Result = TypeVar("Result")


class Asking:
    """The requests to one API. Raises what the request raises, and its first unreachable error again."""

    def __init__(self) -> None:
        self._unreachable: SegmentApiUnreachableError | None = None
        self._failed_in_a_row = 0

    async def ask(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """The result of a request."""
        if self._unreachable is not None:
            raise self._unreachable
        try:
            result = await request()
        except SegmentApiUnreachableError as error:
            self._failed_in_a_row += 1
            if error.status < 500 or self._failed_in_a_row >= MAX_FAILED_REQUESTS:
                self._unreachable = error
            raise
        self._failed_in_a_row = 0
        return result
