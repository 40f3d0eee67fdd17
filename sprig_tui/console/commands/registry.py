"""Registry of all commands, for the keymap, the command palette and the table of keys of the topic `console`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, runtime_checkable

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command
from sprig_tui.console.commands.detail import COMMANDS as DETAIL
from sprig_tui.console.commands.explain import COMMANDS as EXPLAIN
from sprig_tui.console.commands.insight import COMMANDS as INSIGHT
from sprig_tui.console.commands.panes import PANE_COMMANDS
from sprig_tui.console.commands.reconcile import COMMANDS as RECONCILE
from sprig_tui.console.commands.setup import COMMANDS as SETUP
from sprig_tui.console.commands.topics import COMMANDS as TOPICS
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.console.commands.keymap import KeySlot
    from sprig_tui.console.console_app import ConsoleApp


COMMANDS: tuple[type[Command], ...] = (
    *PANE_COMMANDS,
    *DETAIL,
    *RECONCILE,
    *INSIGHT,
    *EXPLAIN,
    *SETUP,
    *TOPICS,
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


@runtime_checkable
class SavedFilterScreen(Protocol):
    """Screen that can filter by the saved filters, which the palette shows after the commands."""

    def saved_filters(self) -> Mapping[str, str]:
        """By name."""
        ...

    async def use_saved_filter(self, name: str) -> None:
        """Filter by one."""
        ...


@runtime_checkable
class RecordScreen(Protocol):
    """Screen that goes to a record of the open file by its number."""

    def go_to_record(self, number: int) -> str:
        """Go to record `number`, from 0; returns why there is none to go to, or an empty text."""
        ...


class PaletteEntry(NamedTuple):
    """A line of the palette, or a name of the command line."""

    name: str
    title: str
    keys: str
    """As shown to the user; empty for none."""
    help: str
    run: Callable[[], Awaitable[None]]
    in_palette: bool = True


def palette_entries(screen: object, app: ConsoleApp) -> list[PaletteEntry]:
    """The commands and the saved filters that a screen offers."""
    entries: list[PaletteEntry] = []
    if isinstance(screen, CommandProviderScreen):
        entries += [
            PaletteEntry(
                command.id,
                f"{SCOPE_TITLES[command.scope]}: {command.title}",
                " ".join(app.get_key_display(Binding(key, "", "")) for key in app.preferences.keys_of(command)),
                command.summary(),
                partial(screen.run_command, command),
                command.in_palette,
            )
            for command in screen.offered_commands()
        ]
    if isinstance(screen, SavedFilterScreen):
        entries += [
            PaletteEntry(
                f"@{name}",
                f"{SCOPE_TITLES['deliveries']}: Filter by @{name}",
                "",
                one_line(text, limit=200),
                partial(screen.use_saved_filter, name),
            )
            for name, text in screen.saved_filters().items()
        ]
    return entries


class CommandPaletteProvider(Provider):
    """The commands and the saved filters of the screen below the palette, with their keys; Textual's are last."""

    def _offered(self) -> list[PaletteEntry]:
        app = cast("ConsoleApp", self.app)
        return [entry for entry in palette_entries(self.screen, app) if entry.in_palette]

    async def discover(self) -> Hits:
        for entry in self._offered():
            shown = _with_keys(Content(entry.title), entry.keys)
            yield DiscoveryHit(shown, entry.run, text=entry.title, help=entry.help)
        for command in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(command.title, command.callback, help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._offered():
            score = matcher.match(entry.title)
            if score > 0:
                shown = _with_keys(matcher.highlight(entry.title), entry.keys)
                yield Hit(score, shown, entry.run, text=entry.title, help=entry.help)
        for command in self.app.get_system_commands(self.screen):
            if (score := matcher.match(command.title)) > 0:
                yield Hit(score, matcher.highlight(command.title), command.callback, help=command.help)


def _with_keys(title: Content, keys: str) -> Content:
    return Content.assemble(title, "  ", (keys, "bold $text-accent")) if keys else title
