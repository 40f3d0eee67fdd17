"""Files dropped on the terminal: it pastes their paths as text, quoted in one of several ways."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

LONGEST = 16_384
"""Characters; a longer paste is something else."""


def dropped_paths(text: str) -> tuple[str, ...]:
    r"""The files or folders that a pasted text names, all of which are there; empty where it is anything else.

    Understood are the plain path, shell quoting (`'a b.json'`, `a\\ b.json`), `file://` URLs, and several of them by
    spaces or lines.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or "\0" in text:
        return ()
    for paths in _readings(text):
        if paths and all(_is_there(path) for path in paths):
            return tuple(paths)
    return ()


def _readings(text: str) -> Iterator[list[str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield [_path(line) for line in lines]
    try:
        yield [_path(word) for word in shlex.split(text)]
    except ValueError:
        return


def _path(text: str) -> str:
    if text.startswith("file://"):
        return unquote(urlsplit(text).path)
    return str(Path(text).expanduser()) if text.startswith("~/") else text


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
