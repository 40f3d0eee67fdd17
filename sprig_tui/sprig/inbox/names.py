"""Which files in a watched folder are answers to read, which are still being written, and which are none of ours."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from sprig_tui.sprig.reading import INPUT_SUFFIXES

PARTIAL_SUFFIXES = (
    ".part",
    ".partial",
    ".tmp",
    ".temp",
    ".crdownload",
    ".download",
    ".filepart",
    ".opdownload",
    ".swp",
    "~",
)
"""Endings under which browsers, downloaders and editors write before they rename: nothing to read, and no mistake."""

FileKind = Literal["answers", "partial", "hidden", "other"]


def classify_name(name: str) -> FileKind:
    """What a file is by its last name: only `answers` are read, and only `other` is worth a word to a person."""
    if name.startswith("."):
        return "hidden"
    low = name.lower()
    if low.endswith(PARTIAL_SUFFIXES):
        return "partial"
    return "answers" if PurePath(low.removesuffix(".gz")).suffix in INPUT_SUFFIXES else "other"
