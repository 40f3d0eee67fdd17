"""The way into the journal for many requests at once: those that wait together are stored together."""

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
"""In one call of the journal, so that the first of them does not wait long."""
MAX_FAULT_AGE_S = 10.0
"""How long a write that failed speaks against the journal, when none followed."""
_STORE_ERRORS = (JournalReadOnlyError, JournalUnavailableError)

_log = logging.getLogger(__name__)


class _PendingAdd(Struct):
    entries: Sequence[NewDelivery]
    future: asyncio.Future[list[AddResult]]
    expired: bool = False
    """Its sender was told to send it again."""


class GroupCommitter:
    """Stores what many requests bring, each of which hears when its own is durable.

    While the journal writes, what comes in meanwhile gathers for the next call: one commit serves them all, and under
    little load nobody waits for company. While it hangs (a frozen server, a lock that another program holds) whoever
    waited for `seconds` is told so, and others at once: what they brought would only gather in memory.
    """

    def __init__(self, journal: Journal, timeout_s: float = 4.0) -> None:
        self._journal = journal
        self._timeout_s = timeout_s
        self._pending: deque[_PendingAdd] = deque()
        self._flush_task: asyncio.Task[None] | None = None
        self._add_started_at = 0.0
        """When the journal was asked what it did not answer yet (monotonic s); 0 where it answered all."""
        self._fault = ""
        self._fault_at = 0.0

    async def store(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """As the journal's `add`: durable when it returns.

        Raises JournalError; these are not stored then, unless it is JournalUnavailableError because time ran out: then
        they may be, and sending them again is `known`.
        """
        if self._is_hanging():
            raise JournalUnavailableError(self._hanging_text())
        parcel = _PendingAdd(entries, asyncio.get_running_loop().create_future())
        self._pending.append(parcel)
        if self._flush_task is None:
            self._flush_task = asyncio.create_task(self._flush())
        try:
            async with asyncio.timeout(self._timeout_s):
                return await parcel.future
        except TimeoutError:
            parcel.expired = True
            raise JournalUnavailableError(self._hanging_text()) from None

    def problem(self) -> str:
        """Why what comes now may not be stored, in words; empty where nothing is known against it.

        What went wrong counts until something is stored, but only for a while: whoever is told not to send here sends
        nothing that could show that it is over.
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
                parcels = self._next_group()
                try:
                    await self._add_group(parcels)
                except Exception as error:  # noqa: BLE001 - the outer edge: each of those who wait gets an answer
                    await self._add_separately(parcels, error)
        finally:
            self._flush_task = None

    def _next_group(self) -> list[_PendingAdd]:
        while len(self._pending) > 1 and self._pending[0].expired:
            self._pending.popleft()
        parcels = [self._pending.popleft()]
        number = len(parcels[0].entries)
        while self._pending and number + len(self._pending[0].entries) <= MAX_GROUP_ENTRIES:
            parcels.append(self._pending.popleft())
            number += len(parcels[-1].entries)
        return parcels

    async def _add_group(self, group: Sequence[_PendingAdd]) -> None:
        self._add_started_at = time.monotonic()
        try:
            entries = [entry for parcel in group for entry in parcel.entries]
            # half of the time, so that what waits behind it has some left
            added = await self._journal.add(entries, deadline=self._timeout_s / 2)
        except JournalError as error:
            if isinstance(error, _STORE_ERRORS):
                self._fault, self._fault_at = error.message, time.monotonic()
            raise
        finally:
            self._add_started_at = 0.0
        self._fault = ""
        at = 0
        for parcel in group:
            end = at + len(parcel.entries)
            if not parcel.future.done():
                parcel.future.set_result(added[at:end])
            at = end

    async def _add_separately(self, group: Sequence[_PendingAdd], error: Exception) -> None:
        """One bad parcel must not spoil the others; but a store that is at fault is at fault for all."""
        if len(group) == 1 or isinstance(error, _STORE_ERRORS):
            for parcel in group:
                _fail(parcel, error)
            return
        for parcel in group:
            try:
                await self._add_group((parcel,))
            except Exception as own:  # noqa: BLE001 - as above
                _fail(parcel, own)


def _fail(pending: _PendingAdd, error: Exception) -> None:
    if not isinstance(error, JournalError):
        _log.error("storing a webhook failed", exc_info=error)
        error = JournalError(f"internal error: {type(error).__name__}")
    if not pending.future.done():
        pending.future.set_exception(type(error)(error.message, hint=error.hint))
