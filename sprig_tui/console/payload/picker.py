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

from sprig_tui.console.dialogs import plain
from sprig_tui.console.hints import hint
from sprig_tui.console.line import Line, Part
from sprig_tui.console.line_view import LineView
from sprig_tui.console.payload.dropped_path import dropped_paths, looks_like_path, meant_path
from sprig_tui.console.payload.listing import Item, Listing, complete, list_folder, size_text, split_typed
from sprig_tui.text import one_line

_SIZE = 12


class FolderLines(LineView):
    """The entries of a folder."""

    def __init__(self) -> None:
        super().__init__(id="picker-list")
        self.items: tuple[Item, ...] = ()

    def show(self, listing: Listing) -> None:
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
        room = max(self.scrollable_content_region.width - _SIZE - 1, 8)
        if item.whole:
            return [Part(item.name, "accent", room), Part(f"{item.size:,} files".rjust(_SIZE), "muted")]
        name = one_line(item.name, limit=4 * room)
        if item.is_folder:
            return [Part(f"{name}{os.sep}", "strong", room), Part(" " * _SIZE)]
        return [Part(name, "", room), Part(size_text(item.size).rjust(_SIZE), "muted")]


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


class Picker(ModalScreen[tuple[str, ...] | None]):
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
        self._listing = Listing("", ())

    def compose(self) -> ComposeResult:
        """The path, the list, and what is wrong."""
        with Vertical(classes="dialog-box", id="picker"):
            yield Static(plain("Open a file or folder"), classes="dialog-title")
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
        self._list(field.value)

    def action_leave(self) -> None:
        """Open nothing."""
        self.dismiss(None)

    def action_complete(self) -> None:
        """Make the path longer by what the names in question have in common; from the list, back to the path."""
        field = self.query_one(Input)
        if not field.has_focus:
            field.focus()
            return
        completed = complete(field.value, self._listing)
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
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(meant_path(event.value))

    @on(PathInput.Dropped)
    def _dropped(self, event: PathInput.Dropped) -> None:
        event.stop()
        self.dismiss(event.paths)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = meant_path(event.value.strip())
        paths = dropped_paths(typed)
        if len(paths) == 1 and Path(paths[0]).is_dir():
            if typed.endswith(os.sep) and any(item.whole or not item.is_folder for item in self._listing.items):
                self.dismiss(paths)
            else:
                self._enter(typed)
        elif paths:
            self.dismiss(paths)
        elif len(self._listing.items) == 1:
            self._take(self._listing.items[0])
        else:
            fault = f"there is no file {one_line(typed, limit=200)}: type on, or choose from the list"
            self._say(fault if typed else "type a path")

    @on(LineView.Chosen)
    def _chosen(self, event: LineView.Chosen) -> None:
        event.stop()
        items = self.query_one(FolderLines).items
        if event.index < len(items):
            self._take(items[event.index])

    def _take(self, item: Item) -> None:
        if item.is_folder and not item.whole:
            self._enter(item.path)
        else:
            self.dismiss((item.path,))

    def _enter(self, folder: str) -> None:
        field = self.query_one(Input)
        field.value = os.path.join(folder, "")  # noqa: PTH118 - with the slash at its end
        field.cursor_position = len(field.value)

    def _say(self, fault: str) -> None:
        self.query_one(".dialog-fault", Static).update(plain(fault))

    @work(exclusive=True, group="loading-folder", exit_on_error=False)
    async def _list(self, typed: str) -> None:
        folder, start = split_typed(typed)
        listing = await asyncio.to_thread(list_folder, folder, start)
        self._listing = listing
        self.query_one(FolderLines).show(listing)
        more = f"and {listing.more:,} more: type to narrow down" if listing.more else ""
        self._say(listing.fault or more or ("" if listing.items else "no data files or folders here by that name"))
