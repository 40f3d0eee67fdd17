"""Help screen: the purpose of the focused pane, its keys, and the keys of the whole console."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sprig_tui.console.commands.app import COMMANDS as CONSOLE
from sprig_tui.console.commands.base import SCOPE_TITLES, Command, HasCommands
from sprig_tui.console.commands.panes import PANE_COMMANDS
from sprig_tui.console.screens.topics import TopicsScreen, topic_of
from sprig_tui.console.widgets.dialogs import ESCAPE_CLOSES, hint

TOPICS_HINT = "t lists the topics"
KEY_CELLS = 12
"""Cells of the column of keys."""
HELP_CELLS = 52
"""Cells of the text beside the keys; fits a screen of 80."""
LIST_KEYS = (
    ("↑ ↓ j k", "move the cursor"),
    ("PgUp PgDn", "a page up or down (ctrl+b, ctrl+f; half a page: ctrl+u, ctrl+d)"),
    ("Home End g G", "first and last line"),
    ("← → h l", "scroll to the side"),
    ("enter", "open the line, or click it twice"),
    ("tab", "the next pane (shift+tab: the one before)"),
)
"""Keys of every list, which have no command."""


class HelpSection(NamedTuple):
    """Heading and its rows of (keys, text)."""

    heading: str
    rows: tuple[tuple[str, str], ...]


def section_of(heading: str, commands: Iterable[type[Command]], key_of: Callable[[type[Command]], str]) -> HelpSection:
    """The section of some commands; `key_of` returns the keys in use."""
    return HelpSection(heading, tuple((key_of(command), command.help()) for command in commands))


def help_content(about: str, sections: Iterable[HelpSection]) -> Content:
    """The whole help."""
    pieces: list[str | tuple[str, str]] = []
    if about:
        pieces += [textwrap.fill(about, KEY_CELLS + HELP_CELLS + 2), "\n"]
    for section in sections:
        pieces += ["\n" if pieces else "", (section.heading, "bold"), "\n"]
        for keys, text in section.rows:
            paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
            lines = [line for part in paragraphs for line in textwrap.wrap(part, HELP_CELLS)] or [""]
            pieces += [(f"  {keys:<{KEY_CELLS - 2}}  ", "$text-accent"), lines[0], "\n"]
            pieces += [f"{' ' * (KEY_CELLS + 2)}{line}\n" for line in lines[1:]]
    return Content.assemble(*pieces)


def help_for(here: HasCommands | None, keymap: Mapping[str, str], display: Callable[[Binding], str]) -> HelpScreen:
    """The help of a pane or screen; of all panes where it is None.

    Args:
        here: what has the focus.
        keymap: command id to keys, as the config has them.
        display: how a binding's key is shown.
    """

    def key_of(command: type[Command]) -> str:
        keys = keymap.get(command.id, command.key).split(",")
        return " ".join(display(Binding(key.strip(), "", "")) for key in keys)

    commands = here.COMMAND_CLASSES if here else PANE_COMMANDS
    place = SCOPE_TITLES[commands[0].scope] if here else "all panes"
    shared = [command for command in PANE_COMMANDS if command.on_main_screen and command not in commands]
    sections = (
        section_of(place, commands, key_of),
        section_of("From every pane", shared, key_of),
        HelpSection("In every list", LIST_KEYS),
        section_of("Everywhere", CONSOLE, key_of),
    )
    shown = [section for section in sections if section.rows]
    topic = topic_of(commands[0].scope) if here else ""
    return HelpScreen(f"Help: {place}", help_content(getattr(here, "HELP", ""), shown), topic)


class HelpScreen(ModalScreen[None]):
    """Shows the help of one place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "leave", "close"),
        Binding("t,f3", "topic", "topic"),
    ]

    def __init__(self, title: str, content: Content, topic: str = "") -> None:
        super().__init__(classes="dialog")
        self._heading = title
        self._content = content
        self._topic = topic

    def compose(self) -> ComposeResult:
        """The text, scrolling where it is longer than the screen."""
        with VerticalScroll(classes="dialog-box dialog-long") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = hint(
                (f"t opens the topic {self._topic}" if self._topic else TOPICS_HINT, "t"), ESCAPE_CLOSES
            )
            yield Static(self._content)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_topic(self) -> None:
        """Read the topic about the place; the list of topics where there is none."""
        self.app.switch_screen(TopicsScreen(self._topic))
