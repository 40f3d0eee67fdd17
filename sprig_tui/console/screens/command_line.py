"""Command line: a command by its name, a record by its number, or a saved filter by its @name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, Static

from sprig_tui.console.commands.registry import PaletteEntry, RecordScreen, palette_entries
from sprig_tui.console.notify import notify_warning
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.dialogs import Dialog, hint, plain_content
from sprig_tui.console.widgets.history_input import HistoryInput
from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.console.console_app import ConsoleApp

MAX_LISTED = 8
"""Names listed below the line."""
MAX_DIGITS = 12
MIN_ROWS_BESIDE_NOTICES = 30
"""Rows of a screen that has room for notices above the command line; where there are fewer, their history has them."""
ALIASES: Mapping[str, str] = {"q": "leave", "quit": "leave", "exit": "leave", "h": "help"}
"""What people of other programs type."""


def record_number(typed: str) -> int | None:
    """The number of a record, from 0; None for another text."""
    digits = typed.replace(",", "")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > MAX_DIGITS or not int(digits):
        return None
    return int(digits) - 1


def matching_names(typed: str, names: Sequence[str]) -> list[str]:
    """The names that begin with the text, then those that contain it; all for an empty text."""
    wanted = typed.strip().lower()
    begin = [name for name in names if name.startswith(wanted)]
    return begin + [name for name in names if wanted in name and name not in begin]


def resolve_name(typed: str, names: Sequence[str]) -> tuple[str, str]:
    """The name that is meant, and the problem with the text; one of both is empty."""
    wanted = typed.strip().lower()
    wanted = wanted if wanted in names else ALIASES.get(wanted, wanted)
    if wanted in names:
        return wanted, ""
    shown = printable(typed.strip(), limit=60)
    if wanted.isdecimal():
        return "", "records are counted from 1"
    begin = [name for name in names if wanted and name.startswith(wanted)]
    if len(begin) == 1:
        return begin[0], ""
    if begin:
        more = ", ..." if len(begin) > MAX_LISTED else ""
        return "", f"{shown} may be {', '.join(begin[:MAX_LISTED])}{more}"
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5) or matching_names(wanted, names)[:1]
    if not wanted:
        return "", "type a name, or press escape"
    return "", f"there is no command {shown} here" + (f"; did you mean {close[0]}?" if close else "")


class _NameSuggester(Suggester):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = names

    async def get_suggestion(self, value: str) -> str | None:
        wanted = value.lower()
        return next((name for name in self._names if wanted and name.startswith(wanted)), None)


class CommandLineScreen(Dialog[str | None]):
    """Asks for a line; the result is a name of `entries` or a number."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, entries: Sequence[PaletteEntry], history: list[str], *, counts_records: bool) -> None:
        """`counts_records`: whether the number of a record can be meant."""
        super().__init__("Command, or number of a record" if counts_records else "Command")
        self._entries = {entry.name: entry for entry in entries}
        self._names = list(self._entries)
        self._counts_records = counts_records
        self._input = HistoryInput(history, suggester=_NameSuggester(self._names), max_length=200)
        self._fault = Static("", classes="dialog-fault")
        self._list = Static("", classes="command-names")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield self._input
            yield self._fault
            yield self._list
            keys = (("tab completes", "tab"), ("up brings earlier ones", "up"), ("escape cancels", "escape"))
            yield Static(hint(*keys), classes="dialog-hint")

    def on_mount(self) -> None:
        self._input.focus()
        self._fault.display = False
        self._show_names("")

    def on_resize(self) -> None:
        """List as many names as there are rows for."""
        self._show_names(self._input.value)

    def _show_names(self, typed: str) -> None:
        names = [] if record_number(typed.strip()) is not None else matching_names(typed, self._names)
        listed = [self._entries[name] for name in names[: min(MAX_LISTED, max(0, self.app.size.height - 12))]]
        width = max((len(entry.name) for entry in listed), default=0)
        pieces: list[str | tuple[str, str]] = []
        for entry in listed:
            pieces += ["\n" if pieces else "", f"{entry.name:<{width}}  ", (f"{entry.title}  ", MUTED)]
            pieces.append((entry.keys, "$text-accent"))
        if len(names) > len(listed) and listed:
            pieces.append((f"\nand {len(names) - len(listed)} more", MUTED))
        self._list.update(Content.assemble(*pieces))
        self._list.display = bool(pieces)

    @on(Input.Changed)
    def _on_text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._fault.display = False
        self._show_names(event.value)

    @on(Input.Submitted)
    def _on_submit(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip().lstrip(":")
        number = record_number(typed) if self._counts_records else None
        name, fault = (str(number + 1), "") if number is not None else resolve_name(typed, self._names)
        if fault:
            self._fault.update(plain_content(fault))
            self._fault.display = True
            return
        self._input.add_to_history(name)
        self.dismiss(name)


class CommandLine:
    """The command line of an app, which keeps what was typed."""

    def __init__(self, app: ConsoleApp) -> None:
        self._console = app
        self._history: list[str] = []

    async def ask_and_run(self) -> None:
        """Ask for a line, and do what it says on the screen in front."""
        place: object = self._console.screen
        app = self._console.screen.app
        entries = palette_entries(place, self._console)
        dialog = CommandLineScreen(entries, self._history, counts_records=isinstance(place, RecordScreen))
        if app.size.height < MIN_ROWS_BESIDE_NOTICES:
            app.clear_notifications()
        if (typed := await app.push_screen_wait(dialog)) is None:
            return
        if isinstance(place, RecordScreen) and (number := record_number(typed)) is not None:
            if problem := place.go_to_record(number):
                notify_warning(app, problem)
            return
        await next(entry for entry in entries if entry.name == typed).run()
