"""Start of a process on its config: one that was there last time and is not now gets a moment to come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from sprig_tui.config.contents import contents_of, lost_names
from sprig_tui.config.memory import ConfigMemory, ConfigSeen
from sprig_tui.config.paths import Paths
from sprig_tui.config.reload import listed
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError

PATIENCE_S = 3.0
"""Seconds that a config which is missing, or lacks what it had, gets: whoever replaces it takes less."""
FRESH_S = 2.0
"""Seconds for which a config that lacks what it had must not have changed."""
_EVERY_S = 0.1


def load_at_start(
    paths: Paths,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Settings:
    """The settings; waits a moment where the config is being replaced. Raises ConfigError."""
    deadline = monotonic() + PATIENCE_S
    seen = ConfigMemory(paths).seen()
    while True:
        late = monotonic() >= deadline
        try:
            settings = load_settings(paths)
        except ConfigError:
            if late or not seen.digest:
                raise
        else:
            if late or not _suspicious(settings, seen):
                return settings
        sleep(_EVERY_S)


def _suspicious(settings: Settings, seen: ConfigSeen) -> bool:
    document = settings.document
    if not seen.digest or document.digest in (seen.digest, seen.written):
        return False
    if document.mode is None or (seen.keys and not document.tables):
        return True
    if not lost_names(frozenset(seen.keys), contents_of(document.tables)):
        return False
    try:
        age = time.time() - document.file.stat().st_mtime
    except OSError:
        return True
    return 0 <= age < FRESH_S


def missing_since(paths: Paths, settings: Settings) -> Iterator[tuple[str, str]]:
    """What the config had when it was last in use and has not now, as a sentence and what to do about it."""
    memory = ConfigMemory(paths)
    seen, document = memory.seen(), settings.document
    if not seen.digest or document.digest in (seen.digest, seen.written):
        return
    when = datetime.fromtimestamp(seen.at / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    if document.mode is None:
        had = lost_names(frozenset(seen.keys), frozenset())
        yield (
            f"{document.file} is not there, and was on {when}: the defaults hold for {listed(had) or 'all of it'}",
            f"put it back; if it is meant to be gone, remove {memory.file} too",
        )
    elif lost := lost_names(frozenset(seen.keys), contents_of(document.tables)):
        yield (
            f"{document.file} lacks what it had on {when}: {listed(lost)}",
            "look at it, if that is not meant",
        )
