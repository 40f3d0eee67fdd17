"""Group commit: the entries of concurrent webhooks are stored in one journal call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sprig_tui.errors import JournalError, JournalReadOnlyError, JournalUnavailableError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import AddResult, NewDelivery

MAX_GROUP_ENTRIES = 500
"""Entries in one journal call; bounds the wait of the first request in a group."""
MAX_FAULT_AGE_S = 10.0
"""Seconds for which a failed write is reported as a problem if no other write follows."""
_STORE_ERRORS = (JournalReadOnlyError, JournalUnavailableError)

_log = logging.getLogger(__name__)


class _PendingAdd(Struct, eq=False):
    entries: Sequence[NewDelivery]
    future: asyncio.Future[list[AddResult]]
    expires_at: float
    """Time by the event loop's clock at which the request fails."""

    @property
    def is_expired(self) -> bool:
        """Whether the request was answered with 503; one whose client left is stored all the same."""
        return self.future.done() and not self.future.cancelled()


class GroupCommitter:
    """Stores the entries of many requests; each `store` returns when its own entries are durable.

    Entries that arrive during a write are collected for the next one, so a request under low load waits for no other.
    While the journal hangs (a frozen server, a lock that another program holds), a request is failed after `timeout_s`
    seconds, and every later one immediately, since its entries would only fill the memory.
    """

    def __init__(self, journal: Journal, timeout_s: float = 4.0) -> None:
        self._journal = journal
        self._timeout_s = timeout_s
        self._pending: deque[_PendingAdd] = deque()
        self._unanswered: deque[_PendingAdd] = deque()
        """In the order of their expiry; those whose request was answered stay until they are first."""
        self._expiry: asyncio.TimerHandle | None = None
        """One timer for all of them; a timer each costs as much as parsing an answer."""
        self._flush_task: asyncio.Task[None] | None = None
        self._add_started_at = 0.0
        """Start of the journal call that is running (monotonic s); 0 while none is."""
        self._fault = ""
        self._fault_at = 0.0

    async def store(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """Store entries like the journal's `add`; durable on return.

        Raises JournalError, and nothing is stored then. The exception is JournalUnavailableError after a timeout: the
        entries may be stored, and are `known` when they are sent again.
        """
        if self._is_hanging():
            raise JournalUnavailableError(self._hanging_text())
        loop = asyncio.get_running_loop()
        pending = _PendingAdd(entries, loop.create_future(), loop.time() + self._timeout_s)
        self._pending.append(pending)
        self._unanswered.append(pending)
        if self._expiry is None:
            self._expiry = loop.call_at(pending.expires_at, self._expire)
        if self._flush_task is None:
            self._flush_task = loop.create_task(self._flush())
        return await pending.future

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unanswered and self._unanswered[0].expires_at <= loop.time():
            _fail(self._unanswered.popleft(), JournalUnavailableError(self._hanging_text()))
        self._drop_answered()
        self._expiry = loop.call_at(self._unanswered[0].expires_at, self._expire) if self._unanswered else None

    def _drop_answered(self) -> None:
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()

    def problem(self) -> str:
        """Why the next write may fail, in words; empty if no problem is known.

        An error is reported until a write succeeds, for at most `MAX_FAULT_AGE_S`: a load balancer that sends nothing
        because of it would never cause the write that clears it.
        """
        if self._is_hanging():
            return self._hanging_text()
        return self._fault if time.monotonic() - self._fault_at < MAX_FAULT_AGE_S else ""

    def _is_hanging(self) -> bool:
        return bool(self._add_started_at) and time.monotonic() - self._add_started_at >= self._timeout_s

    def _hanging_text(self) -> str:
        return f"the journal did not store what it was given within {self._timeout_s:g} s"

    async def _flush(self) -> None:
        try:
            while self._pending:
                group = self._next_group()
                try:
                    await self._add_group(group)
                except Exception as error:  # noqa: BLE001 - the outer edge: every waiting request gets a result
                    await self._add_separately(group, error)
        finally:
            self._flush_task = None

    def _next_group(self) -> list[_PendingAdd]:
        while len(self._pending) > 1 and self._pending[0].is_expired:
            self._pending.popleft()
        group = [self._pending.popleft()]
        size = len(group[0].entries)
        while self._pending and size + len(self._pending[0].entries) <= MAX_GROUP_ENTRIES:
            group.append(self._pending.popleft())
            size += len(group[-1].entries)
        return group

    async def _add_group(self, group: Sequence[_PendingAdd]) -> None:
        self._add_started_at = time.monotonic()
        try:
            entries = [entry for pending in group for entry in pending.entries]
            # half of the timeout, so that the next group has the other half
            added = await self._journal.add(entries, deadline=self._timeout_s / 2)
        except JournalError as error:
            if isinstance(error, _STORE_ERRORS):
                self._fault, self._fault_at = error.message, time.monotonic()
            raise
        finally:
            self._add_started_at = 0.0
        self._fault = ""
        start = 0
        for pending in group:
            end = start + len(pending.entries)
            if not pending.future.done():
                pending.future.set_result(added[start:end])
            start = end
        self._drop_answered()

    async def _add_separately(self, group: Sequence[_PendingAdd], error: Exception) -> None:
        """Store each request of a failed group alone, so that one bad entry fails its own request only.

        An error of the store itself fails all of them without another try.
        """
        if len(group) == 1 or isinstance(error, _STORE_ERRORS):
            for pending in group:
                _fail(pending, error)
            return
        for pending in group:
            try:
                await self._add_group((pending,))
            except Exception as own_error:  # noqa: BLE001 - as above
                _fail(pending, own_error)


def _fail(pending: _PendingAdd, error: Exception) -> None:
    if not isinstance(error, JournalError):
        _log.error("storing a webhook failed", exc_info=error)
        error = JournalError(f"internal error: {type(error).__name__}")
    if not pending.future.done():
        pending.future.set_exception(type(error)(error.message, hint=error.hint))
