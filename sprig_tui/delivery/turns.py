"""Shorter turns at the interpreter while a thread works without a pause: others get theirs sooner."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

SWITCH_INTERVAL_S = 0.001
"""Seconds. SQLite, compression and sockets run beside Python code, but each time one of them is done it waits for the
interpreter: with Python's own 5 ms mostly for longer than it had worked. Shorter ones gained nothing more."""


class ShortSwitchInterval:
    """A short switch interval for the whole process; blocks may overlap, and the last to end restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._previous_s = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._previous_s = sys.getswitchinterval()
                sys.setswitchinterval(min(self._previous_s, SWITCH_INTERVAL_S))
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                sys.setswitchinterval(self._previous_s)


SHORT_SWITCH_INTERVAL = ShortSwitchInterval()
"""The one there is, since the setting is the process's."""
