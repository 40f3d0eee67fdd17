"""Mapping of SQLite errors to journal errors."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

from sprig_tui.errors import (
    JournalCorruptError,
    JournalError,
    JournalFullError,
    JournalLockedError,
    JournalReadOnlyError,
    JournalUnavailableError,
)

_MIN_FREE_BYTES = 64 * 1024
"""Free space below which the disk counts as full: SQLite's shared memory takes half of that."""

_STORE_ERROR_CODES = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    )
)


def is_store_error(error: sqlite3.Error) -> bool:
    """Whether the cause is the file or the disk, rather than the statement.

    Damage is not included: it is local, and other statements succeed.
    """
    return _error_code(error) in _STORE_ERROR_CODES


def is_open_error(error: sqlite3.Error) -> bool:
    """Whether the file or its WAL cannot be opened or written by this process."""
    return _error_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a part of the file is damaged; other parts may be intact."""
    return _error_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_bad_text(error: sqlite3.Error) -> bool:
    """Whether a text in the file is no UTF-8: Python's driver has no code for that, only a message."""
    return "UTF-8" in str(error)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds a lock, so that a retry may succeed."""
    return _error_code(error) == sqlite3.SQLITE_BUSY


def _error_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _is_disk_full(path: str) -> bool:
    try:
        return shutil.disk_usage(Path(path).absolute().parent).free < _MIN_FREE_BYTES
    except OSError:
        return False


def file_error(error: OSError, path: str) -> JournalError:
    """The JournalError for a file that cannot be created or opened."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return JournalFullError(f"no room left for the journal {path}", hint="free disk space, or name another path")
    return JournalReadOnlyError(
        f"the journal {path} cannot be opened: {error.strerror}",
        hint="check the path (sprig-tui paths), and the rights of the file and of its folder",
    )


class _ErrorMapping(NamedTuple):
    """The JournalError for some codes of SQLite; `{path}` is the file, `{error}` the message of SQLite."""

    codes: tuple[int, ...]
    kind: type[JournalError]
    message: str
    hint: str


_DISK_FULL = _ErrorMapping(
    (sqlite3.SQLITE_FULL,),
    JournalFullError,
    "no room left for the journal {path}; the last write was not kept",
    "free disk space, or run: sprig-tui journal prune --older-than 30d",
)
_ERROR_MAPPINGS = (
    _ErrorMapping(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        JournalLockedError,
        "the journal {path} is held by another process",
        "close what holds it, then try again",
    ),
    _DISK_FULL,
    _ErrorMapping(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
        JournalReadOnlyError,
        "the journal {path} may not be written",
        "check the rights of the file and of its folder",
    ),
    _ErrorMapping(
        (sqlite3.SQLITE_CANTOPEN,),
        JournalReadOnlyError,
        "the journal {path} cannot be opened",
        "check that its folder exists and may be written",
    ),
    _ErrorMapping(
        (sqlite3.SQLITE_IOERR,),
        JournalUnavailableError,
        "the disk of the journal {path} fails ({error}); the last write was not kept",
        "see what the system's log says of it, and whether a limit of file sizes holds (ulimit -f)",
    ),
    _ErrorMapping(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        JournalCorruptError,
        "the journal {path} is damaged or no SQLite file ({error})",
        "sprig-tui journal verify says where; sprig-tui journal salvage {path} NEW copies what can be read",
    ),
)
_UNKNOWN_ERROR = _ErrorMapping((), JournalError, "the journal {path} failed: {error}", "run: sprig-tui doctor")


def journal_error(error: sqlite3.Error, path: str) -> JournalError:
    """The JournalError for an error of SQLite in the journal at `path`."""
    code = _error_code(error)
    mapping = next((mapping for mapping in _ERROR_MAPPINGS if code in mapping.codes), _UNKNOWN_ERROR)
    # SQLite reports an I/O error if the disk has no room for the shared memory beside the file
    if code == sqlite3.SQLITE_IOERR and _is_disk_full(path):
        mapping = _DISK_FULL
    return mapping.kind(mapping.message.format(path=path, error=error), hint=mapping.hint.format(path=path))
