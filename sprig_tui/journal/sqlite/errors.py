"""SQLite's errors in the journal's own terms."""

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
"""Bytes: the shared memory takes half of that."""

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
    """Whether the file or the disk is at fault, rather than what was asked of it.

    Damage is told apart: it lies in one place, and whoever needs something else does well.
    """
    return _error_code(error) in _STORE_ERROR_CODES


def is_open_error(error: sqlite3.Error) -> bool:
    """Whether the file, or what stands beside it, cannot be opened or written by us."""
    return _error_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a part of the file is not what SQLite wrote; other parts may be well."""
    return _error_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_bad_text(error: sqlite3.Error) -> bool:
    """Whether a text in the file is no UTF-8: Python's driver has no code for that, only a message."""
    return "UTF-8" in str(error)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection is in the way, and the same again may succeed."""
    return _error_code(error) == sqlite3.SQLITE_BUSY


def _error_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _is_disk_full(path: str) -> bool:
    try:
        return shutil.disk_usage(Path(path).absolute().parent).free < _MIN_FREE_BYTES
    except OSError:
        return False


def file_error(error: OSError, path: str) -> JournalError:
    """The JournalError for a file that cannot be made or looked at."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return JournalFullError(f"no room left for the journal {path}", hint="free disk space, or name another path")
    return JournalReadOnlyError(
        f"the journal {path} cannot be opened: {error.strerror}",
        hint="check the path (sprig-tui paths), and the rights of the file and of its folder",
    )


class _ErrorMapping(NamedTuple):
    """What codes of SQLite mean: `{path}` is the journal's file, `{error}` what was said."""

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
        "sprig-tui journal verify says where; sprig-tui journal salvage {path} NEW brings over what can be read",
    ),
)
_UNKNOWN_ERROR = _ErrorMapping((), JournalError, "the journal {path} failed: {error}", "run: sprig-tui doctor")


def journal_error(error: sqlite3.Error, path: str) -> JournalError:
    """The JournalError that says what `error` means for the journal at `path`."""
    code = _error_code(error)
    meaning = next((one for one in _ERROR_MAPPINGS if code in one.codes), _UNKNOWN_ERROR)
    # the memory that processes share beside the file needs room to be opened at all: SQLite calls that an I/O error
    if code == sqlite3.SQLITE_IOERR and _is_disk_full(path):
        meaning = _DISK_FULL
    return meaning.kind(meaning.message.format(path=path, error=error), hint=meaning.hint.format(path=path))
