"""Advice on keys without a binding, and on pasted texts that name no file; a pasted text is never repeated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.screen import ModalScreen

from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command, HasCommands
from sprig_tui.console.commands.payload import ListRecords
from sprig_tui.console.commands.registry import PANE_COMMANDS
from sprig_tui.sprig.reader import INPUT_SUFFIXES
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.screen import Screen

    from sprig_tui.console.console_app import ConsoleApp


MAX_PATH_CHARS = 4_096
"""Longest path."""
MAX_KEY_CHARS = 200
"""Longest text taken for a key; write keys have 32 characters, keys of Sprig's API and tokens fewer than 100."""
MIN_DIFFERENT_CHARS = 8
"""Least number of different characters in a key."""
_SECRET = re.compile(r"[A-Za-z0-9_\-.+/=]{16,}")
_PATH = re.compile(r"(?:file://|[~.]{0,2}/|[A-Za-z]:\\)")


def paste_advice(text: str) -> str:
    """Advice for a text that was pasted where no text is typed, and that names no file."""
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
    """Text that names the missing file and the part of its path that exists."""
    for word in words:
        try:
            path = Path(word.removeprefix("file://")).expanduser().absolute()
            if path.exists():
                continue
            folder = path.parent
            while not folder.is_dir() and folder != folder.parent:
                folder = folder.parent
        except (OSError, RuntimeError, ValueError):  # no such home folder; a name that no file can have
            return f"{printable(word, limit=200)} cannot be a path"
        return (
            f"there is no {printable(word, limit=200)}\n"
            f"the folder {printable(str(folder), limit=200)} is there: o opens it"
        )
    return "one of these cannot be opened: o opens them one by one"


_SILENT_KEYS = frozenset(
    {"escape", "enter", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "backspace"}
)
"""Keys without advice: where they have nothing to move, leave or open, nothing is shown."""
_PANE_TITLES: dict[str, type[Command]] = {
    "environments": app_commands.FocusEnvironments,
    "payload": app_commands.FocusPayload,
    "deliveries": app_commands.FocusDeliveries,
}


def is_unbound(screen: Screen[Any], key: str) -> bool:
    """Whether a dialog has neither a binding nor a field for this key."""
    return isinstance(screen, ModalScreen) and key not in _SILENT_KEYS and key not in screen.active_bindings


def unbound_key(app: ConsoleApp, key: str) -> str:
    """Advice for a key; empty where it has a binding, and on dialogs, which name their keys."""
    if isinstance(app.screen, ModalScreen) or key in _SILENT_KEYS or key in app.screen.active_bindings:
        return ""
    shown = app.get_key_display(Binding(key, "", ""))
    place = SCOPE_TITLES.get(_scope(app), "the console")
    for command in PANE_COMMANDS:
        if app.shows_panes and key in app.keys_of(command):
            there = SCOPE_TITLES[command.scope]
            return f"{shown} does nothing in {place}; in {there} it is {command.label}: {_way_to(app, command.scope)}"
    return f"{shown} does nothing in {place}: {app.shown_key(app_commands.Help)} lists the keys"


def _way_to(app: ConsoleApp, scope: str) -> str:
    """The keys that lead to a pane, or to the list of records."""
    if scope != "records":
        return f"{app.shown_key(_PANE_TITLES[scope])} goes there"
    listed = f"{app.shown_key(ListRecords)} lists them"
    return listed if _scope(app) == "payload" else f"{app.shown_key(app_commands.FocusPayload)}, then {listed}"


def close_hint(app: ConsoleApp) -> str:
    """The key that leaves the screen in front of the panes."""
    # the first command of a screen is the one that leaves it
    return app.shown_key(app.screen.COMMAND_CLASSES[0]) if isinstance(app.screen, HasCommands) else "escape"


def _scope(app: ConsoleApp) -> str:
    here = app.screen
    return here.COMMAND_CLASSES[0].scope if isinstance(here, HasCommands) else app.focused_scope()
