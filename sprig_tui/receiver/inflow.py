"""The way into the journal for many requests at once: those that wait together are stored together."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sprig_tui.errors import JournalCorruptError, JournalError, JournalReadOnlyError, JournalUnavailableError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import Added, Entry

MOST_ENTRIES = 500
"""In one call of the journal, so that the first of them does not wait long."""
_OF_THE_STORE = (JournalCorruptError, JournalReadOnlyError, JournalUnavailableError)

_log = logging.getLogger(__name__)


class _Parcel(Struct):
    entries: Sequence[Entry]
    stored: asyncio.Future[list[Added]]


class Inflow:
    """Stores what many requests bring, each of which hears when its own is durable.

    While the journal writes, what comes in meanwhile gathers for the next call: one commit serves them all, and under
    little load nobody waits for company.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[_Parcel] = deque()
        self._carrier: asyncio.Task[None] | None = None

    async def store(self, entries: Sequence[Entry]) -> list[Added]:
        """As the journal's `add`: durable when it returns. Raises JournalError; these are not stored then."""
        parcel = _Parcel(entries, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        if self._carrier is None:
            self._carrier = asyncio.create_task(self._carry())
        return await parcel.stored

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
        parcels = [self._waiting.popleft()]
        number = len(parcels[0].entries)
        while self._waiting and number + len(self._waiting[0].entries) <= MOST_ENTRIES:
            parcels.append(self._waiting.popleft())
            number += len(parcels[-1].entries)
        return parcels

    async def _add(self, parcels: Sequence[_Parcel]) -> None:
        added = await self._journal.add([entry for parcel in parcels for entry in parcel.entries])
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
