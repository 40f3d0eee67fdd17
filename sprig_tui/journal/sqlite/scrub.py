"""Scrubbing of the file: rewrites it without its free space, so that removed content is not in it any more."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.sqlite.errors import is_busy
from sprig_tui.journal.sqlite.file_check import read_roots, roots_text

SCRUB_TIMEOUT_S = 60.0
"""Maximum wait for other processes before the file is rewritten, and again before its log is emptied."""
_RETRY_INTERVAL_S = 0.2
_MAX_MEMORY_BYTES = 256 * 1024 * 1024
"""Larger files are rewritten by way of a temporary file."""


def scrub(connection: sqlite3.Connection, path: str) -> None:
    """Rewrite the file, and empty its log. Raises sqlite3.Error.

    Raises JournalLockedError while another process holds the file for too long.
    """
    memory = Path(path).stat().st_size <= _MAX_MEMORY_BYTES
    connection.execute(f"PRAGMA temp_store = {'MEMORY' if memory else 'FILE'}")
    _retry_while_busy(lambda: _announce(connection, _roots_after_vacuum(connection)), path)
    _retry_while_busy(lambda: connection.execute("VACUUM").fetchall() is not None, path)
    _retry_while_busy(lambda: _announce(connection, roots_text(read_roots(connection))), path)
    _retry_while_busy(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, path)


def _announce(connection: sqlite3.Connection, roots: str) -> bool:
    """Tell processes that have the file open where its tables will be: they take it for overwritten otherwise."""
    connection.execute("UPDATE forget_state SET roots = ? WHERE roots <> ?", (roots, roots))
    return True


def _roots_after_vacuum(connection: sqlite3.Connection) -> str:
    """The root pages that VACUUM gives: it creates all tables, then all indexes, before it copies rows."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        for pragma in ("page_size", "auto_vacuum"):
            empty.execute(f"PRAGMA {pragma} = {connection.execute(f'PRAGMA {pragma}').fetchone()[0]}")
        for kind in ("table", "index"):
            for (statement,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND name <> 'sqlite_sequence'"
                " ORDER BY rowid",
                (kind,),
            ).fetchall():
                empty.execute(statement)
        return roots_text(read_roots(empty))


def _retry_while_busy(attempt: Callable[[], bool], path: str) -> None:
    until = time.monotonic() + SCRUB_TIMEOUT_S
    while True:
        try:
            if attempt():
                return
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        if time.monotonic() >= until:
            raise JournalLockedError(
                f"other processes use {path} without a pause: removed content may still be in its free space or log",
                hint="run sprig-tui forget --resume when they are idle, or stop them first",
            )
        time.sleep(_RETRY_INTERVAL_S)
