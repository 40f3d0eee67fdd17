"""Interface of the app, as its screens, its driver and its advice on keys know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.screen import Screen

    from sprig_tui.console.commands.base import Command
    from sprig_tui.console.environments.config_editor import ConfigEditor
    from sprig_tui.console.flows import Flows
    from sprig_tui.console.preferences_in_use import PreferencesInUse
    from sprig_tui.sprig.held_input import InputSource


class ConsoleApp(Protocol):
    """`SprigTui`, without an import of it."""

    files: tuple[InputSource, ...]
    """Files, or what is held, that are opened in the Payload pane at the start."""
    config_editor: ConfigEditor
    preferences: PreferencesInUse
    flows: Flows

    @property
    def screen(self) -> Screen[Any]:
        """The screen in front."""
        ...

    @property
    def shows_panes(self) -> bool:
        """Whether the main screen is in front."""
        ...

    def focused_scope(self) -> str:
        """The scope of the focused pane; empty where none has the focus."""
        ...

    def hang_up(self) -> None:
        """Leave: the terminal is gone."""
        ...

    def announce_keys(self, read_at: float, keys: int) -> None:
        """Note keys that were read together; called by the thread that reads, before the app gets the first of them."""
        ...

    def refuse_oversized_paste(self, size: int) -> None:
        """Report a paste that was too long to be kept."""
        ...

    def report_stalled_paste(self, size: int | None) -> None:
        """Report a paste whose end does not come, or that was dropped then."""
        ...

    def load_styles(self) -> None:
        """Load the style sheets that the first paint does not need."""
        ...

    def shown_key(self, command: type[Command]) -> str:
        """The first key of a command, as shown to the user."""
        ...

    def get_key_display(self, binding: Binding) -> str:
        """A key as shown to the user."""
        ...
