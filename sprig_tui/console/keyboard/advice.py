"""Advice on keys without a binding, and on pasted texts that open nothing; a pasted text is never repeated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.screen import ModalScreen

from sprig_tui.config.secret_shapes import SecretKind
from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command, HasCommands
from sprig_tui.console.commands.deliveries import Filter
from sprig_tui.console.commands.environments import AddKey, PullAnswers, SetUp
from sprig_tui.console.commands.panes import PANE_COMMANDS
from sprig_tui.console.commands.payload import ListRecords, OpenFile
from sprig_tui.console.payload.pasted import PastedText, PasteKind
from sprig_tui.console.textual_private import has_active_binding
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.screen import Screen

    from sprig_tui.console.console_app import ConsoleApp


def paste_advice(app: ConsoleApp, pasted: PastedText) -> str:
    """Advice for a text that was pasted where no text is typed, and that opens nothing."""
    match pasted.kind:
        case PasteKind.EMPTY:
            return "the paste is empty"
        case PasteKind.SECRET:
            return _secret_advice(app, pasted.secret or SecretKind.UNKNOWN)
        case PasteKind.MISSING_PATH:
            return _missing_file_text(app, pasted.paths)
        case PasteKind.UNREACHABLE_PATH:
            return "a console in a browser opens no file of the server's machine: paste the records themselves"
        case PasteKind.BINARY:
            return f"what was pasted is no text: {app.shown_key(OpenFile)} opens files, also compressed ones"
        case _:
            return (
                "nothing was opened: a paste is opened if it is JSON, Sprig's CSV with its header, or a path;\n"
                f"{app.shown_key(Filter)} in Deliveries takes a text to search for"
            )


def secret_in_field_advice(app: ConsoleApp, kind: SecretKind) -> str:
    """Advice for a secret that was pasted into a field whose text is shown."""
    return f"{_secret_advice(app, kind)}\nif it is none, type it"


def _secret_advice(app: ConsoleApp, kind: SecretKind) -> str:
    """Where a secret belongs; it is neither shown nor kept."""
    add, pull, set_up = (app.shown_key(command) for command in (AddKey, PullAnswers, SetUp))
    place = {
        SecretKind.WRITE_KEY: f"{add} asks for that of the selected environment",
        SecretKind.SPRIG_KEY: f"{pull} asks for that of the selected environment",
        SecretKind.TOKEN: f"{set_up} has a step that asks for it",
        SecretKind.UNKNOWN: f"{add} asks for a Write Key, {pull} for the key of Sprig's API, {set_up} for a token",
    }[kind]
    return f"that looks like a {kind.value}, and was not kept: {place}"


def _missing_file_text(app: ConsoleApp, words: Sequence[str]) -> str:
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
            f"the folder {printable(str(folder), limit=200)} is there: {app.shown_key(OpenFile)} opens it"
        )
    return f"one of these cannot be opened: {app.shown_key(OpenFile)} opens them one by one"


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
    return isinstance(screen, ModalScreen) and key not in _SILENT_KEYS and not has_active_binding(screen, key)


def unbound_key(app: ConsoleApp, key: str) -> str:
    """Advice for a key; empty where it has a binding, and on dialogs, which name their keys."""
    if isinstance(app.screen, ModalScreen) or key in _SILENT_KEYS or has_active_binding(app.screen, key):
        return ""
    shown = app.get_key_display(Binding(key, "", ""))
    place = SCOPE_TITLES.get(_scope(app), "the console")
    for command in PANE_COMMANDS:
        if app.shows_panes and key in app.preferences.keys_of(command):
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


def leave_advice(app: ConsoleApp) -> str:
    """The keys that leave the screen in front."""
    if app.shows_panes:
        return f"{app.shown_key(app_commands.Quit)} or ctrl+q quits"
    return f"{close_hint(app)} goes back; ctrl+q quits"


def _scope(app: ConsoleApp) -> str:
    here = app.screen
    return here.COMMAND_CLASSES[0].scope if isinstance(here, HasCommands) else app.focused_scope()
