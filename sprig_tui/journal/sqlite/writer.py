"""Writer thread with group commit: all waiting jobs share one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sprig_tui.errors import JournalClosedError, JournalError
from sprig_tui.journal.sqlite.connection import WalTruncator
from sprig_tui.journal.sqlite.errors import is_damage, is_store_error, journal_error

T = TypeVar("T")
WriteFunction = Callable[[sqlite3.Connection], Any]

_MAX_GROUP_JOBS = 256
"""Maximum number of jobs in one transaction, so that the first does not wait long for the commit."""

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
        """Set the future, if its caller still waits; runs in the caller's loop."""
        if not self.future.done():
            if self.error is not None:
                self.future.set_exception(self.error)
            else:
                self.future.set_result(self.result)


class Writer:
    """Runs jobs in order on its own connection; each job sees the changes of those before it.

    A failed job is rolled back alone. A failed commit fails all jobs of its group, and none of them is stored.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], path: str, check_file: Callable[[], None]) -> None:
        """`check_file` is called before and after each commit; it raises JournalError if the write would be lost."""
        self._connect = connect
        self._path = path
        self._check_file = check_file
        self._wal = WalTruncator(path)
        self._jobs: queue.SimpleQueue[_WriteJob | None] = queue.SimpleQueue()
        self._synchronous: bool | None = None
        """Whether commits wait for the disk; None for a new connection."""
        self._closed = True
        self._lock = threading.Lock()
        """Guards `_closed` and the queue: a job after the end marker would wait forever."""
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; its connection is opened with the first job."""
        self._thread.start()
        self._closed = False

    async def run(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True, skip_if_cancelled: bool = False
    ) -> T:
        """Run `work` inside a transaction; returns once it is committed and on the disk.

        With `durable=False` (leases, heartbeats) it does not wait for the disk: the write survives the end of the
        process, but not a power cut. With `skip_if_cancelled` it does not begin after the caller was cancelled.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._closed:
                raise JournalClosedError(self._path)
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
                except Exception as error:  # noqa: BLE001 - outermost frame of the thread: the callers have to get an error
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
        """Run each job in a transaction of its own: only those that need damaged pages fail."""
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
            except Exception as error:  # goes to the caller of the job
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
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(_resolve_all, answered)


def _resolve_all(jobs: list[_WriteJob]) -> None:
    for job in jobs:
        job.resolve()


def _reusable_connection(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """The connection after a rollback; None if that fails and a new connection is needed."""
    if connection is not None and connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if connection.in_transaction:
            connection.close()
            return None
    return connection
