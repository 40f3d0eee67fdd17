"""SQLite's errors in the journal's own terms."""

from __future__ import annotations

import sqlite3

from sprig_tui.errors import (
    JournalCorruptError,
    JournalError,
    JournalFullError,
    JournalLockedError,
    JournalReadOnlyError,
)


def journal_error(error: sqlite3.Error, path: str) -> JournalError:
    """The JournalError that says what `error` means for the journal at `path`."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalLockedError(
            f"the journal {path} is held by another process", hint="close what holds it, then try again"
        )
    if code == sqlite3.SQLITE_FULL:
        return JournalFullError(
            f"no room left for the journal {path}; the last write was not kept",
            hint="free disk space, or run: sprig-tui journal prune --older-than 30d",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return JournalReadOnlyError(
            f"the journal {path} may not be written", hint="check the rights of the file and of its folder"
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return JournalReadOnlyError(
            f"the journal {path} cannot be opened", hint="check that its folder exists and may be written"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalCorruptError(
            f"the journal {path} is damaged or no SQLite file ({error})",
            hint="move it away and start a new one; `sqlite3 FILE .recover` saves what can be read",
        )
    return JournalError(f"the journal {path} failed: {error}", hint="run: sprig-tui doctor")
