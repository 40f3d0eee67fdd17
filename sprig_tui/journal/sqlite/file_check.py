"""File check: whether the open file is still the one at the journal's path, so that no commit is lost.

A file in use may be moved, deleted or replaced, its write-ahead log removed, or a backup copied over it. In each case
SQLite continues to write, to a file that no process will open again.
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
from sprig_tui.files import DatabaseInUse

MAX_CHECKPOINT_WAIT_S = 120.0
"""Time for which the disk may halt a checkpoint."""
CONTENT_CHECK_INTERVAL_S = 0.2
"""Seconds between two reads of the file's content, after its mtime has changed."""
REPLACED_SUFFIX = ".replaced"
"""Suffix of a WAL and its index whose file was replaced: the new file must not be opened with them."""

_CHECKED_TABLES = ("identity", "deliveries", "packs")
"""Tables that a repair never rebuilds."""

_log = logging.getLogger(__name__)

FileId = tuple[int, int]
"""Device and inode."""


class _FileContent(NamedTuple):
    """Content of the file without its WAL."""

    uuid: str
    roots: tuple[tuple[str, int], ...]
    """Root pages of the tables; they change only when the file is rewritten to scrub it."""
    announced: str
    """The roots as they are after such a rewriting, as the file announced them before it."""
    next_id: int
    """Never decreases."""


class FileCheck:
    """Compares the file at `path` with the one that was opened first; thread-safe.

    A check costs two calls of stat, some 3 µs.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal = path + "-wal"
        self._in_use = DatabaseInUse(path)
        self._lock = threading.Lock()
        self._main_id: FileId | None = None
        self._wal_id: FileId | None = None
        self._content: _FileContent | None = None
        self._mtime_ns = 0
        """The file's mtime at the last read of its content, ns."""
        self._unreadable_mtime_ns = 0
        """The same if the content was unreadable then; otherwise 0."""
        self._unreadable_at = 0.0
        """When it was found so at first."""
        self._checked_at = float("-inf")
        self._is_overwritten = False
        self._problem = ""

    def before_opening(self) -> None:
        """Refuse to open another file than before, or other content. Raises JournalLostError."""
        if self._main_id is not None:
            self._raise_if_lost(self._main_problem() or self._content_problem())

    def after_opening(self, *, logged: bool = True) -> None:
        """Remember the file of a connection, or compare it. `logged`: it has a WAL. Raises JournalLostError.

        To be called after the first statement, which creates the WAL.
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
        """Raise JournalLostError if a write would go to another file than the one at the path."""
        self._raise_if_lost(self._main_problem() or self._wal_problem() or self._content_problem())

    def _raise_if_lost(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                _log.error("%s", problem)
            else:
                _log.warning("the journal %s is back", self._path)
        if problem:
            raise JournalLostError(problem)

    def _main_problem(self) -> str:
        file_id = _file_id(self._path)
        if file_id == self._main_id:
            return ""
        name = self._path
        if file_id is None:
            return (
                f"the journal {name} was moved or deleted while it was in use: nothing is stored or sent any more."
                f" Put it back together with its -wal file, or start sprig-tui again to begin a new one"
            )
        kept = self._rename_log_away()
        return (
            f"another file took the place of the journal {name} while it was in use: nothing is stored or sent any"
            f" more. Stop every sprig-tui that uses it and start it again: it then uses the new file{kept}"
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
        """The problem, if another program than SQLite has written to the file."""
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
        content = _read_content(self._path)
        if content is None:
            # so is the file during a checkpoint, but not for long; only a file that can be read is back
            if self._unreadable_mtime_ns != changed_at:
                self._unreadable_at = time.monotonic()
                self._is_overwritten = self._is_overwritten or _is_empty(self._path)
            elif not _is_half_checkpointed(self._path, self._wal) or self._has_waited_long():
                self._is_overwritten = True
            self._unreadable_mtime_ns = changed_at
            return
        moved = content.roots != before.roots and roots_text(content.roots) != content.announced
        self._is_overwritten = content.uuid != before.uuid or moved or content.next_id < before.next_id
        self._unreadable_mtime_ns = 0
        if not self._is_overwritten:
            self._content, self._mtime_ns = content, changed_at

    def _has_waited_long(self) -> bool:
        return time.monotonic() - self._unreadable_at >= MAX_CHECKPOINT_WAIT_S

    def _rename_log_away(self) -> str:
        """Rename the WAL of the replaced file, if it is still there; returns a text that says so."""
        if self._wal_id is not None and _file_id(self._wal) == self._wal_id:
            for ending in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.rename(self._path + ending, self._path + ending + REPLACED_SUFFIX)  # noqa: PTH104 - as above
        if _file_id(self._wal + REPLACED_SUFFIX) != self._wal_id:
            return ""
        return f"; what the old file lacks is in {self._wal + REPLACED_SUFFIX}"

    def _restore_log(self) -> bool:
        """Rename the WAL back, once its file is back; False if it is missing."""
        if _file_id(self._wal) is not None or _file_id(self._wal + REPLACED_SUFFIX) != self._wal_id:
            return False
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.rename(self._path + ending + REPLACED_SUFFIX, self._path + ending)  # noqa: PTH104 - as above
        return _file_id(self._wal) == self._wal_id


def _file_id(path: str) -> FileId | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat; called at each commit
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


def _is_half_checkpointed(path: str, wal: str) -> bool:
    """Whether the file lacks pages at its end that its log may have.

    A checkpoint writes the number of pages first and the last pages at its end; a busy disk can halt it in between.
    """
    try:
        header = read_file(path, 32, 0)
        size, logged = os.stat(path).st_size, os.stat(wal).st_size  # noqa: PTH116 - as above
    except OSError:
        return False
    page = int.from_bytes(header[16:18], "big")
    return header.startswith(b"SQLite format 3\0") and logged > 0 and size < int.from_bytes(header[28:32], "big") * page


_descriptors: dict[FileId, int] = {}
"""Open descriptors of files, by which their bytes are read, and which are never closed.

A process that closes any descriptor of a file loses its locks on it, those of SQLite too. Then another process takes
itself for the last one, and deletes the WAL.
"""


def read_file(path: str, size: int, offset: int) -> bytes:
    """Bytes of the file, without its WAL and without locks. Raises OSError."""
    descriptor = _descriptors.get(_file_id(path) or (0, 0))
    if descriptor is None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        _descriptors[status.st_dev, status.st_ino] = descriptor
    return os.pread(descriptor, size, offset)


def _read_content(path: str) -> _FileContent | None:
    """Read without the WAL and without locks; None if unreadable."""
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            roots = read_roots(connection)
            try:
                announced = connection.execute("SELECT roots FROM forget_state").fetchone()[0]
            except sqlite3.OperationalError:
                announced = ""  # an older file
            uuid = connection.execute("SELECT uuid FROM identity").fetchone()[0]
            next_id = connection.execute("SELECT next_id FROM sequence").fetchone()[0]
    except (sqlite3.Error, OSError, TypeError):
        return None
    return _FileContent(str(uuid), roots, announced, int(next_id))


def read_roots(connection: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    """Root pages of the tables that are compared."""
    return tuple(
        connection.execute(
            f"SELECT name, rootpage FROM sqlite_master WHERE name IN ({','.join('?' * len(_CHECKED_TABLES))})"
            " AND type = 'table' ORDER BY name",
            _CHECKED_TABLES,
        ).fetchall()
    )


def roots_text(roots: tuple[tuple[str, int], ...]) -> str:
    """Root pages as the file announces them."""
    return " ".join(f"{name}={page}" for name, page in roots)
