"""Capture folders: where `listen --capture` wrote raw requests, remembered so that they are searched for persons."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from sprig_tui.files import make_folder, write_atomically

_FILE = "captures.json"
MAX_FOLDERS = 100


def remember_capture_folder(state_dir: Path, folder: Path) -> None:
    """Remember a folder. Raises ConfigError."""
    path = str(folder.absolute())
    known = [one for one in _read(state_dir) if one != path]
    make_folder(state_dir)
    write_atomically(state_dir / _FILE, json.dumps([*known, path][-MAX_FOLDERS:]).encode())


def capture_folders(state_dir: Path) -> tuple[Path, ...]:
    """The folders that are still there."""
    return tuple(folder for path in _read(state_dir) if (folder := Path(path)).is_dir())


def _read(state_dir: Path) -> list[str]:
    with suppress(OSError, ValueError):
        stored = json.loads((state_dir / _FILE).read_bytes())
        if isinstance(stored, list):
            return [one for one in stored if isinstance(one, str) and "\0" not in one]
    return []
