"""Pruning in small transactions, between which other processes write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from msgspec.structs import replace

from sprig_tui.journal.maintenance import delete_in_chunks, forget_in_chunks, prune_in_chunks
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.sqlite import maintenance, tombstone_filter, tombstones
from sprig_tui.journal.tombstone_filter import Bitmap

T = TypeVar("T")


class RunWork(Protocol):
    """Runs a function in a transaction, such as `SQLiteJournal` does in its threads."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """The result of `work`."""
        ...


class PruneRun:
    """One call of `Journal.prune`."""

    def __init__(self, read: RunWork, write: RunWork, before: int, *, forget: bool) -> None:
        self._read = read
        self._write = write
        self._before = before
        self._forget = forget

    async def count(self) -> PruneResult:
        """What `delete` would delete."""
        found = await self._read(lambda c: maintenance.count_prunable(c, self._before))
        if self._forget:
            found = replace(found, forgotten=await self._read(lambda c: tombstones.count_forgettable(c, self._before)))
        return found

    async def delete(self) -> PruneResult:
        """Delete the deliveries, what only they refer to, and the tombstones that are to be forgotten."""
        before = self._before
        pruned = await prune_in_chunks(self._prune_chunk)
        if self._forget:
            forgotten = await forget_in_chunks(
                lambda after: self._write(lambda c: tombstones.forget_chunk(c, before, after))
            )
            pruned = replace(pruned, forgotten=forgotten)
            if forgotten:
                await self._build_bitmap()
        unused = await self._read(lambda c: maintenance.unused_attempts(c, before))
        await delete_in_chunks(unused, lambda ids: self._write(lambda c: maintenance.delete_attempts(c, ids)))
        return pruned

    async def _prune_chunk(self, after: int) -> tuple[PruneResult, int]:
        chunk = await self._write(lambda c: maintenance.prune_chunk(c, self._before, after, forget=self._forget))
        await self.tidy()
        return chunk

    async def tidy(self) -> None:
        """Join the log of the tombstone filter into its bitmap, if it is due."""
        state = await self._read(tombstone_filter.read_state)
        if state is not None and state.is_due:
            if state.is_too_small:
                await self._build_bitmap()
            else:
                await self._write(tombstone_filter.join_log)

    async def _build_bitmap(self) -> None:
        """Build the bitmap of the tombstone filter from all tombstones, a part at a time."""
        state = await self._read(tombstone_filter.read_state)
        since = state.seq if state is not None else 0
        bitmap = Bitmap.for_keys(await self._read(tombstones.count_all))
        number, keys, last = -1, 0, -1
        while number:
            number, last = await self._read(partial(tombstone_filter.scan_keys, bitmap=bitmap, after=last))
            keys += number
        await self._write(lambda c: tombstone_filter.install(c, bitmap, keys, since))
