"""The write-ahead log: turned on in a new file, and kept small where SQLite's own checkpoints would never reset it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from sprig_tui.journal.sqlite.faults import is_busy

MAX_WAL_BYTES = 128 * 1024 * 1024
"""Bytes of the log from which on the writer resets it itself; one writer alone stays at some 5 MB."""
CHECK_EVERY_COMMITS = 64
"""Commits between two looks at its size."""
_CHECKPOINT_TIMEOUT_MS = 200
"""Others cannot write while a reset waits for readers, so it does not wait long; the next look tries again."""
_RETRY_INTERVAL_S = 0.01


def enable_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Write by a log from now on; where several open a new file at once, SQLite itself does not wait for its turn."""
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
    """The log that belongs to the journal at `path`: while two processes write flat out, it would only grow."""

    def __init__(self, path: str) -> None:
        self._file = Path(path + "-wal")
        self._commits = 0

    def truncate_if_large(self, connection: sqlite3.Connection) -> None:
        """After a commit: now and then look at the log, and empty it when it has grown too long."""
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
