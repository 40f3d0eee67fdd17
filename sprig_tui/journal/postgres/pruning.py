"""Pruning in small transactions, between which other processes write."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from sprig_tui.journal.maintenance import delete_in_chunks, forget_in_chunks, prune_in_chunks
from sprig_tui.journal.postgres import maintenance, tombstone_filter, tombstones
from sprig_tui.journal.postgres.connection import ServerPool
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.tombstone_filter import Bitmap


class PruneRun:
    """One call of `Journal.prune`."""

    def __init__(self, server: ServerPool, before: int, *, forget: bool) -> None:
        self._server = server
        self._before = before
        self._forget = forget

    async def count(self) -> PruneResult:
        """What `delete` would delete."""
        found = await self._server.execute(lambda c: maintenance.count_prunable(c, self._before))
        if self._forget:
            forgotten = await self._server.execute(lambda c: tombstones.count_forgettable(c, self._before))
            found = replace(found, forgotten=forgotten)
        return found

    async def delete(self) -> PruneResult:
        """Delete the deliveries, what only they refer to, and the tombstones that are to be forgotten."""
        pruned = await prune_in_chunks(self._prune_chunk)
        if self._forget:
            forgotten = await forget_in_chunks(
                lambda after: self._server.transact(lambda c: tombstones.forget_chunk(c, self._before, after))
            )
            pruned = replace(pruned, forgotten=forgotten)
            if forgotten:
                await self._build_bitmap()
        unused = await self._server.execute(lambda c: maintenance.unused_attempts(c, self._before))
        await delete_in_chunks(unused, lambda ids: self._server.execute(lambda c: maintenance.delete_attempts(c, ids)))
        return pruned

    async def _prune_chunk(self, after: int) -> tuple[PruneResult, int]:
        chunk = await self._server.transact(
            lambda c: maintenance.prune_chunk(c, self._before, after, forget=self._forget)
        )
        await self.tidy()
        return chunk

    async def tidy(self) -> None:
        """Join the log of the tombstone filter into its bitmap, if it is due."""
        state = await self._server.execute(tombstone_filter.read_state)
        if state is not None and state.is_due:
            if state.is_too_small:
                await self._build_bitmap()
            else:
                await self._server.transact(tombstone_filter.join_log)

    async def _build_bitmap(self) -> None:
        """Build the bitmap of the tombstone filter from all tombstones, a part at a time."""
        state = await self._server.execute(tombstone_filter.read_state)
        since = state.seq if state is not None else 0
        bitmap = Bitmap.for_keys(await self._server.execute(tombstones.count_all))
        number, keys, last = -1, 0, -1
        while number:
            number, last = await self._server.execute(partial(tombstone_filter.scan_keys, bitmap=bitmap, after=last))
            keys += number
        await self._server.transact(lambda c: tombstone_filter.install(c, bitmap, keys, since))
