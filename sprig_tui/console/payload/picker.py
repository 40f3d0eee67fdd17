"""Choosing what to open: a path with completion, and the folder's data files with their sizes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sprig_tui.console.dialogs import plain_content
from sprig_tui.console.hints import hint
from sprig_tui.console.line import Line, TextSpan
from sprig_tui.console.line_view import LineList
from sprig_tui.console.payload.dropped_path import dropped_paths, intended_path, looks_like_path
from sprig_tui.console.payload.listing import (
    FolderEntry,
    FolderListing,
    complete_path,
    list_folder,
    size_text,
    split_typed,
)
from sprig_tui.text import one_line

_SIZE_CELLS = 12


class FolderLines(LineList):
    """The entries of a folder."""

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

    def line(self, index: int) -> Line | None:
        """Name, and size or number of files."""
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
    """A path; a whole one that is pasted takes the place of what stands there."""

    class Dropped(Message):
        """Several were pasted at once."""

        def __init__(self, paths: tuple[str, ...]) -> None:
            super().__init__()
            self.paths = paths

    def on_paste(self, event: events.Paste) -> None:
        """See `dropped_path` for the ways in which terminals write paths."""
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


class FilePicker(ModalScreen[tuple[str, ...] | None]):
    """Asks for a file or folder. Result: the paths to open, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("tab", "complete", "complete", priority=True),
        Binding("shift+tab", "other", show=False, priority=True),
        Binding("down", "into_list", show=False),
    ]

    def __init__(self, start: str = "") -> None:
        """`start` is the path to begin with, such as the folder opened last."""
        super().__init__(classes="dialog")
        self._start = start
        self._listing = FolderListing("", ())

    def compose(self) -> ComposeResult:
        """The path, the list, and what is wrong."""
        with Vertical(classes="dialog-box", id="picker"):
            yield Static(plain_content("Open a file or folder"), classes="dialog-title")
            yield PathInput(self._start, placeholder="a path; tab completes it")
            yield FolderLines()
            yield Static("", classes="dialog-fault")
            keys = (("tab completes", "tab"), ("down goes to the list", "down"), ("enter opens", "enter"))
            yield Static(hint(*keys, ("escape cancels", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        """List the folder to begin with."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)
        self._list_folder(field.value)

    def action_leave(self) -> None:
        """Open nothing."""
        self.dismiss(None)

    def action_complete(self) -> None:
        """Make the path longer by what the names in question have in common; from the list, back to the path."""
        field = self.query_one(Input)
        if not field.has_focus:
            field.focus()
            return
        completed = complete_path(field.value, self._listing)
        if completed == field.value:
            self.action_into_list()
            return
        field.value = completed
        field.cursor_position = len(completed)

    def action_into_list(self) -> None:
        """Go to the list."""
        if self._listing.items:
            self.query_one(FolderLines).focus()

    def action_other(self) -> None:
        """Between the path and the list."""
        field = self.query_one(Input)
        if field.has_focus:
            self.action_into_list()
        else:
            field.focus()

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
