"""Preferences in use: those of the config, on the app, and the columns that a person chose since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sprig_tui.console.environments.warnings import config_warnings
from sprig_tui.console.glyphs import AsciiGlyphs, terminal_encoding
from sprig_tui.console.notify import notify
from sprig_tui.console.preferences import Preferences, preferences
from sprig_tui.console.textual_private import use_ascii
from sprig_tui.console.theme import DEFAULT_THEME

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.alerts import TerminalAlerts
    from sprig_tui.console.commands.base import Command
    from sprig_tui.console.environments.config_editor import ConfigEditor
    from sprig_tui.console.flows import Flows
    from sprig_tui.console.session import Session
    from sprig_tui.console.textual_private import TextualApp
    from sprig_tui.console.widgets.columns import ChosenColumn


class PreferencesInUse:
    """Puts theme, keys, glyphs and alerts on the app, and saves what is chosen in the console."""

    def __init__(
        self,
        app: TextualApp,
        session: Session,
        config_editor: ConfigEditor,
        alerts: TerminalAlerts,
        flows: Flows,
        *,
        usual_theme: str,
    ) -> None:
        """`usual_theme` is the one where the config names none."""
        self._app = app
        self._session = session
        self._config_editor = config_editor
        self._alerts = alerts
        self._flows = flows
        self._usual_theme = usual_theme
        self._ascii = AsciiGlyphs(terminal_encoding())
        self._chosen_columns: dict[str, tuple[ChosenColumn, ...]] = {}
        """Chosen in this console, and not in its config yet."""
        self.configured = Preferences(DEFAULT_THEME, {}, ())
        """Those of the config."""
        self.warnings: tuple[str, ...] = ()
        """About the config, and about what it says of preferences."""

    def apply(self, settings: Settings) -> None:
        """Use what the config says, and keep its warnings."""
        app, chosen = self._app, preferences(settings, usual_theme=self._usual_theme)
        self.configured = chosen
        use_ascii(app, self._ascii, wanted=self.is_ascii)
        self._alerts.method = chosen.alerts
        if chosen.theme != app.theme:
            app.theme = chosen.theme
        app.set_keymap(chosen.keymap)
        self.warnings = (*config_warnings(settings, self._session.clock.now()), *chosen.faults)

    @property
    def is_ascii(self) -> bool:
        """Whether every glyph is one of ASCII."""
        return self.configured.glyphs == "ascii"

    @property
    def columns(self) -> Mapping[str, tuple[ChosenColumn, ...]]:
        """Columns of the lists by their keys in `[console]`: those chosen here, which may not be stored, first."""
        return {**self.configured.columns, **self._chosen_columns}

    def keys_of(self, command: type[Command]) -> tuple[str, ...]:
        """The command's keys in use, as Textual names them."""
        from sprig_tui.console.commands.keymap import keys_of

        return keys_of(self.configured.keymap.get(command.id, command.key))

    # -- saving --------------------------------------------------------------------------------------------------------

    def save_theme(self, theme: str) -> None:
        """Save a theme that was picked."""
        if theme != self.configured.theme:
            self._save("theme", theme, f"theme {theme}")

    def choose_columns(self, key: str, columns: tuple[ChosenColumn, ...]) -> None:
        """Use the columns of a list that were chosen, and save them."""
        self._chosen_columns[key] = columns
        texts = [column.text for column in columns]
        self._save(key, texts or None, "columns" if texts else "the columns that fit the width")

    def _save(self, key: str, value: str | list[str] | None, said: str) -> None:
        """Save a key of `[console]`, where the config may be changed; else say that it is not stored."""
        permissions = self._session.permissions
        if permissions.read_only or not permissions.config:
            why = "this console is read-only" if permissions.read_only else "this is the demo"
            notify(self._app, f"{said}, for now: {why}")
        else:
            self._flows.run(self._write(key, value, said), opens=False)

    async def _write(self, key: str, value: str | list[str] | None, said: str) -> None:
        await self._config_editor.save_preference(key, value, called=said)
        self._chosen_columns.pop(key, None)
        notify(self._app, f"{said}, saved for the next start in {self._session.dependencies.paths.config_file}")
