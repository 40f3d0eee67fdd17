"""Pasted text that is no file: what it looks like, and where it belongs. Nothing of it is repeated but a path."""

from __future__ import annotations

import re
from pathlib import Path

from sprig_tui.sprig.reading import INPUT_SUFFIXES
from sprig_tui.text import printable

MAX_PATH_CHARS = 4_096
"""Characters."""
MAX_KEY_CHARS = 200
"""Characters of what is taken for a key; write keys have 32, keys of Sprig's API and tokens fewer than 100."""
MIN_DIFFERENT_CHARS = 8
"""Different characters that a key has at least."""
_SECRET = re.compile(r"[A-Za-z0-9_\-.+/=]{16,}")
_PATH = re.compile(r"(?:file://|[~.]{0,2}/|[A-Za-z]:\\)")


def paste_advice(text: str) -> str:
    """A sentence about a text that was pasted where no text is typed, and that names no file."""
    text = text.strip()
    if not text:
        return "the paste is empty"
    if text[0] in "{[":
        return "pasted JSON is not read: save it as a file, and open that with o"
    words = [line.strip().strip("'\"") for line in text.splitlines() if line.strip()]
    if len(text) <= MAX_PATH_CHARS and all(_is_path(word) for word in words):
        return _missing_file_text(words)
    # a key may come broken over two lines
    if len(words) <= 2 and _is_secret("".join(words)):
        return "that looks like a key: a asks for the write key of the selected environment, u for Sprig's API key"
    return "a pasted text goes into a field: o opens a file, / filters the deliveries, a takes a write key"


def _is_secret(text: str) -> bool:
    return len(text) <= MAX_KEY_CHARS and len(set(text)) >= MIN_DIFFERENT_CHARS and bool(_SECRET.fullmatch(text))


def _is_path(word: str) -> bool:
    return bool(_PATH.match(word)) or Path(word.lower().removesuffix(".gz")).suffix in INPUT_SUFFIXES


def _missing_file_text(words: list[str]) -> str:
    """Which file is not there, and what of its path is."""
    for word in words:
        try:
            path = Path(word.removeprefix("file://")).expanduser().absolute()
            if path.exists():
                continue
            there = path.parent
            while not there.is_dir() and there != there.parent:
                there = there.parent
        except (OSError, RuntimeError, ValueError):  # no such home folder; a name that no file can have
            return f"{printable(word, limit=200)} cannot be a path"
        said, folder = printable(word, limit=200), printable(str(there), limit=200)
        return f"there is no {said}\nthe folder {folder} is there: o opens it"
    return "one of these cannot be opened: o opens them one by one"
