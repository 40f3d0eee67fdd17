"""Refused webhooks as the operator hears of them: the first of a kind at once, then a number now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

EVERY = 60.0
"""Seconds between two lines about the same thing: strangers must not fill the log."""

_log = logging.getLogger(__name__)


class Complaints:
    """Tells of refusals by status and words."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[int, float] = {}
        self._untold: Counter[int] = Counter()

    def hear(self, status: int, path: str, sender: str, why: str) -> None:
        """One webhook was refused."""
        now = self._monotonic()
        if now - self._told.get(status, float("-inf")) < EVERY:
            self._untold[status] += 1
            return
        self._told[status] = now
        more = self._untold.pop(status, 0)
        again = f"; {more:,} more since the last such line" if more else ""
        _log.warning("webhook refused, %d: %s (%s from %s)%s", status, why, path[:80], sender, again)
