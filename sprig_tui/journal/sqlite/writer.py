"""The one thread that writes: everything waiting goes into one transaction (group commit)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sprig_tui.errors import JournalError
from sprig_tui.journal.sqlite.connection import WalTruncator
from sprig_tui.journal.sqlite.errors import is_damage, is_store_error, journal_error

T = TypeVar("T")
WriteFunction = Callable[[sqlite3.Connection], Any]

_MAX_GROUP_JOBS = 256
"""Jobs in one transaction at most, so that the first of them does not wait long for its commit."""

_log = logging.getLogger(__name__)


class _WriteJob:
    __slots__ = ("durable", "error", "future", "loop", "result", "skip_if_cancelled", "work")

    def __init__(
        self,
        work: WriteFunction,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        *,
        durable: bool,
        skip_if_cancelled: bool,
    ) -> None:
        self.work = work
        self.durable = durable
        self.skip_if_cancelled = skip_if_cancelled
        self.loop = loop
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
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

    def __init__(self, connect: Callable[[], sqlite3.Connection], path: str, check_file: Callable[[], None]) -> None:
        """`check` raises JournalError where what is written would be lost; it is asked before and after a commit."""
        self._connect = connect
        self._path = path
        self._check_file = check_file
        self._wal = WalTruncator(path)
        self._jobs: queue.SimpleQueue[_WriteJob | None] = queue.SimpleQueue()
        self._synchronous: bool | None = None
        """Whether the connection waits for the disk at each commit; None for a new one."""
        self._closed = True
        self._lock = threading.Lock()
        """Holds `_closed` and the order of jobs together: a job behind the end of the queue would wait for ever."""
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; its connection is opened with the first job."""
        self._thread.start()
        self._closed = False

    async def run(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True, skip_if_cancelled: bool = False
    ) -> T:
        """Run `work` inside a transaction; returns when it is committed and safe from a power cut.

        What may be forgotten in a power cut (a lease) says so with `durable=False` and waits for no disk; it survives
        the end of the process all the same. `if_awaited`: not begun any more once the caller was cancelled.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._closed:
                raise JournalError(f"the journal {self._path} is closed")
            self._jobs.put(_WriteJob(work, loop, future, durable=durable, skip_if_cancelled=skip_if_cancelled))
        return await future

    async def close(self) -> None:
        """Finish every accepted job, then end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        open_for_work = True
        while open_for_work:
            jobs, open_for_work = self._next_group()
            if jobs:
                try:
                    if connection is None:
                        connection, self._synchronous = self._connect(), None
                    self._transact(connection, jobs)
                except Exception as error:  # noqa: BLE001 - the thread's outer edge: without it nobody gets an answer
                    connection = _reusable_connection(connection)
                    if (
                        len(jobs) > 1
                        and connection is not None
                        and isinstance(error, sqlite3.Error)
                        and is_damage(error)
                    ):
                        connection = self._run_separately(connection, jobs)
                    else:
                        self._fail(jobs, self._as_journal_error(error))
                self._resolve_jobs(jobs)
                if connection is not None:
                    self._wal.truncate_if_large(connection)
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _run_separately(self, connection: sqlite3.Connection, jobs: list[_WriteJob]) -> sqlite3.Connection | None:
        """Each in a transaction of its own: whoever needs nothing of what is damaged does well."""
        for at, job in enumerate(jobs):
            try:
                self._transact(connection, [job])
            except Exception as error:  # noqa: BLE001 - as above
                self._fail([job], self._as_journal_error(error))
                after = _reusable_connection(connection)
                if after is None:
                    self._fail(jobs[at + 1 :], self._as_journal_error(error))
                    return None
        return connection

    def _as_journal_error(self, error: Exception) -> JournalError:
        if isinstance(error, JournalError):
            return error
        if isinstance(error, sqlite3.Error):
            return journal_error(error, self._path)
        _log.error("writing to the journal %s failed", self._path, exc_info=error)
        return JournalError(f"the journal {self._path} failed: {type(error).__name__}", hint="run: sprig-tui doctor")

    def _next_group(self) -> tuple[list[_WriteJob], bool]:
        first = self._jobs.get()
        if first is None:
            return [], False
        jobs = [first]
        while len(jobs) < _MAX_GROUP_JOBS:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _transact(self, connection: sqlite3.Connection, jobs: list[_WriteJob]) -> None:
        self._check_file()
        durable = any(job.durable for job in jobs)
        if durable != self._synchronous:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synchronous = durable
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            if job.skip_if_cancelled and job.future.cancelled():
                continue
            connection.execute("SAVEPOINT job")
            try:
                job.result = job.work(connection)
            except Exception as error:  # the worker's outer edge; the error goes to the waiter
                if isinstance(error, sqlite3.Error) and (
                    is_store_error(error) or is_damage(error) or not connection.in_transaction
                ):
                    raise  # the store, not the job: fails the group; damage ends writing until the transaction is over
                job.error = journal_error(error, self._path) if isinstance(error, sqlite3.Error) else error
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
        self._check_file()

    @staticmethod
    def _fail(jobs: list[_WriteJob], error: JournalError) -> None:
        for job in jobs:
            copy = type(error)(error.message, hint=error.hint)
            copy.__cause__ = error.__cause__
            job.result, job.error = None, copy

    @staticmethod
    def _resolve_jobs(jobs: list[_WriteJob]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_WriteJob]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, answered in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop closed while we wrote; nobody waits any more
                loop.call_soon_threadsafe(_resolve_all, answered)


def _resolve_all(jobs: list[_WriteJob]) -> None:
    for job in jobs:
        job.resolve()


def _reusable_connection(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """The connection without a transaction; None when it cannot leave the one it is in, and a new one is needed."""
    if connection is not None and connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if connection.in_transaction:
            connection.close()
            return None
    return connection
