"""Start of a process on its config: one that was there last time and is not now gets a moment to come back."""

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
"""Seconds that a config which is missing, or lacks what it had, gets: whoever replaces it takes less."""
MIN_CONFIG_AGE_S = 2.0
"""Seconds for which a config that lacks what it had must not have changed."""
_POLL_INTERVAL_S = 0.1


def load_settings_at_start(
    paths: Paths,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Settings:
    """The settings; waits a moment where the config is being replaced. Raises ConfigError."""
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
    """What the config had when it was last in use and has not now, as a sentence and what to do about it."""
    memory = LastConfigStore(paths)
    seen, document = memory.load(), settings.document
    if not seen.digest or document.digest in (seen.digest, seen.written):
        return
    when = datetime.fromtimestamp(seen.at / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    if document.mode is None:
        had = removed_keys(frozenset(seen.keys), frozenset())
        yield (
            f"{document.file} is not there, and was on {when}: the defaults hold for {join_names(had) or 'all of it'}",
            f"put it back; if it is meant to be gone, remove {memory.file} too",
        )
    elif lost := removed_keys(frozenset(seen.keys), key_paths(document.tables)):
        yield (
            f"{document.file} lacks what it had on {when}: {join_names(lost)}",
            "look at it, if that is not meant",
        )
