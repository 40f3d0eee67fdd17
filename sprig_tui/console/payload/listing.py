"""What a folder holds that can be opened, and how a typed path goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from sprig_tui.sprig.reading import INPUT_SUFFIXES

MAX_ENTRIES = 5_000
"""Entries listed of one folder; typing narrows down what comes after."""


class FolderEntry(NamedTuple):
    """One line of the list."""

    name: str
    path: str
    is_folder: bool
    size: int = 0
    """Bytes of a file; of the whole folder's data files, their number."""
    whole: bool = False
    """The folder itself: all of its data files at once."""


class FolderListing(NamedTuple):
    """A folder's entries: itself, its folders, its data files."""

    folder: str
    items: tuple[FolderEntry, ...]
    fault: str = ""
    more: int = 0
    """Entries that are not listed."""


def list_folder(folder: str, start: str = "") -> FolderListing:
    """The folders and data files in a folder whose names begin with `start`; hidden ones only if that asks for them."""
    folders: list[FolderEntry] = []
    files: list[FolderEntry] = []
    shown = start.lower()
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if not entry.name.lower().startswith(shown) or (entry.name.startswith(".") and not start):
                    continue
                item = _folder_entry(entry)
                if item is not None:
                    (folders if item.is_folder else files).append(item)
    except OSError as error:
        return FolderListing(folder, (), f"cannot list {folder}: {error.strerror}")
    items = [*sorted(folders, key=_sort_key), *sorted(files, key=_sort_key)]
    if len(files) > 1 and not start:
        items.insert(
            0, FolderEntry("all files in this folder", folder or ".", is_folder=True, size=len(files), whole=True)
        )
    return FolderListing(folder, tuple(items[:MAX_ENTRIES]), more=max(0, len(items) - MAX_ENTRIES))


def is_data(name: str) -> bool:
    """Whether a file of this name is taken from a folder."""
    return Path(name.lower().removesuffix(".gz")).suffix in INPUT_SUFFIXES


def split_typed(typed: str) -> tuple[str, str]:
    """A typed path as (folder, start of a name)."""
    folder, start = os.path.split(os.path.expanduser(typed))  # noqa: PTH111 - Path drops the slash at the end
    return folder, start


def complete_path(typed: str, listing: FolderListing) -> str:
    """The typed path, longer by all that the names it may mean have in common; a folder that is sure gets its slash."""
    folder, start = split_typed(typed)
    names = [item.name for item in listing.items if not item.whole]
    if not names:
        return typed
    completed = names[0][: max(_common_prefix_length(names), len(start))] if len(names) > 1 else names[0]
    sole = listing.items[0] if len(listing.items) == 1 else None
    slash = os.sep if sole is not None and sole.is_folder else ""
    return os.path.join(folder, completed) + slash  # noqa: PTH118 - a path as the person types it


def size_text(size: int) -> str:
    """Bytes for people, such as `1.2 MB`."""
    amount = float(size)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return ""


def _common_prefix_length(names: list[str]) -> int:
    """Characters that all names begin with, whichever their case."""
    least, most = min(map(str.lower, names)), max(map(str.lower, names))
    return next((at for at, (one, other) in enumerate(zip(least, most, strict=False)) if one != other), len(least))


def _folder_entry(entry: os.DirEntry[str]) -> FolderEntry | None:
    try:
        if entry.is_dir():
            return FolderEntry(entry.name, entry.path, is_folder=True)
        if entry.is_file() and is_data(entry.name):
            return FolderEntry(entry.name, entry.path, is_folder=False, size=entry.stat().st_size)
    except OSError:
        # Gone, or a link to nowhere: nothing that could be opened.
        return None
    return None


def _sort_key(item: FolderEntry) -> str:
    return item.name.lower()
