"""Pruning in small transactions, between which other processes write."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from sprig_tui.errors import JournalError, JournalUnavailableError
from sprig_tui.journal.maintenance import PRUNE_CHUNK_ROWS, delete_in_chunks, forget_in_chunks, prune_in_chunks
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.retention import SLACK_ROUNDS, slack_steps
from sprig_tui.journal.sqlite import maintenance, tombstone_filter, tombstones
from sprig_tui.journal.sqlite.connection import RunWork
from sprig_tui.journal.sqlite.identity_index import drop_merged_removed, drop_recent_removed, find_merged_removed
from sprig_tui.journal.sqlite.prepared_removal import PreparedRemoval
from sprig_tui.journal.sqlite.slack import ALL_IDS, clear_slack, find_pages
from sprig_tui.journal.sqlite.tombstone_records import RECORD_BYTES, store_records
from sprig_tui.journal.tombstone_filter import Bitmap

STRETCH_IDS = 500_000
"""Ids whose tombstones are stored together, and then their deliveries removed; some 150 MB of memory."""
READ_IDS = 2_000
"""Ids read at a time: the log cannot be emptied past a reader."""
KEYS_A_STEP = 4_000
"""Tombstones stored in one transaction: neighbours, on few pages."""
KEYS_A_SCAN = 10_000
"""Identities of which those of removed deliveries are deleted in one transaction."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class _Reading:
    """Preparation of the removal of the next stretch, some ids at a time."""

    def __init__(self, read: RunWork, before: int, after: int, newest: int) -> None:
        self._read = read
        self._prepared = PreparedRemoval(before, after + 1, min(after + STRETCH_IDS, newest))
        self._next = after + 1

    @property
    def is_past_end(self) -> bool:
        """Whether there are no ids to read."""
        return self._prepared.first > self._prepared.last

    async def read_some(self) -> None:
        """Read the next ids, if there are any."""
        first, last = self._next, min(self._next + READ_IDS - 1, self._prepared.last)
        if first <= last:
            await self._read(partial(self._prepared.add, first=first, last=last))
            self._next = last + 1

    async def finish(self) -> PreparedRemoval:
        """What is to be removed, once all of it is read."""
        while self._next <= self._prepared.last:
            await self.read_some()
        return self._prepared


