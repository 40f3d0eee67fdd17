"""Prefetch of entries: a thread that reads and maps one chunk ahead of the event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType

from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.entry_payloads import payload_bytes
from sprig_tui.journal.records import NewDelivery

FIRST_CHUNK_ENTRIES = 250
"""Small, so that storing and delivery start at once; each further chunk is twice as large."""
MAX_CHUNK_ENTRIES = 1_500
MAX_CHUNK_BYTES = 4_000_000
"""A chunk ends at whichever limit comes first. Larger ones are hardly cheaper to store, and memory holds two."""
MAX_CHUNK_WAIT_S = 0.1
"""Seconds that an incomplete chunk waits for more entries, so that those of a slow pipe are not held back."""


class EntryPrefetcher:
    """Reads entries in a thread, so that a pipe that blocks does not block delivery.

    `on_entry` is called with each entry, in the thread; an exception that it raises ends the entries.

    Use: `start()`, then `next_chunk()` until it returns nothing; `stop()` at the end.
    """

    def __init__(
        self, chunks: Generator[Sequence[NewDelivery]], on_entry: Callable[[NewDelivery], None] | None = None
    ) -> None:
        self._source = chunks
        self._on_entry = on_entry
        self._loop = asyncio.get_running_loop()
        self._has_entries = asyncio.Event()
        self._chunk_ready = asyncio.Event()
        self._space = threading.Condition()
        """Only for the wait for space: appending and taking chunks needs no lock."""
        self._chunks: deque[Sequence[NewDelivery]] = deque()
        self._chunk_entries = FIRST_CHUNK_ENTRIES
        self._pending_entries = self._pending_bytes = 0
        """Entries in the deque, and their bytes; used by the thread only."""
        self._stopped = False
        self._finished = False
        self._error: BaseException | None = None

    def start(self) -> None:
        """Start the thread."""
        # a daemon: a read that never returns (a terminal, a pipe) must not keep the process alive
        threading.Thread(target=self._run, name="ingest", daemon=True).start()

    def stop(self) -> None:
        """Read nothing after the current record, or after the current chunk of a subprocess."""
        with self._space:
            self._stopped = True
            self._space.notify()

    async def next_chunk(self) -> EntryColumns:
        """The next chunk; empty at the end. An exception of the reader is raised after all entries read before it."""
        while True:
            await self._has_entries.wait()
            try:
                async with asyncio.timeout(MAX_CHUNK_WAIT_S):
                    await self._chunk_ready.wait()
            except TimeoutError:
                pass
            # read before the deque: once it is set, nothing is added any more
            finished = self._finished
            if not finished:
                self._has_entries.clear()
                self._chunk_ready.clear()
            entries = EntryColumns.joined([self._chunks.popleft() for _ in range(len(self._chunks))])
            if self._chunks:  # added meanwhile, behind others, and therefore without setting the event
                self._has_entries.set()
            with self._space:
                self._chunk_entries = min(2 * self._chunk_entries, MAX_CHUNK_ENTRIES)
                self._space.notify()
            if entries:
                return entries
            if finished:
                if self._error is not None:
                    raise self._error
                return entries

    def _run(self) -> None:
        try:
            with closing(self._source) as chunks:
                self._prefetch_all(chunks if self._on_entry is None else _checked(chunks, self._on_entry))
        except BaseException as error:  # noqa: BLE001 - a thread's outer edge: `next_chunk` raises it
            self._error = error
        finally:
            self._finished = True
            self._set_events(self._has_entries, self._chunk_ready)

    def _prefetch_all(self, chunks: Iterable[Sequence[NewDelivery]]) -> None:
        for entries in chunks:
            self._append(entries)
            if self._stopped:
                break

    def _append(self, entries: Sequence[NewDelivery]) -> None:
        self._chunks.append(entries)
        if len(self._chunks) <= 1:  # all chunks before it are taken
            self._pending_entries = self._pending_bytes = 0
            self._set_events(self._has_entries)
        self._pending_entries += len(entries)
        self._pending_bytes += _payload_bytes(entries)
        if self._is_full():
            self._set_events(self._has_entries, self._chunk_ready)
            with self._space:
                while self._is_full() and not self._stopped:
                    self._space.wait()

    def _is_full(self) -> bool:
        return bool(self._chunks) and (
            self._pending_entries >= self._chunk_entries or self._pending_bytes >= MAX_CHUNK_BYTES
        )

    def _set_events(self, *events: asyncio.Event) -> None:
        try:
            for event in events:
                self._loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            # the loop is closed: no one takes entries any more
            self._stopped = True


def _payload_bytes(entries: Sequence[NewDelivery]) -> int:
    if isinstance(entries, EntryColumns):
        return payload_bytes(entries.column("raw"), entries.column("body"))
    return sum(len(entry.raw) + len(entry.body) for entry in entries)


def _checked(
    chunks: Iterable[Sequence[NewDelivery]], on_entry: Callable[[NewDelivery], None]
) -> Iterator[Sequence[NewDelivery]]:
    """The entries, after a call with each: where that raises, those before it are stored."""
    for entries in chunks:
        for at, entry in enumerate(entries):
            try:
                on_entry(entry)
            except BaseException:
                yield entries[:at]
                raise
        yield entries


SWITCH_INTERVAL_S = 0.001
"""Seconds. SQLite, compression and sockets release the GIL, but must wait for it when they are done: with Python's
default of 5 ms mostly for longer than they had worked. Intervals below 1 ms gained nothing more."""


class ShortSwitchInterval:
    """Context manager that lowers `sys.setswitchinterval`; blocks may overlap, and the last to end restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._previous_s = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._previous_s = sys.getswitchinterval()
                sys.setswitchinterval(min(self._previous_s, SWITCH_INTERVAL_S))
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                sys.setswitchinterval(self._previous_s)


SHORT_SWITCH_INTERVAL = ShortSwitchInterval()
"""The only instance, since the setting applies to the process."""
