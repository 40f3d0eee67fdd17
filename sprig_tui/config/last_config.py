"""Last config: the keys that were set when the config was last used, kept in the state folder without values.

A process that starts without them can warn. `written` marks a config that sprig-tui wrote itself: it is complete,
even if keys are missing.
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
    """The config as it was last used."""

    version: int = LAST_CONFIG_VERSION
    file: str = ""
    digest: str = ""
    """Empty if there was none."""
    at: int = 0
    """Wall time, milliseconds since 1970 UTC."""
    keys: tuple[KeyPath, ...] = ()
    """From `key_paths`."""
    written: str = ""
    """Digest of the config that sprig-tui wrote last."""


class LastConfigStore:
    """Store of the last config of these paths. Write errors are ignored."""

    def __init__(self, paths: Paths) -> None:
        self.file = paths.state_dir / LAST_CONFIG_FILE
        self._config_path = str(paths.config_file)

    def load(self) -> LastConfig:
        """The last config; an empty one if the file is unreadable or belongs to another config."""
        try:
            last = msgspec.json.decode(self.file.read_bytes(), type=LastConfig)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return LastConfig()
        return last if last.file == self._config_path and last.version <= LAST_CONFIG_VERSION else LastConfig()

    def save(self, document: ConfigFile, *, written: bool = False) -> None:
        """Remember this config as the one in use. An absent config is ignored: the one before it stays."""
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
