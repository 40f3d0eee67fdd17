"""Pruning in small transactions, between which other processes write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from msgspec.structs import replace

from sprig_tui.journal.maintenance import PRUNE_CHUNK_ROWS, delete_in_chunks, forget_in_chunks, prune_in_chunks
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.sqlite import maintenance, tombstone_filter, tombstones
from sprig_tui.journal.sqlite.identity_index import drop_merged_removed, drop_recent_removed
from sprig_tui.journal.sqlite.prepared_removal import PreparedRemoval
from sprig_tui.journal.tombstone_filter import Bitmap

STRETCH_IDS = 500_000
"""Ids whose tombstones are stored together, and then their deliveries removed; some 150 MB of memory."""
READ_IDS = 10_000
"""Ids read at a time: the log cannot be emptied past a reader."""
KEYS_A_STEP = 4_000
"""Keys stored or deleted in one transaction: neighbours, on few pages."""

T = TypeVar("T")


class RunWork(Protocol):
    """Runs a function in a transaction, such as `SQLiteJournal` does in its threads."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """The result of `work`."""
        ...


class PruneRun:
    """One call of `Journal.prune`."""

    def __init__(self, read: RunWork, write: RunWork, before: int, *, forget: bool) -> None:
        """`write` need not wait for the disk: of a prune that a power cut undoes, the next one does the rest."""
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
        pruned = await prune_in_chunks(self._forget_chunk if self._forget else self._prune_stretch)
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

    async def _forget_chunk(self, after: int) -> tuple[PruneResult, int]:
        return await self._write(lambda c: maintenance.forget_chunk(c, self._before, after))

    async def _prune_stretch(self, after: int) -> tuple[PruneResult, int]:
        """Remove what is to be removed of the next ids above `after`; returns it and the last id, 0 at the end."""
        newest = await self._read(maintenance.newest_id)
        last = min(after + STRETCH_IDS, newest)
        prepared = PreparedRemoval(self._before, after + 1, last)
        for first in range(after + 1, last + 1, READ_IDS):
            await self._read(partial(prepared.add, first=first, last=min(last, first + READ_IDS - 1)))
        keys = await self._store_tombstones(prepared)

        async def remove(at: int) -> tuple[PruneResult, int]:
            end = at + PRUNE_CHUNK_ROWS
            found = await self._write(partial(prepared.remove, ids=prepared.ids[at:end]))
            return found, end if end < len(prepared.ids) else 0

        removed = await prune_in_chunks(remove)
        if keys:
            await self._write(prepared.drop_kept)
            await self._write(partial(drop_recent_removed, first=after + 1, last=last))
        for start in range(0, len(keys), KEYS_A_STEP):
            some = keys[start : start + KEYS_A_STEP]
            await self._write(partial(drop_merged_removed, keys=some, first=after + 1, last=last))
        return removed, last if last < newest else 0

    async def _store_tombstones(self, prepared: PreparedRemoval) -> list[int]:
        """Store the tombstones in the order of their keys; returns the keys."""
        rows = prepared.tombstones
        rows.sort()
        for start in range(0, len(rows), KEYS_A_STEP):
            await self._write(partial(tombstones.store_tombstone_rows, rows=rows[start : start + KEYS_A_STEP]))
            await self.tidy()
        keys = [row[0] for row in rows]
        rows.clear()
        return keys

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
