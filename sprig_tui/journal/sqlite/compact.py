"""Compaction of a file: rewrites it without its free pages, so that it can give back room by itself from then on."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from msgspec import Struct

from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.sqlite.connection import connect_reader, open_existing
from sprig_tui.journal.sqlite.errors import is_busy, journal_error

_BUSY_TIMEOUT_S = 5.0


class FileSpace(Struct, frozen=True):
    """Room that a journal file takes."""

    bytes: int
    """With its log."""
    free_bytes: int
    """Of it unused: for new deliveries, or to be given back."""
    shrinks: bool
    """Whether the file gives unused room back; those of older versions do not until they are compacted."""


def file_space(path: str) -> FileSpace:
    """The room of a file. Raises JournalError."""
    try:
        with contextlib.closing(connect_reader(path, _BUSY_TIMEOUT_S)) as connection:
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            shrinks = connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    except sqlite3.Error as error:
        raise journal_error(error, path) from error
    size = sum(file.stat().st_size for name in (path, f"{path}-wal") if (file := Path(name)).is_file())
    return FileSpace(size, free * page, shrinks)


def compact_file(path: str) -> None:
    """Rewrite the file; no other process may write meanwhile. Needs as much free room on the disk again.

    Raises JournalLockedError where another process writes, JournalError where it fails; then the file is as it was.
    """
    try:
        with contextlib.closing(open_existing(path, "rw", _BUSY_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA temp_store = FILE")  # it may be larger than the memory
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        if is_busy(error):
            raise JournalLockedError(
                f"another process writes to {path}", hint="stop what uses it, then compact it again"
            ) from error
        raise journal_error(error, path) from error
