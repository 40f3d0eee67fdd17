"""Command base class: key binding, key bar label, help, palette entry and row of the key table come from one class.

class CopyLine(Command):
    '''Copy the selected delivery as one line of JSON.'''

    id = "copy-line"
    key = "y"
    label = "copy"
    title = "Copy the delivery as JSON"
    scope = "deliveries"

A widget lists its commands and defines `action_copy_line`:

class DeliveryLog(HasCommands, LineList):
    COMMAND_CLASSES = (CopyLine, ...)
    BINDINGS = bindings(COMMAND_CLASSES)
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from textual.binding import Binding, BindingType
from textual.dom import DOMNode

Scope = Literal[
    "console",
    "environments",
    "payload",
    "records",
    "deliveries",
    "detail",
    "reconcile",
    "insight",
    "explain",
    "setup",
    "topics",
]
"""Place of a command: the whole console, a pane, or a screen of its own."""
SCOPE_TITLES: dict[str, str] = {
    "environments": "Environments",
    "payload": "Payload",
    "records": "Records",
    "deliveries": "Deliveries",
    "detail": "Detail",
    "reconcile": "Reconcile",
    "insight": "Insight",
    "explain": "Explain",
    "setup": "Set-up",
    "topics": "Topics",
    "console": "Console",
}
"""Names of the places on the screen."""
Need = Literal["", "sending", "engine", "config", "machine"]
"""Precondition of a command: permission to send, an engine in this process, permission to change the config, or a
person who sits at this machine: its files, its programs and its keys are theirs."""


class Command:
    """Command of the console; its docstring is its help."""

    id: ClassVar[str]
    """Name in `[keys]` of the config, such as `add-key`; unique, and never renamed, since configs contain it."""
    key: ClassVar[str]
    """Default keys, separated by commas, as Textual names them (`slash`, `ctrl+s`, `R`); the first one is shown."""
    label: ClassVar[str]
    """One or two words for the key bar."""
    title: ClassVar[str]
    """For the palette and for lists, such as `Add or replace a write key`."""
    scope: ClassVar[Scope]
    needs: ClassVar[Need] = ""
    acts_unasked: ClassVar[bool] = False
    """Whether it sends, stores or removes something without a question; in a burst of keys it asks anyway."""
    in_bar: ClassVar[bool] = True
    """Whether the key bar shows it."""
    on_main_screen: ClassVar[bool] = False
    """Whether its key works on the main screen whichever pane has the focus."""
    in_palette: ClassVar[bool] = True
    """Whether the palette offers it; movements are not offered."""
    priority: ClassVar[bool] = False
    """Whether its key works even while text is typed."""

    namespace: ClassVar[str] = ""
    """`screen` where the action is a method of the screen, not of the widget that has the binding."""

    @classmethod
    def action(cls) -> str:
        """The action of the binding; its method is `action_` and the command's id."""
        name = cls.id.replace("-", "_")
        return f"{cls.namespace}.{name}" if cls.namespace else name

    @classmethod
    def help(cls) -> str:
        """The docstring as plain text."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the help, on one line."""
        return " ".join(cls.help().split("\n\n", 1)[0].split())

    @classmethod
    def binding(cls) -> Binding:
        """The binding, for `BINDINGS` of the widget."""
        return Binding(cls.key, cls.action(), cls.label, show=cls.in_bar, id=cls.id, priority=cls.priority)


def bindings(commands: Iterable[type[Command]]) -> list[BindingType]:
    """The `BINDINGS` of a widget that has these commands."""
    return [command.binding() for command in commands]


class Permissions(NamedTuple):
    """Permissions of this console; the app has them as `permissions`."""

    read_only: bool = False
    """Opened with `--read-only`: nothing is sent, nothing of the config changed."""
    engine: bool = True
    """False with `--no-engine`: other processes deliver."""
    config: bool = True
    """False where the environments are not the user's own (`demo`)."""
    browser: bool = False
    """Opened in a browser: its user sits at another machine, or is another user of this one."""

    def refusal(self, command: type[Command]) -> str:
        """Why the command cannot be used now; empty when it can."""
        if command.needs == "machine":
            why = "a console in a browser reaches no file and no program of the server's machine, and shows no key"
            return f"{command.label}: {why}" if self.browser else ""
        if self.read_only and command.needs:
            how = "its server has no token, or --read-only" if self.browser else "it was opened with --read-only"
            return f"{command.label}: this console is read-only, {how}"
        if command.needs == "engine" and not self.engine:
            return f"{command.label}: this console has no engine, it was opened with --no-engine"
        if command.needs == "config" and not self.config:
            return f"{command.label}: the demo has a config of its own; leave it, and open sprig-tui to change yours"
        return ""


if TYPE_CHECKING:
    _Node = DOMNode
else:
    # Textual reads styles and component classes of the first base that is a DOMNode, so this must not be one
    _Node = object


class HasCommands(_Node):
    """Widget or screen with commands; those not allowed are greyed, and their keys show the reason."""

    COMMAND_CLASSES: ClassVar[Sequence[type[Command]]] = ()
    """Commands of the widget (`COMMANDS` is Textual's name for palette providers)."""

    _by_action: ClassVar[dict[str, type[Command]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._by_action = {command.action(): command for command in cls.COMMAND_CLASSES}

    def refusal(self, action: str) -> str:
        """Why the command of this action cannot be used now; empty when it can, and for other actions.

        Override for reasons of the widget, such as an empty selection.
        """
        command = self._by_action.get(action)
        if command is None or not command.needs:
            return ""
        permissions: Permissions = getattr(self.app, "permissions", Permissions())
        return permissions.refusal(command)

    def offered_commands(self) -> Sequence[type[Command]]:
        """Commands that the palette shows while this is the screen."""
        return self.COMMAND_CLASSES

    def unasked_command(self, action: str) -> type[Command] | None:
        """The command of this action, where it can be used now and acts without a question."""
        command = self._by_action.get(action)
        return command if command is not None and command.acts_unasked and not self.refusal(action) else None

    async def run_command(self, command: type[Command]) -> None:
        """Run a command of the palette, or show why it cannot be used."""
        await self.app.run_action(command.action(), self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None (shown, but greyed) for a refused command; the app shows the reason."""
        if self.refusal(action):
            return None
        return super().check_action(action, parameters)
