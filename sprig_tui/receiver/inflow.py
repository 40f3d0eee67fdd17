"""The way into the journal for many requests at once: those that wait together are stored together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sprig_tui.errors import JournalError, JournalReadOnlyError, JournalUnavailableError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import AddResult, NewDelivery

MOST_ENTRIES = 500
"""In one call of the journal, so that the first of them does not wait long."""
FAULT_S = 10.0
"""How long a write that failed speaks against the journal, when none followed."""
_OF_THE_STORE = (JournalReadOnlyError, JournalUnavailableError)

_log = logging.getLogger(__name__)


class _Parcel(Struct):
    entries: Sequence[NewDelivery]
    stored: asyncio.Future[list[AddResult]]
    expired: bool = False
    """Its sender was told to send it again."""


class Inflow:
    """Stores what many requests bring, each of which hears when its own is durable.

    While the journal writes, what comes in meanwhile gathers for the next call: one commit serves them all, and under
    little load nobody waits for company. While it hangs (a frozen server, a lock that another program holds) whoever
    waited for `seconds` is told so, and others at once: what they brought would only gather in memory.
    """

    def __init__(self, journal: Journal, seconds: float = 4.0) -> None:
        self._journal = journal
        self._seconds = seconds
        self._waiting: deque[_Parcel] = deque()
        self._carrier: asyncio.Task[None] | None = None
        self._begun_at = 0.0
        """When the journal was asked what it did not answer yet (monotonic s); 0 where it answered all."""
        self._fault = ""
        self._fault_at = 0.0

    async def store(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """As the journal's `add`: durable when it returns.

        Raises JournalError; these are not stored then, unless it is JournalUnavailableError because time ran out: then
        they may be, and sending them again is `known`.
        """
        if self._hangs():
            raise JournalUnavailableError(self._hanging())
        parcel = _Parcel(entries, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        if self._carrier is None:
            self._carrier = asyncio.create_task(self._carry())
        try:
            async with asyncio.timeout(self._seconds):
                return await parcel.stored
        except TimeoutError:
            parcel.expired = True
            raise JournalUnavailableError(self._hanging()) from None

    def trouble(self) -> str:
        """Why what comes now may not be stored, in words; empty where nothing is known against it.

        What went wrong counts until something is stored, but only for a while: whoever is told not to send here sends
        nothing that could show that it is over.
        """
        if self._hangs():
            return self._hanging()
        return self._fault if time.monotonic() - self._fault_at < FAULT_S else ""

    def _hangs(self) -> bool:
        return bool(self._begun_at) and time.monotonic() - self._begun_at >= self._seconds

    def _hanging(self) -> str:
        return f"the journal did not store what it was given within {self._seconds:g} s"

    async def _carry(self) -> None:
        try:
            while self._waiting:
                parcels = self._gather()
                try:
                    await self._add(parcels)
                except Exception as error:  # noqa: BLE001 - the outer edge: each of those who wait gets an answer
                    await self._separately(parcels, error)
        finally:
            self._carrier = None

    def _gather(self) -> list[_Parcel]:
        while len(self._waiting) > 1 and self._waiting[0].expired:
            self._waiting.popleft()
        parcels = [self._waiting.popleft()]
        number = len(parcels[0].entries)
        while self._waiting and number + len(self._waiting[0].entries) <= MOST_ENTRIES:
            parcels.append(self._waiting.popleft())
            number += len(parcels[-1].entries)
        return parcels

    async def _add(self, parcels: Sequence[_Parcel]) -> None:
        self._begun_at = time.monotonic()
        try:
            entries = [entry for parcel in parcels for entry in parcel.entries]
            # half of the time, so that what waits behind it has some left
            added = await self._journal.add(entries, deadline=self._seconds / 2)
        except JournalError as error:
            if isinstance(error, _OF_THE_STORE):
                self._fault, self._fault_at = error.message, time.monotonic()
            raise
        finally:
            self._begun_at = 0.0
        self._fault = ""
        at = 0
        for parcel in parcels:
            end = at + len(parcel.entries)
            if not parcel.stored.done():
                parcel.stored.set_result(added[at:end])
            at = end

    async def _separately(self, parcels: Sequence[_Parcel], error: Exception) -> None:
        """One bad parcel must not spoil the others; but a store that is at fault is at fault for all."""
        if len(parcels) == 1 or isinstance(error, _OF_THE_STORE):
            for parcel in parcels:
                _fail(parcel, error)
            return
        for parcel in parcels:
            try:
                await self._add((parcel,))
            except Exception as own:  # noqa: BLE001 - as above
                _fail(parcel, own)


def _fail(parcel: _Parcel, error: Exception) -> None:
    if not isinstance(error, JournalError):
        _log.error("storing a webhook failed", exc_info=error)
        error = JournalError(f"internal error: {type(error).__name__}")
    if not parcel.stored.done():
        parcel.stored.set_exception(type(error)(error.message, hint=error.hint))
