"""File picker: a path with completion, and a list of the folder's data files."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import unquote, urlsplit

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sprig_tui.console.widgets.dialogs import hint, plain_content
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.formatting import size_text
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.reader import INPUT_SUFFIXES
from sprig_tui.text import one_line

_NEW_PATH = re.compile(r"""/(?=(["']?(?:/|~|file://)))""")
"""Start of a whole path that was typed or pasted after another."""
_ABSOLUTE_PATH = re.compile(r"""["']?(?:/|~|file://)""")

MAX_DROP_CHARS = 16_384
"""A longer paste is no list of paths."""


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
    """Whether a pasted text begins like a whole path, and so replaces the text in the field."""
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
    """The path with `~` expanded; unchanged where the home folder is unknown."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        return text


def _path_exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


MAX_ENTRIES = 5_000
"""Entries listed of one folder; typing narrows them down."""


class FolderEntry(NamedTuple):
    """An entry of a folder."""

    name: str
    path: str
    is_folder: bool
    size: int = 0
    """Bytes of a file; for the folder itself, the number of its data files."""
    whole: bool = False
    """Whether this is the folder itself: all of its data files at once."""


class FolderListing(NamedTuple):
    """Entries of a folder: the folder itself, its folders, its data files."""

    folder: str
    items: tuple[FolderEntry, ...]
    fault: str = ""
    more: int = 0
    """Number of entries that are not listed."""


def list_folder(folder: str, start: str = "") -> FolderListing:
    """The folders and data files in a folder whose names begin with `start`; hidden ones only if `start` is hidden."""
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
    """Whether a file of this name counts as a data file."""
    return Path(name.lower().removesuffix(".gz")).suffix in INPUT_SUFFIXES


def split_typed(typed: str) -> tuple[str, str]:
    """Split a typed path into folder and start of a name."""
    folder, start = os.path.split(os.path.expanduser(typed))  # noqa: PTH111 - Path drops the slash at the end
    return folder, start


def complete_path(typed: str, listing: FolderListing) -> str:
    """The typed path completed by the common start of all matching names; the only matching folder gets a slash."""
    folder, start = split_typed(typed)
    names = [item.name for item in listing.items if not item.whole]
    if not names:
        return typed
    completed = names[0][: max(_common_prefix_length(names), len(start))] if len(names) > 1 else names[0]
    sole = listing.items[0] if len(listing.items) == 1 else None
    slash = os.sep if sole is not None and sole.is_folder else ""
    return os.path.join(folder, completed) + slash  # noqa: PTH118 - a path as the person types it


def _common_prefix_length(names: list[str]) -> int:
    """Length of the common start of all names, ignoring case."""
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


_SIZE_CELLS = 12


class FolderLines(LineList):
    """List of the entries of a folder."""

    def __init__(self) -> None:
        super().__init__(id="picker-list")
        self.items: tuple[FolderEntry, ...] = ()

    def show(self, listing: FolderListing) -> None:
        """Show a folder from its first entry."""
        self.items = listing.items
        self.resize(len(self.items))
        self.cursor = 0
        self.scroll_to(0, 0, animate=False)
        self.invalidate()

    def on_resize(self) -> None:
        """The names get what the sizes leave of the width."""
        self.invalidate()

    def line(self, index: int) -> Line | None:
        if index >= len(self.items):
            return None
        item = self.items[index]
        room = max(self.scrollable_content_region.width - _SIZE_CELLS - 1, 8)
        if item.whole:
            return [TextSpan(item.name, "accent", room), TextSpan(f"{item.size:,} files".rjust(_SIZE_CELLS), "muted")]
        name = one_line(item.name, limit=4 * room)
        if item.is_folder:
            return [TextSpan(f"{name}{os.sep}", "strong", room), TextSpan(" " * _SIZE_CELLS)]
        return [TextSpan(name, "", room), TextSpan(size_text(item.size).rjust(_SIZE_CELLS), "muted")]


class PathInput(Input):
    """Path field; a whole path that is pasted replaces its text."""

    class Dropped(Message):
        """Several paths were pasted."""

        def __init__(self, paths: tuple[str, ...]) -> None:
            super().__init__()
            self.paths = paths

    def on_paste(self, event: events.Paste) -> None:
        """Replace or insert a pasted path; see `dropped_paths` for the notations of terminals."""
        paths = dropped_paths(event.text)
        if not (paths or looks_like_path(event.text)):
            return
        event.stop()
        event.prevent_default()
        if len(paths) > 1:
            self.post_message(self.Dropped(paths))
        else:
            self.value = paths[0] if paths else event.text.strip()
            self.cursor_position = len(self.value)


LIST_KEYS = frozenset(key for binding in Binding.make_bindings(LineList.BINDINGS) for key in [binding.key])
"""Keys that move the cursor of the list; other letters go to the path."""


NOTHING_TO_COMPLETE = "tab completes nothing more: enter opens what is typed, down goes to the list"


class FilePicker(ModalScreen[tuple[str, ...] | None]):
    """Dialog that asks for a file or folder. Result: the paths to open, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("tab", "complete", "complete", priority=True),
        Binding("shift+tab", "other", show=False, priority=True),
        Binding("down", "into_list", show=False),
    ]

    def __init__(self, start: str = "") -> None:
        """`start` is the initial path, such as the folder opened last."""
        super().__init__(classes="dialog")
        self._start = start
        self._listing = FolderListing("", ())

    @classmethod
    def beside(cls, opened: InputSource | None) -> FilePicker:
        """The dialog in the folder of what is open, or where the console was started."""
        folder = Path(opened).absolute().parent if isinstance(opened, str) else Path.cwd()
        return cls(f"{str(folder).rstrip('/')}/")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box", id="picker"):
            yield Static(plain_content("Open a file or folder"), classes="dialog-title")
            yield PathInput(self._start, placeholder="a path; tab completes it", select_on_focus=False)
            yield FolderLines()
            yield Static("", classes="dialog-fault")
            keys = (("tab completes", "tab"), ("down goes to the list", "down"), ("enter opens", "enter"))
            yield Static(hint(*keys, ("escape cancels", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)
        self._list_folder(field.value)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_complete(self) -> None:
        """Complete the path; from the list, go back to the path."""
        field = self.query_one(Input)
        if not field.has_focus:
            field.focus()
            return
        completed = complete_path(field.value, self._listing)
        if completed == field.value:
            # the focus stays: enter opens what was typed
            self._show_error(NOTHING_TO_COMPLETE)
            return
        field.value = completed
        field.cursor_position = len(completed)

    def action_into_list(self) -> None:
        if self._listing.items:
            self.query_one(FolderLines).focus()

    def action_other(self) -> None:
        """Switch between the path and the list."""
        field = self.query_one(Input)
        if field.has_focus:
            self.action_into_list()
        else:
            field.focus()

    def on_key(self, event: events.Key) -> None:
        """Type on in the path from the list, but for the letters that move its cursor."""
        field, lines = self.query_one(PathInput), self.query_one(FolderLines)
        is_move = bool(lines.items) and event.key in LIST_KEYS
        if not lines.has_focus or is_move or not (event.is_printable or event.key == "backspace"):
            return
        event.stop()
        self.set_focus(field)
        if event.key == "backspace":
            field.action_delete_left()
        else:
            field.insert_text_at_cursor(event.character or "")

    @on(Input.Changed)
    def _on_path_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._list_folder(intended_path(event.value))

    @on(PathInput.Dropped)
    def _on_paths_dropped(self, event: PathInput.Dropped) -> None:
        event.stop()
        self.dismiss(event.paths)

    @on(Input.Submitted)
    def _on_submit(self, event: Input.Submitted) -> None:
        event.stop()
        typed = intended_path(event.value.strip())
        paths = dropped_paths(typed)
        if len(paths) == 1 and Path(paths[0]).is_dir():
            if typed.endswith(os.sep) and any(item.whole or not item.is_folder for item in self._listing.items):
                self.dismiss(paths)
            else:
                self._enter(typed)
        elif paths:
            self.dismiss(paths)
        elif len(self._listing.items) == 1:
            self._choose(self._listing.items[0])
        else:
            fault = f"there is no file {one_line(typed, limit=200)}: type on, or choose from the list"
            self._show_error(fault if typed else "type a path")

    @on(LineList.Selected)
    def _on_selected(self, event: LineList.Selected) -> None:
        event.stop()
        items = self.query_one(FolderLines).items
        if event.index < len(items):
            self._choose(items[event.index])

    def _choose(self, item: FolderEntry) -> None:
        if item.is_folder and not item.whole:
            self._enter(item.path)
        else:
            self.dismiss((item.path,))

    def _enter(self, folder: str) -> None:
        field = self.query_one(Input)
        field.value = os.path.join(folder, "")  # noqa: PTH118 - with the slash at its end
        field.cursor_position = len(field.value)

    def _show_error(self, fault: str) -> None:
        self.query_one(".dialog-fault", Static).update(plain_content(fault))

    @work(exclusive=True, group="loading-folder", exit_on_error=False)
    async def _list_folder(self, typed: str) -> None:
        folder, start = split_typed(typed)
        listing = await asyncio.to_thread(list_folder, folder, start)
        self._listing = listing
        self.query_one(FolderLines).show(listing)
        more = f"and {listing.more:,} more: type to narrow down" if listing.more else ""
        self._show_error(
            listing.fault or more or ("" if listing.items else "no data files or folders here by that name")
        )
