"""A thread that makes entries ahead of the event loop, and never further than one chunk."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext

from sprig_tui.journal.records import NewDelivery

FIRST_CHUNK = 250
"""Entries of the first chunk, so that storing and delivery begin at once; each one after it is twice as large."""
CHUNK_ENTRIES = 1_500
CHUNK_BYTES = 4_000_000
"""A chunk ends at the first of these: larger ones are hardly cheaper to store, and memory holds two."""
LINGER = 0.1
"""Seconds that a chunk which is not full waits for more, so that a slow pipe is not held up by its own slowness."""


class Pump:
    """Takes entries from where they are made, in a thread of its own: a pipe that stalls must not stall delivery.

    `check` hears of each before it goes on; what it raises ends the entries.

    Use: `start()`, then `take()` until it returns nothing; `stop()` in the end.
    """

    def __init__(self, entries: Iterator[NewDelivery], check: Callable[[NewDelivery], None] | None = None) -> None:
        self._made = entries
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._room = threading.Condition()
        """Only for the wait for room: the thread appends and the loop takes without a lock for each entry."""
        self._entries: deque[NewDelivery] = deque()
        self._chunk = FIRST_CHUNK
        self._bytes = 0
        """Of the entries that wait; the thread's own."""
        self._stopped = False
        self._over = False
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin to read."""
        # a daemon: a read that blocks for ever (a terminal, a pipe) must not keep the process alive
        threading.Thread(target=self._run, name="intake", daemon=True).start()

    def stop(self) -> None:
        """Read no further than the record at hand."""
        with self._room:
            self._stopped = True
            self._room.notify()

    async def take(self) -> list[NewDelivery]:
        """The next chunk; empty at the end. What reading raised is raised here, after everything read before it."""
        while True:
            await self._some.wait()
            try:
                async with asyncio.timeout(LINGER):
                    await self._full.wait()
            except TimeoutError:
                pass
            # in this order: once it is over, nothing is added any more
            over = self._over
            if not over:
                self._some.clear()
                self._full.clear()
            entries = [self._entries.popleft() for _ in range(len(self._entries))]
            if self._entries:  # added just now, behind others, and so not told of
                self._some.set()
            with self._room:
                self._chunk = min(2 * self._chunk, CHUNK_ENTRIES)
                self._room.notify()
            if entries:
                return entries
            if over:
                if self._error is not None:
                    raise self._error
                return []

    def _run(self) -> None:
        try:
            with closing(self._made) if isinstance(self._made, Generator) else nullcontext():
                self._put_all()
        except BaseException as error:  # noqa: BLE001 - a thread's outer edge: `take` raises it
            self._error = error
        finally:
            self._over = True
            self._tell(self._some, self._full)

    def _put_all(self) -> None:
        check = self._check
        for entry in self._made:
            if check is not None:
                check(entry)
            self._put(entry)
            if self._stopped:
                break

    def _put(self, entry: NewDelivery) -> None:
        entries = self._entries
        entries.append(entry)
        if len(entries) <= 1:  # all before it are taken; perhaps it is too
            self._bytes = 0
            self._tell(self._some)
        self._bytes += len(entry.raw) + len(entry.body)
        if self._is_full():
            self._tell(self._some, self._full)
            with self._room:
                while self._is_full() and not self._stopped:
                    self._room.wait()

    def _is_full(self) -> bool:
        waiting = len(self._entries)
        return waiting >= self._chunk or (waiting > 0 and self._bytes >= CHUNK_BYTES)

    def _tell(self, *events: asyncio.Event) -> None:
        try:
            for event in events:
                self._loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            # the loop is closed: nobody takes any more
            self._stopped = True
