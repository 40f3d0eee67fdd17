"""Connections to the file: the writer's, which makes it, and the readers', which only look into what is there."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from sprig_tui.journal.sqlite import schema
from sprig_tui.journal.sqlite.faults import file_error
from sprig_tui.journal.sqlite.wal import turn_on


def connect_writer(path: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection that writes; the first one to a file makes it. Raises what `schema.prepare` raises."""
    try:
        if not Path(path).exists():
            # answers are personal data: nobody else's business, whatever the umask
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise file_error(error, path) from error
    connection = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        schema.refuse_foreign(connection, path)
        turn_on(connection, busy_timeout)
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        schema.prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection that reads, and writes no more than what all who share the file need to know of it."""
    connection = open_existing(path, "rw", busy_timeout)
    connection.execute("PRAGMA query_only = 1")
    return connection


def open_existing(path: str | os.PathLike[str], mode: Literal["ro", "rw"], busy_timeout: float) -> sqlite3.Connection:
    """A connection to a file that is there: one that was moved away is not made anew, and empty, by looking into it."""
    return sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
