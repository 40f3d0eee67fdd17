"""File check: whether the file that is open is still the one at the journal's path, so that no commit is lost with it.

What can happen to a file in use: it is moved or deleted; another takes its place; its write-ahead log is removed; a
backup is copied over it. SQLite goes on in each case, into a file that nobody will ever open again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import NamedTuple

from sprig_tui.errors import JournalLostError

CONTENT_CHECK_INTERVAL_S = 0.2
"""Seconds between two looks into the file itself, after its time of change was another."""
REPLACED_SUFFIX = ".replaced"
"""Ends the names of a log and its index whose file was replaced: the new file must not be opened with them."""

_CHECKED_TABLES = ("identity", "deliveries", "packs")
"""Those that a repair never makes anew."""

_log = logging.getLogger(__name__)

FileId = tuple[int, int]
"""Device and inode."""


class _FileContent(NamedTuple):
    """What the file says of itself without its log."""

    uuid: str
    roots: tuple[tuple[str, int], ...]
    """Where the tables begin; this never changes."""
    next_id: int
    """Grows alone."""


class FileCheck:
    """Compares what is at `path` with what was there when it was opened first; for several threads.

    Costs two calls of stat, some 3 µs.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal = path + "-wal"
        self._lock = threading.Lock()
        self._main_id: FileId | None = None
        self._wal_id: FileId | None = None
        self._content: _FileContent | None = None
        self._mtime_ns = 0
        """The file's time of change at the last look into it, ns."""
        self._unreadable_mtime_ns = 0
        """The same where that look could not read it; 0 where it could."""
        self._checked_at = float("-inf")
        self._is_overwritten = False
        self._problem = ""

    def before_opening(self) -> None:
        """Refuse to open another file than before. Raises JournalLostError."""
        if self._main_id is not None:
            self._raise_if_lost(self._main_problem())

    def after_opening(self, *, logged: bool = True) -> None:
        """Note which file a connection is on, or compare. `logged`: it has a write-ahead log. Raises JournalLostError.

        To be called after the first statement, which makes the log.
        """
        with self._lock:
            if self._main_id is None:
                self._main_id = _file_id(self._path)
                self._content = _read_content(self._path)
                self._mtime_ns = _mtime_ns(self._path)
            if logged and self._wal_id is None:
                self._wal_id = _file_id(self._wal)
        self.check()

    def check(self) -> None:
        """Raises JournalLostError where what is written now would not be found at the path."""
        self._raise_if_lost(self._main_problem() or self._wal_problem() or self._content_problem())

    def _raise_if_lost(self, trouble: str) -> None:
        if trouble != self._problem:
            self._problem = trouble
            if trouble:
                _log.error("%s", trouble)
            else:
                _log.warning("the journal %s is back", self._path)
        if trouble:
            raise JournalLostError(trouble)

    def _main_problem(self) -> str:
        found = _file_id(self._path)
        if found == self._main_id:
            return ""
        name = self._path
        if found is None:
            return (
                f"the journal {name} was moved or deleted while it was in use: nothing is stored or sent any more."
                f" Put it back together with its -wal file, or start sprig-tui again to begin a new one"
            )
        kept = self._rename_log_away()
        return (
            f"another file took the place of the journal {name} while it was in use: nothing is stored or sent any"
            f" more. Stop every sprig-tui that uses it and start it again: it then goes on with the new file{kept}"
        )

    def _wal_problem(self) -> str:
        if self._wal_id is None or _file_id(self._wal) == self._wal_id or self._restore_log():
            return ""
        return (
            f"{self._wal} was removed or replaced while the journal was in use: nothing is stored or sent"
            " any more, and what was stored last may be in no file. Stop every sprig-tui that uses it, run sprig-tui"
            " journal verify, and start it again"
        )

    def _content_problem(self) -> str:
        """Whether something else than SQLite wrote into the file."""
        changed_at = _mtime_ns(self._path)
        if self._content is not None and changed_at != self._mtime_ns:
            now = time.monotonic()
            if now - self._checked_at >= CONTENT_CHECK_INTERVAL_S:
                self._checked_at = now
                self._compare_content(self._content, changed_at)
        if not self._is_overwritten:
            return ""
        return (
            f"the journal {self._path} was overwritten while it was in use, perhaps by a backup: nothing is"
            " stored or sent any more. Stop every sprig-tui that uses it, restore the backup once more, remove the"
            " files of the same name that end in -wal and -shm, and start it again"
        )

    def _compare_content(self, before: _FileContent, changed_at: int) -> None:
        found = _read_content(self._path)
        if found is None:
            # a checkpoint that is being made looks like this too, but not for long
            self._is_overwritten = self._unreadable_mtime_ns == changed_at or _is_empty(self._path)
            self._unreadable_mtime_ns = changed_at
            return
        self._is_overwritten = (found.uuid, found.roots) != before[:2] or found.next_id < before.next_id
        self._unreadable_mtime_ns = 0
        if not self._is_overwritten:
            self._content, self._mtime_ns = found, changed_at

    def _rename_log_away(self) -> str:
        """Give our log another name where it still has the old one; says so."""
        if self._wal_id is not None and _file_id(self._wal) == self._wal_id:
            for ending in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.rename(self._path + ending, self._path + ending + REPLACED_SUFFIX)  # noqa: PTH104 - as above
        if _file_id(self._wal + REPLACED_SUFFIX) != self._wal_id:
            return ""
        return f"; what the old file lacks is in {self._wal + REPLACED_SUFFIX}"

    def _restore_log(self) -> bool:
        """Give our log its name again, once its file is back; False where it is not there."""
        if _file_id(self._wal) is not None or _file_id(self._wal + REPLACED_SUFFIX) != self._wal_id:
            return False
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.rename(self._path + ending + REPLACED_SUFFIX, self._path + ending)  # noqa: PTH104 - as above
        return _file_id(self._wal) == self._wal_id


def _file_id(path: str) -> FileId | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - half as slow; asked for at each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _mtime_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return 0


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0  # noqa: PTH116 - as above
    except OSError:
        return False


def _read_content(path: str) -> _FileContent | None:
    """Read past the log and without locks; None where that cannot be read (any more, or yet)."""
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            roots = connection.execute(
                f"SELECT name, rootpage FROM sqlite_master WHERE name IN ({','.join('?' * len(_CHECKED_TABLES))})"
                " AND type = 'table' ORDER BY name",
                _CHECKED_TABLES,
            ).fetchall()
            uuid = connection.execute("SELECT uuid FROM identity").fetchone()[0]
            next_id = connection.execute("SELECT next_id FROM sequence").fetchone()[0]
    except (sqlite3.Error, OSError, TypeError):
        return None
    return _FileContent(str(uuid), tuple(roots), int(next_id))
