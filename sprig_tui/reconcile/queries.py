"""Queries of one reconciliation: a few at once, and an obstacle in place of an exception.

One part that cannot be asked leaves the others alone. Once Segment's Public API is out of reach, or limits requests
for longer than a command waits, or fails (5xx) with several queries in a row, the remaining queries are not made: they
would wait as long, one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError
from sprig_tui.reconcile.model import Obstacle

MAX_CONCURRENT_QUERIES = 4
"""More would only meet the rate limit sooner."""

MAX_FAILED_QUERIES = 4
"""Queries in a row that Segment answers with 5xx: a single route that fails must not cost the others."""

Result = TypeVar("Result")


class Progress(NamedTuple):
    """How far a reconciliation is."""

    done: int
    """Queries that have ended."""
    planned: int
    """Queries known so far: what is connected shows only on the way."""
    what: str
    """What is asked for now, such as `production, Amplitude`."""


ProgressListener = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """Listen to no progress."""


class Refusal(Struct, frozen=True):
    """Reason why a query has no result."""

    obstacle: Obstacle
    detail: str = ""
    """The error's message."""
    status: int = 0


class Queries:
    """Queries that share the limit of concurrency, and their progress. Only cancellation raises."""

    def __init__(self, on_progress: ProgressListener) -> None:
        self.refusals = 0
        """How many queries have no result."""
        self._on_progress = on_progress
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_QUERIES)
        self._final: Refusal | None = None
        """Why no further query is made."""
        self._failed_in_a_row = 0
        self._done = 0
        self._planned = 0

    async def ask(self, what: str, query: Callable[[], Awaitable[Result]]) -> Result | Refusal:
        """The result of the query, or why there is none."""
        self._planned += 1
        async with self._slots:
            self._on_progress(Progress(self._done, self._planned, what))
            try:
                return await self._try(query)
            finally:
                self._done += 1

    async def _try(self, query: Callable[[], Awaitable[Result]]) -> Result | Refusal:
        refusal = self._final
        if refusal is None:
            try:
                result = await query()
            except SegmentApiError as error:
                refusal = Refusal(obstacle_of(error), error.message, error.status)
            else:
                self._failed_in_a_row = 0
                return result
            if self._is_final(refusal):
                self._final = refusal
        self.refusals += 1
        return refusal

    def _is_final(self, refusal: Refusal) -> bool:
        if refusal.obstacle is Obstacle.UNREACHABLE and refusal.status:
            self._failed_in_a_row += 1
            return self._failed_in_a_row >= MAX_FAILED_QUERIES
        return refusal.obstacle in (Obstacle.UNREACHABLE, Obstacle.RATE_LIMITED)


def obstacle_of(error: SegmentApiError) -> Obstacle:
    """The obstacle that an error of the Public API means."""
    if error.status == 429:
        return Obstacle.RATE_LIMITED
    if isinstance(error, SegmentApiUnreachableError):
        return Obstacle.UNREACHABLE
    # 403 is documented nowhere, and 401 also means a missing permission
    known = {401: Obstacle.PERMISSION, 403: Obstacle.PERMISSION, 402: Obstacle.PLAN}
    return known.get(error.status, Obstacle.ANSWER_UNCLEAR)


async def gather(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results in order; the exception of one cancels the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(item) for item in work]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    return [task.result() for task in tasks]
