"""Every command of the console in one list: for the keymap, and for the README's table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from sprig_tui.console import console_commands
from sprig_tui.console.commands import SCOPE_TITLES, Command
from sprig_tui.console.deliveries.commands import COMMANDS as DELIVERIES
from sprig_tui.console.deliveries.commands import DETAIL_COMMANDS
from sprig_tui.console.environments.commands import COMMANDS as ENVIRONMENTS
from sprig_tui.console.line_view import LineList
from sprig_tui.console.payload.commands import COMMANDS as PAYLOAD

if TYPE_CHECKING:
    from sprig_tui.console.keymap import KeySlot

PANE_COMMANDS: tuple[type[Command], ...] = (*ENVIRONMENTS, *PAYLOAD, *DELIVERIES)
COMMANDS: tuple[type[Command], ...] = (*PANE_COMMANDS, *DETAIL_COMMANDS, *console_commands.COMMANDS)


def key_slots() -> list[KeySlot]:
    """Every key that the keymap may change, and those that no command may take."""
    from sprig_tui.console.keymap import KeySlot, keys_of, slot_of

    lists = [
        KeySlot(binding.id, keys_of(binding.key), "list")
        for binding in LineList.BINDINGS
        if isinstance(binding, Binding) and binding.id
    ]
    fixed = [
        KeySlot("quit, which is always there", ("ctrl+q",), "console"),
        KeySlot("moving between panes", ("tab", "shift+tab"), "console"),
    ]
    return [*map(slot_of, COMMANDS), *lists, *fixed]


def key_table() -> str:
    """The README's table of keys, as Markdown: where, key, command's name in `[keys]`, what it does."""
    from textual.keys import format_key

    from sprig_tui.console.keymap import keys_of

    def shown(key: str) -> str:
        *modifiers, last = key.split("+")
        return f"`{'+'.join([*modifiers, format_key(last) if len(last) > 1 else last])}`"

    rows = ["| where | key | command | what it does |", "|---|---|---|---|"]
    for command in COMMANDS:
        keys = " ".join(shown(key) for key in keys_of(command.key))
        summary = command.summary().replace("|", "\\|")
        rows.append(f"| {SCOPE_TITLES[command.scope]} | {keys} | `{command.id}` | {summary} |")
    return "\n".join(rows) + "\n"
