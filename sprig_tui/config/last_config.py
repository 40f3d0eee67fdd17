"""Config memory: what the config set when it was last in use, kept in the state folder without any value.

A process that starts without the config it had last time can say so. It also tells what a command of ours wrote
(`written`): that is whole, however much it lacks.
"""

from __future__ import annotations

import time
from contextlib import suppress

import msgspec
from msgspec import Struct

from sprig_tui.config.contents import KeyPath, key_paths
from sprig_tui.config.paths import Paths
from sprig_tui.config.toml_file import ConfigFile
from sprig_tui.errors import ConfigError
from sprig_tui.files import make_folder, write_atomically

LAST_CONFIG_FILE = "config-seen.json"
LAST_CONFIG_VERSION = 1


class LastConfig(Struct, frozen=True, kw_only=True):
    """The config as it was last in use."""

    version: int = LAST_CONFIG_VERSION
    file: str = ""
    digest: str = ""
    """Empty where none was ever seen."""
    at: int = 0
    """Wall time, milliseconds since 1970 UTC."""
    keys: tuple[KeyPath, ...] = ()
    """See `key_paths`."""
    written: str = ""
    """Digest of what a command of ours wrote last."""


class LastConfigStore:
    """What is remembered of the config of these paths; where it cannot be kept, nothing is."""

    def __init__(self, paths: Paths) -> None:
        self.file = paths.state_dir / LAST_CONFIG_FILE
        self._config_path = str(paths.config_file)

    def load(self) -> LastConfig:
        """What is remembered; of another file, or unreadable, it counts as nothing."""
        try:
            found = msgspec.json.decode(self.file.read_bytes(), type=LastConfig)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return LastConfig()
        return found if found.file == self._config_path and found.version <= LAST_CONFIG_VERSION else LastConfig()

    def save(self, document: ConfigFile, *, written: bool = False) -> None:
        """This config is in use now. An absent one is not remembered: then what was there before is."""
        before = self.load()
        mine = document.digest if written else before.written
        if document.mode is None or (before.digest, before.written) == (document.digest, mine):
            return
        now = LastConfig(
            file=self._config_path,
            digest=document.digest,
            at=time.time_ns() // 1_000_000,
            keys=tuple(sorted(key_paths(document.tables))),
            written=mine,
        )
        with suppress(ConfigError):
            make_folder(self.file.parent)
            write_atomically(self.file, msgspec.json.encode(now))