class PruneRun:
    """One call of `Journal.prune`."""

    def __init__(
        self, read: RunWork, write: RunWork, before: int, *, forget: bool, give_back: RunWork | None = None
    ) -> None:
        """`write` need not wait for the disk: of a prune that a power cut undoes, the next one does the rest.

        `give_back` writes where unused pages are given back, which they are not without it.
        """
        self._read = read
        self._write = write
        self._before = before
        self._forget = forget
        self._give_back = give_back
        self._between_writes: Callable[[], Awaitable[None]] | None = None
        self._last_removed = self._last_unused = 0
        """Ids up to which deliveries and requests were removed, by this prune or by one before it."""

    async def count(self) -> PruneResult:
        """What `delete` would delete."""
        found = await self._read(lambda c: maintenance.count_prunable(c, self._before))
        if self._forget:
            found = replace(found, forgotten=await self._read(lambda c: tombstones.count_forgettable(c, self._before)))
        return found

    async def delete(self) -> PruneResult:
        """Delete the deliveries, what only they refer to, and the tombstones that are to be forgotten."""
        before = self._before
        if not self._forget:
            pruned = await self._prune_stretches()
        else:
            pruned = await prune_in_chunks(self._forget_chunk)
            self._last_removed = ALL_IDS[1]
            forgotten = await forget_in_chunks(
                lambda after: self._write(lambda c: tombstones.forget_chunk(c, before, after))
            )
            pruned = replace(pruned, forgotten=forgotten)
            if forgotten:
                await self._build_bitmap()
        unused = await self._read(lambda c: maintenance.unused_attempts(c, before))
        await delete_in_chunks(unused, lambda ids: self._write(lambda c: maintenance.delete_attempts(c, ids)))
        self._last_unused = max(unused, default=0)
        return pruned

    async def _forget_chunk(self, after: int) -> tuple[PruneResult, int]:
        return await self._write(lambda c: maintenance.forget_chunk(c, self._before, after))

    async def _prune_stretches(self) -> PruneResult:
        """Remove what is to be removed, stretch by stretch; while one is removed, the next one is read."""
        newest = await self._read(maintenance.newest_id)
        total, last_removed = PruneResult({}, 0), 0
        reading = _Reading(self._read, self._before, 0, newest)
        while not reading.is_past_end:
            prepared = await reading.finish()
            reading = _Reading(self._read, self._before, prepared.last, newest)
            self._between_writes = reading.read_some
            await self._store_tombstones(prepared)
            total += await self._remove(prepared)
            last_removed = prepared.ids[-1] if prepared.ids else last_removed
        self._between_writes = None
        self._last_removed = max(last_removed, await self._read(maintenance.oldest_id) - 1)
        await self._drop_identities(self._last_removed)
        return total

    async def _store_tombstones(self, prepared: PreparedRemoval) -> None:
        """Store the tombstones in the order of their keys."""
        records = memoryview(await asyncio.to_thread(prepared.take_tombstones))
        step = KEYS_A_STEP * RECORD_BYTES
        for start in range(0, len(records), step):
            some = bytes(records[start : start + step])
            await self._write_some(partial(store_records, records=some))
            await self.tidy(more=(len(records) - start) // RECORD_BYTES)

    async def _remove(self, prepared: PreparedRemoval) -> PruneResult:
        """Remove the deliveries, and give back their room at once: SQLite searches a long list of unused pages."""
        total, number = PruneResult({}, 0), len(prepared.ids)
        for start in range(0, number, PRUNE_CHUNK_ROWS):
            end = min(start + PRUNE_CHUNK_ROWS, number)
            total += await self._remove_some(partial(prepared.remove, start=start, end=end))
        if sum(total.by_state.values()) < number:
            await self._write(prepared.drop_kept)
        return total

    async def _remove_some(self, remove: Callable[[sqlite3.Connection], PruneResult]) -> PruneResult:
        if self._give_back is None:
            return await self._write_some(remove)
        # in one transaction, so that the pages are not written before they are given back
        removed, _ = await asyncio.gather(self._write_some(remove), self._give_back_pages(), return_exceptions=True)
        if isinstance(removed, JournalError):
            return await self._write_some(remove)  # giving pages back may have undone both
        if isinstance(removed, BaseException):
            raise removed
        return removed

    async def _drop_identities(self, last: int) -> None:
        """Drop the identities of removed deliveries."""
        await self._write(lambda c: drop_recent_removed(c, last))
        after = -1
        while True:
            end, found = await self._read(partial(find_merged_removed, after=after, number=KEYS_A_SCAN, last=last))
            if end < 0:
                return
            if found:
                await self._write(partial(drop_merged_removed, after=after, end=end, last=last))
            after = end

    async def _write_some(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Write; then read, if something is to be read, while others may write."""
        done = await self._write(work)
        if self._between_writes is not None:
            await self._between_writes()
        return done

    async def clear_slack(self, path: str) -> None:
        """Clear what removed rows left between those that are kept."""
        ranges = {"deliveries": (0, self._last_removed), "packs": (0, self._last_removed)}
        if self._last_unused:
            ranges["attempts"] = 0, self._last_unused
        try:
            for _ in range(SLACK_ROUNDS):
                pages = await find_pages(path, self._read, ranges)
                if not pages:
                    return
                for step in slack_steps(pages):
                    await self._write(partial(clear_slack, pages=step))
        except JournalError as error:
            _log.warning(
                "what was pruned is gone, but copies of it may be left in the file until it is compacted: %s",
                error.message,
            )

    async def give_back_space(self) -> None:
        """Give all unused pages back to the file system; what is left, the next prune gives back."""
        while self._give_back is not None:
            try:
                if not await self._give_back(maintenance.vacuum_step):
                    return
            except JournalError as error:
                self._keep_pages(error)
                return

    async def _give_back_pages(self) -> None:
        """Give some unused pages back, if it can be done now."""
        try:
            if self._give_back is not None:
                await self._give_back(maintenance.vacuum_step)
        except JournalUnavailableError:
            pass  # another process holds the lock, or there is no room: later steps may do it
        except JournalError as error:  # damaged pages, and those that a repair replaced, cannot be moved
            self._keep_pages(error)

    def _keep_pages(self, error: JournalError) -> None:
        self._give_back = None
        _log.warning("what was pruned is gone, but the file stays as large as it is: %s", error.message)

    async def tidy(self, *, more: int = 0) -> None:
        """Join the log of the tombstone filter into its bitmap, if it is due; so many `more` keys will follow."""
        state = await self._read(tombstone_filter.read_state)
        if state is not None and state.is_due:
            if state.is_too_small:
                await self._build_bitmap(more)
            else:
                await self._write(tombstone_filter.join_log)

    async def _build_bitmap(self, more: int = 0) -> None:
        """Build the bitmap of the tombstone filter from all tombstones, a part at a time; with room for `more`."""
        state = await self._read(tombstone_filter.read_state)
        since = state.seq if state is not None else 0
        bitmap = Bitmap.for_keys(await self._read(tombstones.count_all) + more)
        number, keys, last = -1, 0, -1
        while number:
            number, last = await self._read(partial(tombstone_filter.scan_keys, bitmap=bitmap, after=last))
            keys += number
        await self._write(lambda c: tombstone_filter.install(c, bitmap, keys, since))
