"""Last chosen environment: kept in the state folder, so that the next start does not preselect another one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from sprig_tui.config.atomically import make_folder, write_atomically
from sprig_tui.config.environment import Environment
from sprig_tui.errors import ConfigError

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
