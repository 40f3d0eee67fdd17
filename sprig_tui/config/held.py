"""Held config: notes in the state folder of processes that go on with the config from before, for others to show."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from sprig_tui.config.atomically import make_folder, write_atomically
from sprig_tui.config.paths import Paths
from sprig_tui.errors import ConfigError

HELD_FOLDER = "config-held"


class HeldConfigNote(Struct, frozen=True, kw_only=True):
    """One process, and why it does not use the config that is on disk."""

    pid: int
    why: str
    hint: str
    since: int
    """Wall time, milliseconds since 1970 UTC."""


def write_held_note(paths: Paths, reason: str, hint: str) -> None:
    """Tell others why this process goes on with the config from before; where that cannot be written, nobody hears."""
    held = HeldConfigNote(pid=os.getpid(), why=reason, hint=hint, since=time.time_ns() // 1_000_000)
    with suppress(ConfigError):
        make_folder(paths.state_dir / HELD_FOLDER)
        write_atomically(_note_file(paths, held.pid), msgspec.json.encode(held))


def remove_held_note(paths: Paths) -> None:
    """Take this process's note back."""
    with suppress(OSError):
        _note_file(paths, os.getpid()).unlink(missing_ok=True)


def read_held_notes(paths: Paths) -> tuple[HeldConfigNote, ...]:
    """The notes of all processes that live; those of others are swept away."""
    found = []
    for file in sorted((paths.state_dir / HELD_FOLDER).glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            held = msgspec.json.decode(file.read_bytes(), type=HeldConfigNote)
            if _process_exists(held.pid):
                found.append(held)
            else:
                file.unlink(missing_ok=True)
    return tuple(found)


def _note_file(paths: Paths, pid: int) -> Path:
    return paths.state_dir / HELD_FOLDER / f"{pid}.json"


def _process_exists(pid: int) -> bool:
    if os.name != "posix":
        return True  # there asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
