"""Files that are replaced whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sprig_tui.errors import ConfigError


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for its owner only; raises ConfigError."""
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{folder} is not a folder", hint="see sprig-tui paths") from error
    except OSError as error:
        raise ConfigError(
            f"cannot make the folder {folder}: {error.strerror}", hint="check the owner and mode of the one above it"
        ) from error


def write_atomically(target: Path, data: bytes) -> None:
    """Replace the file's content, mode 0600, so that a crash leaves the old or the new, whole; raises ConfigError."""
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
