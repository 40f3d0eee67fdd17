"""Verification of the file (SQLite's own check, then every payload's checksum and owner), and backup."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections import Counter
from pathlib import Path

from sprig_tui.errors import JournalCorruptError, JournalError, SprigTuiError
from sprig_tui.journal.forget_key import copy_key, key_file_beside
from sprig_tui.journal.maintenance import DAMAGED_COUNTS, DAMAGED_STATISTICS
from sprig_tui.journal.payload_codec import DAMAGED_ERROR
from sprig_tui.journal.sqlite.connection import open_existing
from sprig_tui.journal.sqlite.errors import file_error, is_damage
from sprig_tui.journal.sqlite.repair import damaged
from sprig_tui.journal.sqlite.statistics import wrong_blocks
from sprig_tui.journal.verify import MAX_PROBLEMS, VerifyReport, check_pack


def back_up(connection: sqlite3.Connection, target: Path) -> int:
    """Write a copy (mode 0600) that appears only when it is complete; returns its size in bytes.

    Does not block readers and writers. Raises SprigTuiError if the target exists or cannot be written,
    JournalCorruptError if the original is damaged.
    """
    if target.exists():
        raise SprigTuiError(f"{target} is there already", hint="name a file that is not there")
    making = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # answers are personal data: mode 0600 whatever the umask
        os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as copy:
            copy.execute("PRAGMA temp_store = MEMORY")
            connection.backup(copy)
            # one file, without a WAL beside it
            copy.execute("PRAGMA journal_mode = DELETE")
            _check_undamaged(copy, target)
        descriptor = os.open(making, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        target.hardlink_to(making)
        _copy_forget_key(connection, target)
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


def _copy_forget_key(connection: sqlite3.Connection, target: Path) -> None:
    """A backup needs the key of the list of forgotten persons beside it, as the journal does."""
    source = next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    copy_key(key_file_beside(source), key_file_beside(str(target)))


def _check_undamaged(copy: sqlite3.Connection, target: Path) -> None:
    result = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if result != "ok":
        raise JournalCorruptError(
            f"the journal is damaged, and so would be {target}: {result}",
            hint="sprig-tui journal salvage FILE NEW copies what can be read",
        )


CHECK_BUSY_TIMEOUT_S = 2.0
"""Seconds that a check waits for a lock of another process."""
_COUNTED_ROWS = 20_000
"""Deliveries counted by one statement, which sorts them in memory."""


def check_file(path: Path, seconds: float) -> VerifyReport:
    """SQLite's quick check of a closed journal file, read-only, for a limited time.

    Raises JournalError for a file that cannot be read.
    """
    deadline = time.monotonic() + seconds
    try:
        with contextlib.closing(open_existing(path, "ro", CHECK_BUSY_TIMEOUT_S)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            return VerifyReport(problems=tuple(_check_structure(connection, "quick_check(3)")))
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return VerifyReport(problems=(str(error),))
        if time.monotonic() > deadline:
            return VerifyReport(complete=False)
        raise JournalError(f"{path} cannot be read: {error}", hint="check its owner and mode") from error


def quick_check(connection: sqlite3.Connection, seconds: float) -> VerifyReport:
    """SQLite's quick check for a limited time, and the number of deliveries that failed because of damage."""
    deadline = time.monotonic() + seconds
    complete = True
    problems: list[str] = []
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        problems += _check_structure(connection, "quick_check(3)")
    except sqlite3.OperationalError:  # interrupted
        complete = False
    finally:
        connection.set_progress_handler(None, 0)
    try:
        failed = connection.execute(
            "SELECT count(*) FROM deliveries WHERE state = 2 AND state >= 2 AND error = ?", (DAMAGED_ERROR,)
        ).fetchone()[0]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        problems.append(f"deliveries cannot be read: {error}")
    else:
        if failed:
            problems.append(f"{failed:,} deliveries failed because their stored payload is damaged")
    return VerifyReport(problems=tuple(problems), complete=complete)


def verify(connection: sqlite3.Connection) -> VerifyReport:
    """Check everything."""
    problems = _check_structure(connection, f"integrity_check({MAX_PROBLEMS})")
    if problems:
        problems += _unreadable(connection)
    deliveries = packs = 0
    at = 0
    while len(problems) < MAX_PROBLEMS:
        try:
            row = connection.execute(
                "SELECT first, raws, bodies, (SELECT min(n.first) FROM packs n WHERE n.first > p.first) FROM packs p"
                " WHERE first > ? ORDER BY first LIMIT 1",
                (at,),
            ).fetchone()
        except sqlite3.DatabaseError as error:
            _raise_unless_damage(error)
            problems.append(f"the payloads from delivery {at + 1:,} on cannot be read: {error}")
            break
        if row is None:
            break
        packs += 1
        first, raws, bodies, after = row
        try:
            owners = {
                owner[0]: (owner[1], owner[2])
                for owner in connection.execute(
                    "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                    " WHERE d.id >= ? AND d.id < ?",
                    (first, after if after is not None else 1 << 62),
                )
            }
        except sqlite3.DatabaseError as error:
            _raise_unless_damage(error)
            problems.append(f"deliveries from {first:,} on cannot be read: {error}")
        else:
            deliveries += len(owners)
            problems += check_pack(first, raws, bodies, owners)
        at = first
    problems += _check_counts(connection) + _check_statistics(connection)
    return VerifyReport(deliveries=deliveries, packs=packs, problems=tuple(problems[:MAX_PROBLEMS]))


def _check_structure(connection: sqlite3.Connection, check: str) -> list[str]:
    try:
        messages = [str(row[0]) for row in connection.execute(f"PRAGMA {check}").fetchall()]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        messages = [str(error)]
    return [] if messages == ["ok"] else [" ".join(message.split()) for message in messages]


def _unreadable(connection: sqlite3.Connection) -> list[str]:
    try:
        return [f"{name} cannot be read; send, run and listen rebuild it" for name in damaged(connection)]
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        return [f"the list of the tables cannot be read: {error}"]


def _check_counts(connection: sqlite3.Connection) -> list[str]:
    """The problem, if the maintained counts differ from the rows."""
    try:
        kept = Counter({row[:2]: row[2] for row in connection.execute("SELECT environment, state, n FROM counts")})
        counted: Counter[tuple[int, int]] = Counter()
        newest = connection.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0]
        for low in range(1, newest + 1, _COUNTED_ROWS):
            for environment, state, number in connection.execute(
                "SELECT environment, state, count(*) FROM deliveries WHERE id BETWEEN ? AND ?"
                " GROUP BY environment, state",
                (low, low + _COUNTED_ROWS - 1),
            ):
                counted[environment, state] += number
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        return [f"the counts cannot be compared: {error}"]
    return [] if +kept == +counted else [DAMAGED_COUNTS]


def _check_statistics(connection: sqlite3.Connection) -> list[str]:
    try:
        return [DAMAGED_STATISTICS] if wrong_blocks(connection) else []
    except sqlite3.DatabaseError as error:
        _raise_unless_damage(error)
        return [f"the statistics cannot be compared: {error}"]


def _raise_unless_damage(error: sqlite3.DatabaseError) -> None:
    if not is_damage(error):
        raise error
