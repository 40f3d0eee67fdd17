"""Registry of all commands, for the keymap, the command palette and the table of keys of the topic `console`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command
from sprig_tui.console.commands.deliveries import COMMANDS as DELIVERIES
from sprig_tui.console.commands.deliveries import DETAIL_COMMANDS
from sprig_tui.console.commands.environments import COMMANDS as ENVIRONMENTS
from sprig_tui.console.commands.explain import COMMANDS as EXPLAIN
from sprig_tui.console.commands.payload import COMMANDS as PAYLOAD
from sprig_tui.console.commands.reconcile import COMMANDS as RECONCILE
from sprig_tui.console.commands.setup import COMMANDS as SETUP
from sprig_tui.console.widgets.line_list import LineList

if TYPE_CHECKING:
    from sprig_tui.console.commands.keymap import KeySlot


PANE_COMMANDS: tuple[type[Command], ...] = (*ENVIRONMENTS, *PAYLOAD, *DELIVERIES)
COMMANDS: tuple[type[Command], ...] = (
    *PANE_COMMANDS,
    *DETAIL_COMMANDS,
    *RECONCILE,
    *EXPLAIN,
    *SETUP,
    *app_commands.COMMANDS,
)


def key_slots() -> list[KeySlot]:
    """Every key that the keymap may change, and the reserved ones."""
    from sprig_tui.console.commands.keymap import KeySlot, keys_of, slot_of

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
    """The table of keys of the topic `console`, as Markdown: where, key, command's name in `[keys]`, what it does."""
    from textual.keys import format_key

    from sprig_tui.console.commands.keymap import keys_of

    def shown(key: str) -> str:
        *modifiers, last = key.split("+")
        return f"`{'+'.join([*modifiers, format_key(last) if len(last) > 1 else last])}`"

    rows = ["| where | key | command | what it does |", "|---|---|---|---|"]
    for command in COMMANDS:
        keys = " ".join(shown(key) for key in keys_of(command.key))
        summary = command.summary().replace("|", "\\|")
        rows.append(f"| {SCOPE_TITLES[command.scope]} | {keys} | `{command.id}` | {summary} |")
    return "\n".join(rows) + "\n"


@runtime_checkable
class CommandProviderScreen(Protocol):
    """Screen whose commands the palette shows."""

    def offered_commands(self) -> Sequence[type[Command]]:
        """Commands that can be used now, those of the focused pane first."""
        ...

    async def run_command(self, command: type[Command]) -> None:
        """Do it, or say why not."""
        ...


class CommandPaletteProvider(Provider):
    """Palette provider for the commands of the screen below it."""

    def _offered(self) -> list[tuple[str, type[Command], Callable[[], Awaitable[None]]]]:
        screen: object = self.screen
        if not isinstance(screen, CommandProviderScreen):
            return []
        return [
            (f"{SCOPE_TITLES[command.scope]}: {command.title}", command, partial(screen.run_command, command))
            for command in screen.offered_commands()
            if command.in_palette
        ]

    async def discover(self) -> Hits:
        for title, command, run in self._offered():
            yield DiscoveryHit(Content(title), run, text=title, help=command.summary())

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, command, run in self._offered():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=command.summary())
