"""Keys that nothing takes where they are pressed: a sentence about each, and the way out of what is in front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.screen import ModalScreen

from sprig_tui.console import console_commands
from sprig_tui.console.catalogue import PANE_COMMANDS
from sprig_tui.console.commands import PLACES, Command, Commanded
from sprig_tui.console.deliveries.commands import CloseDetail

if TYPE_CHECKING:
    from textual.screen import Screen

    from sprig_tui.console.app import SprigTui

_QUIET = frozenset({"escape", "enter", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "backspace"})
"""Keys that are no commands: they say nothing where there is nothing to move, to leave or to open."""
_PANES: dict[str, type[Command]] = {
    "environments": console_commands.FocusEnvironments,
    "payload": console_commands.FocusPayload,
    "deliveries": console_commands.FocusDeliveries,
}


def is_stray(screen: Screen[Any], key: str) -> bool:
    """Whether a key was pressed on a dialog that has no use for it, and no field that would take it."""
    return isinstance(screen, ModalScreen) and key not in _QUIET and key not in screen.active_bindings


def unbound_key(app: SprigTui, key: str) -> str:
    """What to say of a key; empty where something here takes it, and on dialogs, which name their keys."""
    if isinstance(app.screen, ModalScreen) or key in _QUIET or key in app.screen.active_bindings:
        return ""
    shown = app.get_key_display(Binding(key, "", ""))
    place = PLACES.get(_scope(app), "the console")
    for command in PANE_COMMANDS:
        if app.screen is app.main and key in app.keys_of(command):
            there = app.shown_key(_PANES[command.scope])
            return (
                f"{shown} does nothing in {place}; in {PLACES[command.scope]} it is {command.label}: {there} goes there"
            )
    return f"{shown} does nothing in {place}: {app.shown_key(console_commands.Help)} lists the keys"


def way_out(app: SprigTui) -> str:
    """The key that leaves what is in front of the panes."""
    return app.shown_key(CloseDetail) if isinstance(app.screen, Commanded) else "escape"


def _scope(app: SprigTui) -> str:
    here = app.screen
    return here.VERBS[0].scope if isinstance(here, Commanded) else app.main.focused_scope()
