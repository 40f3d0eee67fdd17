"""Files and folders: atomic writes with mode 0600, and locks between processes."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
