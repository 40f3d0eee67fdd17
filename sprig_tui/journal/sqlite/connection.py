"""Connections to the file: the writer's, which creates it, and the pool of the readers'.

Temporary tables and sorts stay in memory, so that no folder for temporary files is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from sprig_tui.errors import JournalClosedError, JournalReadOnlyError
from sprig_tui.journal.sqlite import schema
from sprig_tui.journal.sqlite.errors import file_error, is_busy, is_open_error, journal_error
from sprig_tui.journal.sqlite.file_check import FileCheck
from sprig_tui.journal.sqlite.tables import JournalConnection

T = TypeVar("T")

MAX_WAL_BYTES = 128 * 1024 * 1024
"""Size of the WAL at which the writer truncates it; a single writer stays at some 5 MB."""
CHECK_EVERY_COMMITS = 64
"""Commits between two checks of the size."""
_CHECKPOINT_TIMEOUT_MS = 200
"""Maximum wait for readers, which blocks other writers; the next check retries."""
_RETRY_INTERVAL_S = 0.01


def enable_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL mode; SQLite itself does not wait where several processes open a new file at once."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
            time.sleep(_RETRY_INTERVAL_S)
        else:
            return


class WalTruncator:
    """Truncates the WAL, which otherwise only grows while two processes write without a pause."""

    def __init__(self, path: str) -> None:
        self._file = Path(path + "-wal")
        self._commits = 0

    def truncate_if_large(self, connection: sqlite3.Connection) -> None:
        """Check the size of the WAL every CHECK_EVERY_COMMITS commits, and truncate it if it is too large."""
        self._commits += 1
        if self._commits % CHECK_EVERY_COMMITS or not self._is_too_large():
            return
        with contextlib.suppress(sqlite3.Error):
            before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_TIMEOUT_MS}")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.execute(f"PRAGMA busy_timeout = {before}")

    def _is_too_large(self) -> bool:
        try:
            return self._file.stat().st_size > MAX_WAL_BYTES
        except OSError:
            return False


def make_folder(path: str) -> None:
    """Make the folder of the journal at `path`, where it is missing. Raises JournalReadOnlyError."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise JournalReadOnlyError(
            f"the folder of the journal {path} cannot be made: {error.strerror}",
            hint="check the path (sprig-tui paths) and its rights",
        ) from error


def connect_writer(path: str, busy_timeout: float, file_check: FileCheck) -> sqlite3.Connection:
    """A connection that writes; creates the file if it is missing.

    Raises the errors of `schema.create_or_upgrade`, and JournalLostError if the file is another than before.
    """
    file_check.before_opening()
    try:
        if not Path(path).exists():
            # answers are personal data: mode 0600 whatever the umask
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise file_error(error, path) from error
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=JournalConnection,
    )
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        schema.reject_foreign_file(connection, path)
        schema.enable_vacuum(connection)
        enable_wal(connection, busy_timeout)
        connection.execute("PRAGMA cache_size = -16000")
        # a row that changes its size leaves its old place otherwise
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if schema.create_or_upgrade(connection, path):
            # so that the main file contains the schema and the identity
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        file_check.after_opening()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: str, busy_timeout: float, file_check: FileCheck | None = None) -> sqlite3.Connection:
    """A connection that reads; SQLite only writes the shared memory beside the file.

    Where that is impossible (a read-only file system or folder), the main file is read as immutable. Raises
    JournalReadOnlyError if that would ignore rows in the WAL.
    """
    if file_check is not None:
        file_check.before_opening()
    connection = open_existing(path, "rw", busy_timeout)
    logged = True
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if not is_open_error(error) or not Path(path).exists():
            raise
        _check_no_log(path, error)
        logged = False
        connection = open_existing(path, "immutable", busy_timeout)
    except BaseException:
        connection.close()
        raise
    try:
        connection.execute("PRAGMA query_only = 1")
        if file_check is not None:
            file_check.after_opening(logged=logged)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_no_log(path: str, error: sqlite3.Error) -> None:
    log = Path(path + "-wal")
    if log.exists() and log.stat().st_size:
        raise JournalReadOnlyError(
            f"the journal {path} has a log beside it that cannot be read in a folder that may not be written",
            hint=f"copy it together with {log.name} into a folder that may be written, and look there",
        ) from error


class RunWork(Protocol):
    """Runs a function in a transaction, such as `SQLiteJournal` does in its threads."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """The result of `work`."""
        ...


class ReaderPool:
    """Two threads, each with a read-only connection of its own."""

    def __init__(self, path: str, busy_timeout: float, file_check: FileCheck) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._file_check = file_check
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="journal-reader")
        self._thread_local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` inside one read transaction. Raises JournalError."""

        def run() -> T:
            try:
                connection = self._connection()
                self._file_check.check()
                # one snapshot for all statements: between two, a writer may move the rows that they read
                connection.execute("BEGIN")
                try:
                    return work(connection)
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise journal_error(error, self._path) from error

        return await self.run(run)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work` in one of the threads. Raises JournalError once the pool is closed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError as error:
            raise JournalClosedError(self._path) from error

    async def is_current(self) -> bool:
        """Whether the file is there and has the current schema; False also while another process is making it."""
        return await self.run(self._is_current)

    def _is_current(self) -> bool:
        if not os.path.exists(self._path):  # noqa: PTH110 - Path.exists raises for some names
            return False
        try:
            return schema.is_current(self._connection(), self._path)
        except sqlite3.Error as error:
            if is_busy(error):
                return False
            raise journal_error(error, self._path) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._thread_local, "connection", None)
        if connection is None:
            connection = connect_reader(self._path, self._busy_timeout, self._file_check)
            self._thread_local.connection = connection
            self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Wait for reads that are under way, then close the connections."""
        self._threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        self._connections.clear()


def write_wal(path: str) -> None:
    """Write into the file what of the WAL no reader needs any more; others go on."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(open_existing(path, "rw", _CHECKPOINT_TIMEOUT_MS / 1000)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def empty_wal(path: str) -> None:
    """Write the WAL into the file and empty it, so that neither holds what was removed; not while others are in it.

    Most is written while others go on.
    """
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(open_existing(path, "rw", _CHECKPOINT_TIMEOUT_MS / 1000)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def open_existing(
    path: str | os.PathLike[str], mode: Literal["ro", "rw", "immutable"], busy_timeout: float
) -> sqlite3.Connection:
    """A connection to an existing file; a missing one is not created.

    `immutable`: without locks and without the WAL, for a file that no process changes.
    """
    options = "ro&immutable=1" if mode == "immutable" else mode
    connection = sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode={options}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=JournalConnection,
    )
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection
