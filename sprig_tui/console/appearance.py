"""How the console looks and which keys it has: its themes, its style sheets, and the keymap of the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding
from textual.reactive import Reactive
from textual.theme import Theme

from sprig_tui.console.commands import Command
from sprig_tui.console.palette_colours import palette_filter
from sprig_tui.console.preferences import Preferences, preferences
from sprig_tui.console.styles import first_sheets, later_sheets
from sprig_tui.console.themes import DEFAULT_THEME, THEMES

if TYPE_CHECKING:
    from textual.driver import Driver

    from sprig_tui.config.settings import Settings


class Appearance(App[int]):
    """The app as far as it is seen; `dress` goes by the config, `keep_theme` hears of a theme that was picked."""

    CSS_PATH = first_sheets()
    theme: Reactive[str] = Reactive(DEFAULT_THEME)

    def __init__(self) -> None:
        super().__init__()
        self._configured_theme = DEFAULT_THEME
        self.preferences = Preferences(DEFAULT_THEME, {}, ())
        for theme in THEMES:
            self.register_theme(theme)
        if (filtering := palette_filter(self.console.color_system)) is not None and not self.no_color:
            self._filters.append(filtering)

    def get_driver_class(self) -> type[Driver]:
        """The terminal's, where Textual would take its own for terminals."""
        from textual.drivers.linux_driver import LinuxDriver

        from sprig_tui.console.terminal import HangupDriver

        chosen = super().get_driver_class()
        return HangupDriver if chosen is LinuxDriver else chosen

    def apply_config(self, settings: Settings) -> tuple[str, ...]:
        """Take the theme and the keys of the config; returns what is wrong with them."""
        self.preferences = preferences(settings)
        theme = self._configured_theme = self.preferences.theme
        if theme != self.theme:
            self.theme = theme
        self.set_keymap(self.preferences.keymap)
        return self.preferences.faults

    def keys_of(self, command: type[Command]) -> tuple[str, ...]:
        """The command's keys in use, as Textual names them."""
        from sprig_tui.console.keymap import keys_of

        return keys_of(self.preferences.keymap.get(command.id, command.key))

    def shown_key(self, command: type[Command]) -> str:
        """Its first key, as people know it."""
        return self.get_key_display(Binding(self.keys_of(command)[0], "", ""))

    def watch_theme(self, theme: str) -> None:
        """One that comes from the config is there already; another was picked in the palette."""
        if self.is_running and theme != self._configured_theme:
            self.save_theme(theme)

    def save_theme(self, theme: str) -> None:
        """Use this one the next time, too."""
        raise NotImplementedError

    def get_theme(self, theme_name: str) -> Theme | None:
        """As Textual, and our own from the very beginning: it works out the colours of the first theme only once."""
        own = next((theme for theme in THEMES if theme.name == theme_name), None)
        return own or super().get_theme(theme_name)

    def load_styles(self) -> None:
        """Read the style sheets that the first paint did without."""
        self.stylesheet.read_all(later_sheets())
        self.refresh_css(animate=False)
