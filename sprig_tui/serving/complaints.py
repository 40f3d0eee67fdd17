"""Refusals as the operator hears of them: the first of a kind at once, then a number now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from sprig_tui.serving.refusals import Rejection
from sprig_tui.text import printable

REJECTION_LOG_INTERVAL_S = 60.0
"""Seconds between two lines about the same thing: strangers must not fill the log."""

_log = logging.getLogger(__name__)


class RejectionLog:
    """Tells of refusals by status."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[int, float] = {}
        self._suppressed: Counter[int] = Counter()

    def record(self, rejection: Rejection) -> None:
        """One request was refused."""
        now = self._monotonic()
        if now - self._logged_at.get(rejection.status, float("-inf")) < REJECTION_LOG_INTERVAL_S:
            self._suppressed[rejection.status] += 1
            return
        self._logged_at[rejection.status] = now
        more = self._suppressed.pop(rejection.status, 0)
        _log.warning(
            "request refused, %d: %s (%s from %s)%s",
            rejection.status,
            printable(rejection.reason, limit=300),
            printable(rejection.path, limit=80) or "no path",
            rejection.sender or "an unknown sender",
            f"; {more:,} more since the last such line" if more else "",
        )
