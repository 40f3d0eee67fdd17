"""The one thread that writes: everything waiting goes into one transaction (group commit)."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sprig_tui.errors import JournalError
from sprig_tui.journal.sqlite.faults import journal_error

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

_GROUP = 256
"""Jobs in one transaction at most, so that the first of them does not wait long for its commit."""


class _Job:
    __slots__ = ("durable", "error", "future", "loop", "result", "work")

    def __init__(
        self, work: Work, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], *, durable: bool
    ) -> None:
        self.work = work
        self.durable = durable
        self.loop = loop
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        """Tell the waiter; runs in its loop, which may have given up waiting."""
        if not self.future.done():
            if self.error is not None:
                self.future.set_exception(self.error)
            else:
                self.future.set_result(self.result)


class Writer:
    """Runs jobs in order on its own connection; each sees the ones before it.

    Jobs that wait together share a transaction. A job that fails is rolled back alone; a commit that fails fails all
    of its group, and none of it is stored.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], path: str) -> None:
        self._connect = connect
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; its connection is opened with the first job."""
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run `work` inside a transaction; returns when it is committed and safe from a power cut.

        What may be forgotten in a power cut (a lease) says so with `durable=False` and waits for no disk; it survives
        the end of the process all the same.
        """
        if self._closed:
            raise JournalError(f"the journal {self._path} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, loop, future, durable=durable))
        return await future

    async def close(self) -> None:
        """Finish every accepted job, then end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        open_for_work = True
        while open_for_work:
            jobs, open_for_work = self._group()
            if jobs:
                try:
                    connection = connection or self._connect()
                    self._transact(connection, jobs)
                except sqlite3.Error as error:
                    self._fail(jobs, journal_error(error, self._path))
                    if connection is not None and connection.in_transaction:
                        with contextlib.suppress(sqlite3.Error):
                            connection.execute("ROLLBACK")
                except JournalError as error:
                    self._fail(jobs, error)
                self._answer(jobs)
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _group(self) -> tuple[list[_Job], bool]:
        first = self._jobs.get()
        if first is None:
            return [], False
        jobs = [first]
        while len(jobs) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    @staticmethod
    def _transact(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        durable = any(job.durable for job in jobs)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            connection.execute("SAVEPOINT job")
            try:
                job.result = job.work(connection)
            except sqlite3.Error:
                raise  # the store, not the job: fails the group
            except Exception as error:  # noqa: BLE001 - the worker's outer edge; the error goes to the waiter
                job.error = error
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        connection.execute("COMMIT")

    @staticmethod
    def _fail(jobs: list[_Job], error: JournalError) -> None:
        for job in jobs:
            copy = type(error)(error.message, hint=error.hint)
            copy.__cause__ = error.__cause__
            job.result, job.error = None, copy

    @staticmethod
    def _answer(jobs: list[_Job]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, answered in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop closed while we wrote; nobody waits any more
                loop.call_soon_threadsafe(_answer_all, answered)


def _answer_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.answer()
