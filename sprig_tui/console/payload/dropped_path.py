"""Files dropped on the terminal: it pastes their paths as text, quoted in one of several ways."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

_NEW_PATH = re.compile(r"""/(?=(["']?(?:/|~|file://)))""")
"""Where a whole path begins behind another."""
_ABSOLUTE_PATH = re.compile(r"""["']?(?:/|~|file://)""")

MAX_DROP_CHARS = 16_384
"""Characters; a longer paste is something else."""


def dropped_paths(text: str) -> tuple[str, ...]:
    r"""The files or folders that a pasted text names, all of which are there; empty where it is anything else.

    Understood are the plain path, shell quoting (`'a b.json'`, `a\\ b.json`), `file://` URLs, and several of them by
    spaces or lines.
    """
    text = text.strip()
    if not text or len(text) > MAX_DROP_CHARS or "\0" in text:
        return ()
    readings = [paths for paths in _candidate_paths(text) if paths]
    for paths in readings:
        if all(_path_exists(path) for path in paths):
            return tuple(paths)
    for paths in readings:
        # Some of several may be gone: whoever opens them says so.
        if (
            len(paths) > 1
            and all(Path(path).is_absolute() for path in paths)
            and any(_path_exists(path) for path in paths)
        ):
            return tuple(paths)
    return ()


def intended_path(typed: str) -> str:
    """The path that is meant where one was put behind another: `/home/mira//tmp/a.jsonl` is `/tmp/a.jsonl`.

    What is typed counts where it is there. Quotes, escaped spaces, `~` and `file://` are read as in `dropped_paths`.
    """
    if _path_exists(_expand_home(typed)):
        return typed
    starts = [found.end() for found in _NEW_PATH.finditer(typed)]
    tails = [typed[at:] for at in (0, *starts)]
    for tail in tails:
        if paths := dropped_paths(tail):
            return paths[0] if len(paths) == 1 else typed
    return tails[-1] if starts else typed


def looks_like_path(text: str) -> bool:
    """Whether a pasted text begins like a whole path, so that it is meant instead of what stands there."""
    return _ABSOLUTE_PATH.match(text.strip()) is not None and "\n" not in text.strip()


def _candidate_paths(text: str) -> Iterator[list[str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield [_path(line) for line in lines]
    try:
        yield [_path(word) for word in shlex.split(text)]
    except ValueError:
        return


def _path(text: str) -> str:
    if text.startswith("file://"):
        try:
            return unquote(urlsplit(text).path)
        except ValueError:  # brackets in the place of a host
            return text
    return _expand_home(text)


def _expand_home(text: str) -> str:
    """With the home folder for `~`; as it is where that is not known."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        return text


def _path_exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
