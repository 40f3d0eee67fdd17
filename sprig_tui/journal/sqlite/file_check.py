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

LOOK_EVERY_S = 0.2
"""Seconds between two looks into the file itself, after its time of change was another."""
SET_ASIDE = ".replaced"
"""Ends the names of a log and its index whose file was replaced: the new file must not be opened with them."""

_TABLES = ("identity", "deliveries", "packs")
"""Those that a repair never makes anew."""

_log = logging.getLogger(__name__)

Identity = tuple[int, int]
"""Device and inode."""


class _Content(NamedTuple):
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
        self._main_id: Identity | None = None
        self._wal_id: Identity | None = None
        self._content: _Content | None = None
        self._changed_at = 0
        """The file's time of change at the last look into it, ns."""
        self._unreadable_at = 0
        """The same where that look could not read it; 0 where it could."""
        self._looked_at = float("-inf")
        self._overwritten = False
        self._trouble = ""

    def before_opening(self) -> None:
        """Refuse to open another file than before. Raises JournalLostError."""
        if self._main_id is not None:
            self._tell(self._main())

    def opened(self, *, logged: bool = True) -> None:
        """Note which file a connection is on, or compare. `logged`: it has a write-ahead log. Raises JournalLostError.

        To be called after the first statement, which makes the log.
        """
        with self._lock:
            if self._main_id is None:
                self._main_id = _identity(self._path)
                self._content = _content(self._path)
                self._changed_at = _changed_at(self._path)
            if logged and self._wal_id is None:
                self._wal_id = _identity(self._wal)
        self.check()

    def check(self) -> None:
        """Raises JournalLostError where what is written now would not be found at the path."""
        self._tell(self._main() or self._log() or self._inside())

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                _log.error("%s", trouble)
            else:
                _log.warning("the journal %s is back", self._path)
        if trouble:
            raise JournalLostError(trouble)

    def _main(self) -> str:
        found = _identity(self._path)
        if found == self._main_id:
            return ""
        name = self._path
        if found is None:
            return (
                f"the journal {name} was moved or deleted while it was in use: nothing is stored or sent any more."
                f" Put it back together with its -wal file, or start sprig-tui again to begin a new one"
            )
        kept = self._set_aside()
        return (
            f"another file took the place of the journal {name} while it was in use: nothing is stored or sent any"
            f" more. Stop every sprig-tui that uses it and start it again: it then goes on with the new file{kept}"
        )

    def _log(self) -> str:
        if self._wal_id is None or _identity(self._wal) == self._wal_id or self._put_back():
            return ""
        return (
            f"{self._wal} was removed or replaced while the journal was in use: nothing is stored or sent"
            " any more, and what was stored last may be in no file. Stop every sprig-tui that uses it, run sprig-tui"
            " journal verify, and start it again"
        )

    def _inside(self) -> str:
        """Whether something else than SQLite wrote into the file."""
        changed_at = _changed_at(self._path)
        if self._content is not None and changed_at != self._changed_at:
            now = time.monotonic()
            if now - self._looked_at >= LOOK_EVERY_S:
                self._looked_at = now
                self._look(self._content, changed_at)
        if not self._overwritten:
            return ""
        return (
            f"the journal {self._path} was overwritten while it was in use, perhaps by a backup: nothing is"
            " stored or sent any more. Stop every sprig-tui that uses it, restore the backup once more, remove the"
            " files of the same name that end in -wal and -shm, and start it again"
        )

    def _look(self, before: _Content, changed_at: int) -> None:
        found = _content(self._path)
        if found is None:
            # a checkpoint that is being made looks like this too, but not for long
            self._overwritten = self._unreadable_at == changed_at or _is_empty(self._path)
            self._unreadable_at = changed_at
            return
        self._overwritten = (found.uuid, found.roots) != before[:2] or found.next_id < before.next_id
        self._unreadable_at = 0
        if not self._overwritten:
            self._content, self._changed_at = found, changed_at

    def _set_aside(self) -> str:
        """Give our log another name where it still has the old one; says so."""
        if self._wal_id is not None and _identity(self._wal) == self._wal_id:
            for ending in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.rename(self._path + ending, self._path + ending + SET_ASIDE)  # noqa: PTH104 - as above
        if _identity(self._wal + SET_ASIDE) != self._wal_id:
            return ""
        return f"; what the old file lacks is in {self._wal + SET_ASIDE}"

    def _put_back(self) -> bool:
        """Give our log its name again, once its file is back; False where it is not there."""
        if _identity(self._wal) is not None or _identity(self._wal + SET_ASIDE) != self._wal_id:
            return False
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.rename(self._path + ending + SET_ASIDE, self._path + ending)  # noqa: PTH104 - as above
        return _identity(self._wal) == self._wal_id


def _identity(path: str) -> Identity | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - half as slow; asked for at each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return 0


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0  # noqa: PTH116 - as above
    except OSError:
        return False


def _content(path: str) -> _Content | None:
    """Read past the log and without locks; None where that cannot be read (any more, or yet)."""
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            roots = connection.execute(
                f"SELECT name, rootpage FROM sqlite_master WHERE name IN ({','.join('?' * len(_TABLES))})"
                " AND type = 'table' ORDER BY name",
                _TABLES,
            ).fetchall()
            uuid = connection.execute("SELECT uuid FROM identity").fetchone()[0]
            next_id = connection.execute("SELECT next_id FROM sequence").fetchone()[0]
    except (sqlite3.Error, OSError, TypeError):
        return None
    return _Content(str(uuid), tuple(roots), int(next_id))
