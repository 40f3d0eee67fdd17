"""Keys that nothing takes where they are pressed: a sentence about each, and the way out of what is in front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.screen import ModalScreen

from sprig_tui.console import console_commands
from sprig_tui.console.catalogue import PANE_COMMANDS
from sprig_tui.console.commands import SCOPE_TITLES, Command, HasCommands
from sprig_tui.console.deliveries.commands import CloseDetail

if TYPE_CHECKING:
    from textual.screen import Screen

    from sprig_tui.console.app import SprigTui

_SILENT_KEYS = frozenset(
    {"escape", "enter", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "backspace"}
)
"""Keys that are no commands: they say nothing where there is nothing to move, to leave or to open."""
_PANE_TITLES: dict[str, type[Command]] = {
    "environments": console_commands.FocusEnvironments,
    "payload": console_commands.FocusPayload,
    "deliveries": console_commands.FocusDeliveries,
}


def is_unbound(screen: Screen[Any], key: str) -> bool:
    """Whether a key was pressed on a dialog that has no use for it, and no field that would take it."""
    return isinstance(screen, ModalScreen) and key not in _SILENT_KEYS and key not in screen.active_bindings


def unbound_key(app: SprigTui, key: str) -> str:
    """What to say of a key; empty where something here takes it, and on dialogs, which name their keys."""
    if isinstance(app.screen, ModalScreen) or key in _SILENT_KEYS or key in app.screen.active_bindings:
        return ""
    shown = app.get_key_display(Binding(key, "", ""))
    place = SCOPE_TITLES.get(_scope(app), "the console")
    for command in PANE_COMMANDS:
        if app.screen is app.main and key in app.keys_of(command):
            there = app.shown_key(_PANE_TITLES[command.scope])
            return (
                f"{shown} does nothing in {place}; in {SCOPE_TITLES[command.scope]} it is {command.label}: "
                f"{there} goes there"
            )
    return f"{shown} does nothing in {place}: {app.shown_key(console_commands.Help)} lists the keys"


def close_hint(app: SprigTui) -> str:
    """The key that leaves what is in front of the panes."""
    return app.shown_key(CloseDetail) if isinstance(app.screen, HasCommands) else "escape"


def _scope(app: SprigTui) -> str:
    here = app.screen
    return here.COMMAND_CLASSES[0].scope if isinstance(here, HasCommands) else app.main.focused_scope()
