"""Commands of the three panes: their keys and their actions on the main screen, which has them from its first paint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from textual.binding import Binding

from sprig_tui.console.commands.base import Command
from sprig_tui.console.commands.deliveries import COMMANDS as DELIVERIES
from sprig_tui.console.commands.environments import COMMANDS as ENVIRONMENTS
from sprig_tui.console.commands.payload import COMMANDS as PAYLOAD
from sprig_tui.console.commands.records import COMMANDS as RECORDS

PaneT = TypeVar("PaneT")

PANE_COMMANDS: tuple[type[Command], ...] = (*ENVIRONMENTS, *PAYLOAD, *RECORDS, *DELIVERIES)
SHARED: Mapping[str, type[Command]] = {command.id: command for command in PANE_COMMANDS if command.on_main_screen}
"""By id: those whose keys work whichever pane has the focus."""
RUN_BY_SCREEN: Mapping[str, type[Command]] = {
    command.action(): command for command in PANE_COMMANDS if command.namespace == "screen"
}
"""By action: those that the main screen runs itself."""
STILL_LOADING = "the panes are still loading: try again in a moment"


def screen_binding(command: type[Command]) -> Binding:
    """The binding of the main screen for a shared command."""
    action = command.action() if command.namespace else f"forward('{command.id}')"
    return Binding(command.key, action, command.label, show=command.in_bar, id=command.id)


def command_of(action: str) -> type[Command] | None:
    """The pane's command behind an action of the main screen, with its namespace and parameters."""
    return RUN_BY_SCREEN.get(action) or SHARED.get(action.removeprefix("forward('").removesuffix("')"))


def runner(command: type[Command], panes: Mapping[str, PaneT]) -> PaneT | None:
    """The pane that has a command; None where it, or one that shows what the screen runs, is not there yet."""
    return panes.get(command.scope) if "deliveries" in panes or not command.namespace else None
