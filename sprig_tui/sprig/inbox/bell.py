"""Tells when it is worth looking at a folder again: the system says so, and every few seconds anyway."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import aclosing

from sprig_tui.sprig.inbox.names import classify_name

CHECK_INTERVAL_MS = 1_000
"""How often it is checked that the folder watched is still the one of that name."""
RETRY_INTERVAL_S = 0.5
"""Seconds between two tries to watch a folder that is not there."""
WATCH_LIMIT_RETRY_S = 30.0
"""Seconds until the system is asked again that had no more watches to give."""
DEBOUNCE_MS = 300
"""Changes of so long are told together."""

_log = logging.getLogger(__name__)


class FolderNotifier:
    """`rung` is set whenever something may have changed; whoever looks clears it first.

    Survives the folder being removed and made again. Where the system tells of no changes (network file systems, no
    watches left) it is silent: looking every few seconds finds them all the same.
    """

    def __init__(self, folder: str) -> None:
        self.changed = asyncio.Event()
        self._folder = folder
        self._warned = False

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except FileNotFoundError:
                await asyncio.sleep(RETRY_INTERVAL_S)
            except OSError as error:
                self._warn_once(error.strerror or str(error))
                await asyncio.sleep(CHECK_INTERVAL_MS / 1000)
            except RuntimeError as error:  # how watchfiles says that no inotify instance or watch is left
                self._warn_once(str(error))
                await asyncio.sleep(WATCH_LIMIT_RETRY_S)
            except ExceptionGroup as group:
                # What came of the thread that waits. A name that is no UTF-8 is such an error too, and is a change.
                _, others = group.split((OSError, RuntimeError))
                if others is not None:
                    raise others from None
                _log.debug("watching %s anew: %s", self._folder, group.exceptions[0])
                self.changed.set()
                await asyncio.sleep(RETRY_INTERVAL_S)

    def _warn_once(self, why: str) -> None:
        if not self._warned:
            _log.warning(
                "the system tells nothing of changes in %s (%s): it is looked at every few seconds instead",
                self._folder,
                why,
            )
        self._warned = True

    async def _watch(self) -> None:
        """Until the folder is another, or gone."""
        from watchfiles import awatch

        identity = _folder_identity(self._folder)
        if identity is None:
            raise FileNotFoundError(self._folder)
        watching = awatch(
            self._folder,
            watch_filter=lambda _, path: classify_name(os.path.basename(path)) in ("answers", "other"),  # noqa: PTH119 - a bare text
            debounce=DEBOUNCE_MS,
            rust_timeout=CHECK_INTERVAL_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        first = True
        async with aclosing(watching) as changes:
            async for found in changes:
                # what came before the watch stood was told to nobody
                if found or first:
                    self.changed.set()
                first = False
                if _folder_identity(self._folder) != identity:
                    self.changed.set()
                    return


def _folder_identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)  # noqa: PTH116 - a bare text
    except OSError:
        return None
    return status.st_dev, status.st_ino
