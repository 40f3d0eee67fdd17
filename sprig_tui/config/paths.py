"""Paths of config, journal and state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sprig_tui
from sprig_tui.errors import ConfigError, InputError

HOME_VARIABLE = "SPRIG_TUI_HOME"
"""Variable that names one folder for config, journal and state."""
CONSOLE_STATE_NAME = "console.json"
"""File of the state folder with what the console showed last."""


@dataclass(frozen=True)
class Paths:
    """Paths of one installation; nothing is created."""

    config_file: Path
    journal_file: Path
    state_dir: Path
    """Folder of logs and of remembered state."""

    @property
    def log_file(self) -> Path:
        """Log of `run` and the console."""
        return self.state_dir / "sprig-tui.log"

    def as_dict(self) -> dict[str, str]:
        """The paths by the names that `sprig-tui paths` prints."""
        return {
            "config": str(self.config_file),
            "journal": str(self.journal_file),
            "state": str(self.state_dir),
            "log": str(self.log_file),
        }


def find_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """The folders of this system, or the one that SPRIG_TUI_HOME names.

    Raises ConfigError if SPRIG_TUI_HOME cannot be used, and if there is no home folder.
    """
    if HOME_VARIABLE in environ:
        return paths_in_folder(environ[HOME_VARIABLE])
    import platformdirs

    dirs = platformdirs.PlatformDirs("sprig-tui", appauthor=False)
    try:
        places = [Path(place) for place in (dirs.user_config_dir, dirs.user_data_dir, dirs.user_state_dir)]
    except RuntimeError:
        places = []
    # without a home folder some releases of platformdirs return paths that begin with `~`
    if not places or not all(place.is_absolute() for place in places):
        raise ConfigError(
            "no home folder is known: HOME is not set, and the system knows no user of this number",
            hint=f"set HOME, or {HOME_VARIABLE} to the folder for config, journal and log",
        )
    return Paths(config_file=places[0] / "config.toml", journal_file=places[1] / "journal.db", state_dir=places[2])


def paths_in_folder(text: str) -> Paths:
    """All paths in one folder; a relative one is below the current folder."""
    if not text.strip():
        raise ConfigError(f"{HOME_VARIABLE} is empty", hint=f"name a folder in it, or unset {HOME_VARIABLE}")
    try:
        home = Path(text).expanduser().absolute()
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"{HOME_VARIABLE} cannot be used: {error}", hint="name a folder in it") from error
    if home.exists() and not home.is_dir():
        raise ConfigError(f"{HOME_VARIABLE} names a file, not a folder: {home}", hint="name a folder in it")
    return Paths(config_file=home / "config.toml", journal_file=home / "journal.db", state_dir=home / "state")


def samples_folder() -> Path:
    """The folder of sample payloads; raises InputError if this installation has none."""
    package = Path(sprig_tui.__file__).parent
    for folder in (package / "sample_payloads", package.parent / "sample_payloads"):
        if folder.is_dir():
            return folder
    raise InputError("this installation holds no sample payloads", hint="install sprig-tui again")
