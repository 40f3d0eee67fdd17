"""Refusals as the operator hears of them: the first of a kind at once, then a number now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from sprig_tui.serving.refusals import Refusal
from sprig_tui.text import printable

EVERY = 60.0
"""Seconds between two lines about the same thing: strangers must not fill the log."""

_log = logging.getLogger(__name__)


class Complaints:
    """Tells of refusals by status."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[int, float] = {}
        self._untold: Counter[int] = Counter()

    def hear(self, refusal: Refusal) -> None:
        """One request was refused."""
        now = self._monotonic()
        if now - self._told.get(refusal.status, float("-inf")) < EVERY:
            self._untold[refusal.status] += 1
            return
        self._told[refusal.status] = now
        more = self._untold.pop(refusal.status, 0)
        _log.warning(
            "request refused, %d: %s (%s from %s)%s",
            refusal.status,
            printable(refusal.why, limit=300),
            printable(refusal.path, limit=80) or "no path",
            refusal.sender or "an unknown sender",
            f"; {more:,} more since the last such line" if more else "",
        )
