"""Config at startup: waits for a config that is being replaced, and names keys that were lost since the last use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from sprig_tui.config.contents import join_names, key_paths, removed_keys
from sprig_tui.config.last_config import LastConfig, LastConfigStore
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError

CONFIG_WAIT_TIMEOUT_S = 3.0
"""Wait for a config that is missing or has lost keys: another program may be replacing it."""
MIN_CONFIG_AGE_S = 2.0
"""Age from which a config that has lost keys is used without waiting."""
_POLL_INTERVAL_S = 0.1


def load_settings_at_start(
    paths: Paths,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Settings:
    """The settings; waits up to CONFIG_WAIT_TIMEOUT_S if the config seems to be incomplete. Raises ConfigError."""
    deadline = monotonic() + CONFIG_WAIT_TIMEOUT_S
    seen = LastConfigStore(paths).load()
    while True:
        late = monotonic() >= deadline
        try:
            settings = load_settings(paths)
        except ConfigError:
            if late or not seen.digest:
                raise
        else:
            if late or not _is_incomplete(settings, seen):
                return settings
        sleep(_POLL_INTERVAL_S)


def _is_incomplete(settings: Settings, seen: LastConfig) -> bool:
    document = settings.document
    if not seen.digest or document.digest in (seen.digest, seen.written):
        return False
    if document.mode is None or (seen.keys and not document.tables):
        return True
    if not removed_keys(frozenset(seen.keys), key_paths(document.tables)):
        return False
    try:
        age = time.time() - document.file.stat().st_mtime
    except OSError:
        return True
    return 0 <= age < MIN_CONFIG_AGE_S


def removed_since_last_use(paths: Paths, settings: Settings) -> Iterator[tuple[str, str]]:
    """Keys that the config had when it was last used and has no longer: a sentence and the next step."""
    memory = LastConfigStore(paths)
    seen, document = memory.load(), settings.document
    if not seen.digest or document.digest in (seen.digest, seen.written):
        return
    when = datetime.fromtimestamp(seen.at / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    if document.mode is None:
        had = removed_keys(frozenset(seen.keys), frozenset())
        yield (
            f"{document.file} is not there, and was on {when}: defaults are used for {join_names(had) or 'everything'}",
            f"restore it; if it was removed on purpose, remove {memory.file} too",
        )
    elif lost := removed_keys(frozenset(seen.keys), key_paths(document.tables)):
        yield (
            f"{document.file} lacks what it had on {when}: {join_names(lost)}",
            "check it, unless that is intended",
        )
