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
from sprig_tui.journal.sqlite.identity_index import drop_identities
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
        self._read = read
        self._write = write
        self._before = before
        self._forget = forget
        self._prepared = maintenance.PreparedRemoval()
        self._prepared_to = 0
        """The last id that is prepared."""

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
        await self._finish_stretch()
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
        if not self._forget and after >= self._prepared_to:
            await self._finish_stretch()
            await self._prepare_stretch(after)
        chunk = await self._write(
            lambda c: maintenance.prune_chunk(c, self._before, after, forget=self._forget, prepared=self._prepared)
        )
        await self.tidy()
        return chunk

    async def _prepare_stretch(self, after: int) -> None:
        """Store the tombstones of the next stretch in the order of their keys."""
        self._prepared = prepared = maintenance.PreparedRemoval()
        self._prepared_to = end = min(after + STRETCH_IDS, await self._read(maintenance.newest_id))
        for first in range(after + 1, end + 1, READ_IDS):
            last = min(end, first + READ_IDS - 1)
            await self._read(partial(prepared.add, before=self._before, first=first, last=last))
        prepared.rows.sort()
        for start in range(0, len(prepared.rows), KEYS_A_STEP):
            step = prepared.rows[start : start + KEYS_A_STEP]
            await self._write(partial(tombstones.store_tombstone_rows, rows=step))
        prepared.rows.clear()

    async def _finish_stretch(self) -> None:
        """Delete the identities of what was removed in the order of their keys."""
        identities, kept = self._prepared.identities(), self._prepared.kept_keys()
        if kept:
            await self._write(partial(tombstones.drop_tombstones, keys=kept))
        self._prepared = maintenance.PreparedRemoval()
        for start in range(0, len(identities), KEYS_A_STEP):
            keys, ids = zip(*identities[start : start + KEYS_A_STEP], strict=True)
            await self._write(partial(drop_identities, keys=keys, ids=ids))

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
