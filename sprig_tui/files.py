"""Files and folders: atomic writes with mode 0600, locks between processes, and files that must not be closed."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from weakref import WeakSet

from sprig_tui.errors import ConfigError


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, mode 0700; raises ConfigError."""
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{folder} is not a folder", hint="see sprig-tui paths") from error
    except OSError as error:
        raise ConfigError(
            f"cannot make the folder {folder}: {error.strerror}", hint="check the owner and mode of the one above it"
        ) from error


def write_atomically(target: Path, data: bytes) -> None:
    """Replace the file, mode 0600; a crash leaves the old or the new content, whole. Raises ConfigError."""
    import tempfile  # imported late: it loads all compressions, and the mapping process writes no file

    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise ConfigError(
            f"cannot write {target}: {error.strerror}", hint="the old content is still there; check space and owner"
        ) from error


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DatabaseInUse:
    """A database that this process has open while the object lives, with the files that SQLite keeps beside it."""

    def __init__(self, path: str) -> None:
        self._paths = (path, f"{path}-wal", f"{path}-shm")
        _in_use.add(self)

    def has(self, file: str | Path) -> bool:
        """Whether it is one of these files, by whatever name."""
        with suppress(OSError):
            status = Path(file).stat()
            for path in self._paths:
                with suppress(OSError):
                    if os.path.samestat(status, Path(path).stat()):
                        return True
        return False


_in_use: WeakSet[DatabaseInUse] = WeakSet()


def open_input(file: str | Path) -> FileIO:
    """Open a file that a person named, to read it. Raises OSError, also for a database that this process has open.

    A process that closes any descriptor of a file loses all its locks on it. Another process that closes the database
    would then take itself for the last one, and delete the write-ahead log.
    """
    if any(database.has(file) for database in tuple(_in_use)):
        raise OSError(errno.EBUSY, "it is the journal, which is in use")
    return FileIO(file)


def reading_hint(error: OSError) -> str:
    """What to do about a file that `open_input` did not open."""
    return "sprig-tui log --json reads the journal" if error.errno == errno.EBUSY else "check the file's rights"


LOCK_TIMEOUT_S = 10.0
"""Wait for another process; a change takes milliseconds."""

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(
    file: Path,
    timeout_s: float = LOCK_TIMEOUT_S,
    *,
    busy_message: str = "",
    hint: str = "nothing was changed; try again in a moment",
) -> Iterator[None]:
    """Lock a file beside `file`; raises ConfigError (`busy_message`) if another process holds the lock too long.

    The lock file stays. If it were removed, two processes could lock two different files of the same name.
    """
    place = file.with_name(f".{file.name}.lock")
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot write in {file.parent}: {error.strerror}", hint="nothing was changed; check its owner and mode"
        ) from error
    try:
        try:
            _acquire_lock(descriptor, time.monotonic() + timeout_s)
        except TimeoutError as error:
            raise ConfigError(busy_message or f"another process is changing {file}", hint=hint) from error
        yield
    finally:
        os.close(descriptor)  # this releases the lock


def _acquire_lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            _try_lock(descriptor)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError from error
            time.sleep(0.02)
        else:
            return
