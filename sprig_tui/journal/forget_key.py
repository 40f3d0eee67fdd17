"""Forget key: the secret with which the identifiers of forgotten persons are hashed.

It is a file of mode 0600: beside the file of a journal on SQLite, and in the state folder for one on PostgreSQL, on
each machine that uses it. Without it the journal cannot tell whose answers it must not take in, and takes in none.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from sprig_tui.errors import JournalError
from sprig_tui.files import make_folder, write_atomically

KEY_SUFFIX = "-forget.key"
_KEY_BYTES = 32
_CHECK_BYTES = 8


class ForgetKeyError(JournalError):
    """The key of a journal with forgotten persons is missing, or is another one."""


def key_file_beside(journal_file: str) -> Path:
    """The key's file for a journal on SQLite."""
    return Path(journal_file + KEY_SUFFIX)


def key_file_in(folder: Path, uuid: str) -> Path:
    """The key's file for a journal on PostgreSQL with this identity."""
    return folder / f"journal-{uuid[:12]}{KEY_SUFFIX}"


def key_check(key: bytes) -> bytes:
    """What the journal stores to recognise the key."""
    return hashlib.blake2b(b"sprig-tui forget", key=key, digest_size=_CHECK_BYTES).digest()


def read_key(file: Path) -> bytes:
    """The key; empty for none. Raises ForgetKeyError for a file that cannot be read."""
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ForgetKeyError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    return key if len(key) == _KEY_BYTES else b""


def checked_key(file: Path, check: bytes) -> bytes:
    """The key that a journal with this check needs. Raises ForgetKeyError."""
    key = read_key(file)
    if not key or key_check(key) != check:
        what = "is missing" if not key else "is that of another journal"
        raise ForgetKeyError(
            f"persons were forgotten in this journal, and the key that recognises them {what}: {file}",
            hint="copy it from a machine that has it; sprig-tui forget --undo-all takes everybody's answers again",
        )
    return key


def make_key(file: Path, check: bytes) -> bytes:
    """The key, made if the journal has none so far (an empty check). Raises ForgetKeyError and ConfigError."""
    if check:
        return checked_key(file, check)
    key = read_key(file)
    if not key:
        make_folder(file.parent)
        key = secrets.token_bytes(_KEY_BYTES)
        write_atomically(file, key)
    with suppress(OSError):
        os.chmod(file, 0o600)  # noqa: PTH101 - it may have been copied with another mode
    return key


def copy_key(source: Path, target: Path) -> bool:
    """Give a copy of a journal the same key; returns whether there is one. Raises ForgetKeyError and ConfigError."""
    key = read_key(source)
    if not key:
        return False
    present = read_key(target)
    if present and present != key:
        raise ForgetKeyError(f"{target} is the key of another journal", hint="move it away, then copy again")
    if not present:
        make_folder(target.parent)
        write_atomically(target, key)
    return True
