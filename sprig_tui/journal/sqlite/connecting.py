"""Connections to the file: the writer's, which makes it, and the readers', which only look into what is there.

Sorting and the like is done in memory: a machine without a folder for temporary files has a journal all the same.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from sprig_tui.errors import JournalReadOnlyError
from sprig_tui.journal.sqlite import schema
from sprig_tui.journal.sqlite.faults import file_error, is_open_error
from sprig_tui.journal.sqlite.file_check import FileCheck
from sprig_tui.journal.sqlite.rows import JournalConnection
from sprig_tui.journal.sqlite.wal import enable_wal


def connect_writer(path: str, busy_timeout: float, file_check: FileCheck) -> sqlite3.Connection:
    """A connection that writes; the first one to a file makes it.

    Raises what `schema.prepare` raises, and JournalLostError where `check` knows another file.
    """
    file_check.before_opening()
    try:
        if not Path(path).exists():
            # answers are personal data: nobody else's business, whatever the umask
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
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if schema.create_or_upgrade(connection, path):
            # so that the file itself says whose it is
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        file_check.after_opening()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: str, busy_timeout: float, file_check: FileCheck | None = None) -> sqlite3.Connection:
    """A connection that reads, and writes no more than what all who share the file need to know of it.

    Where that little cannot be written either (a read-only file system or folder) the file is read by itself. Raises
    JournalReadOnlyError where that would leave out what stands in its log.
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


def open_existing(
    path: str | os.PathLike[str], mode: Literal["ro", "rw", "immutable"], busy_timeout: float
) -> sqlite3.Connection:
    """A connection to a file that is there: one that was moved away is not made anew, and empty, by looking into it.

    `immutable`: without locks and without its log, for a file that nobody changes.
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
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
