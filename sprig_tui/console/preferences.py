"""Last chosen environment: kept in the state folder, so that the next start does not preselect another one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.theme import BUILTIN_THEMES

from sprig_tui.config.environment import Environment
from sprig_tui.console.theme import THEMES, choose_theme
from sprig_tui.errors import ConfigError, KeymapError
from sprig_tui.files import make_folder, write_atomically

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings


CHOICE_FILE_NAME = "environment"
MAX_CHOICE_BYTES = 200

_log = logging.getLogger(__name__)


class LastChoice:
    """Reads and writes one name; what cannot be read or written is as if nothing was remembered."""

    def __init__(self, state_dir: Path, *, writes: bool) -> None:
        """`writes`: False for consoles that leave nothing behind (demo, read-only)."""
        self._file = state_dir / CHOICE_FILE_NAME
        self._writes = writes

    def read(self) -> str:
        """The name; empty where none is known."""
        try:
            with self._file.open("rb") as stream:
                return stream.read(MAX_CHOICE_BYTES).decode().strip()
        except (OSError, ValueError):
            return ""

    def write(self, name: str) -> None:
        """Remember this one; never raises."""
        if not self._writes:
            return
        try:
            make_folder(self._file.parent)
            write_atomically(self._file, f"{name}\n".encode())
        except ConfigError as error:
            _log.warning("the chosen environment is not remembered: %s", error.message)


def initial_environment(remembered: str, environments: Mapping[str, Environment]) -> str:
    """The environment to begin with: the remembered one, else one with a key, and one that is not protected first."""
    if remembered in environments:
        return remembered
    keyed = [one for one in environments.values() if one.write_key is not None]
    free = [one for one in keyed if not one.protected]
    return next((one.name for one in [*free, *keyed, *environments.values()]), "")


class Preferences(NamedTuple):
    """What the console goes by; key bar, help and doctor tell the same."""

    theme: str
    keymap: dict[str, str]
    """Command id to keys by comma; empty where the config has none, or one that is refused."""
    faults: tuple[str, ...]
    """What is refused, and why, a sentence each."""


def preferences(settings: Settings) -> Preferences:
    """Those of the config; one fault in the keymap refuses all of it."""
    theme, theme_fault = choose_theme(
        settings.console.get("theme"), {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}
    )
    faults = [theme_fault] if theme_fault else []
    keymap: dict[str, str] = {}
    if settings.keys:
        from sprig_tui.console.commands.keymap import check_keymap
        from sprig_tui.console.commands.registry import key_slots

        try:
            keymap = check_keymap(settings.keys, key_slots())
        except KeymapError as error:
            faults.append(f"{error.message}; {error.hint}; all keys are as they came")
    return Preferences(theme, keymap, tuple(faults))
