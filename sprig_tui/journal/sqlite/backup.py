"""Backup of the file while it is in use: one moment of it, whole, with its log worked in."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from sprig_tui.errors import JournalCorruptError, JournalError, SprigTuiError
from sprig_tui.journal.sqlite.faults import file_error


def back_up(connection: sqlite3.Connection, target: Path) -> int:
    """Write a copy that appears whole or not at all, for its owner alone; returns its size in bytes.

    Readers and writers of the original go on meanwhile. Raises SprigTuiError where the target is there already or
    cannot be written, JournalCorruptError where the original is damaged.
    """
    if target.exists():
        raise SprigTuiError(f"{target} is there already", hint="name a file that is not there")
    making = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # answers are personal data: nobody else's business, whatever the umask
        os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as copy:
            copy.execute("PRAGMA temp_store = MEMORY")
            connection.backup(copy)
            # a file by itself, without a log that would have to go with it
            copy.execute("PRAGMA journal_mode = DELETE")
            _check_undamaged(copy, target)
        descriptor = os.open(making, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        target.hardlink_to(making)
        return target.stat().st_size
    except FileExistsError as error:
        raise SprigTuiError(f"{target} is there already", hint="name a file that is not there") from error
    except OSError as error:
        raise JournalError(
            f"cannot write {target}: {error.strerror}", hint=file_error(error, str(target)).hint
        ) from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                making.with_name(making.name + ending).unlink()


def _check_undamaged(copy: sqlite3.Connection, target: Path) -> None:
    found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalCorruptError(
            f"the journal is damaged, and so would be {target}: {found}",
            hint="sprig-tui journal salvage FILE NEW brings over what can be read",
        )
