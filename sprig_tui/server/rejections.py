"""Traffic of one server, as its operator sees it: connections, and every request that was refused."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from sprig_tui.server.responses import OnRejection, Rejection, ignore_rejection
from sprig_tui.text import printable

REJECTION_LOG_INTERVAL_S = 60.0
"""Seconds between two lines about the same thing: strangers must not fill the log."""

_log = logging.getLogger(__name__)


class RejectionLog:
    """Tells of refusals by status."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[int, float] = {}
        self._suppressed: collections.Counter[int] = collections.Counter()

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


class TrafficMetrics:
    """Counts in `registry`, and warns of the first refusal of each kind."""

    def __init__(self, registry: CollectorRegistry, *, on_rejection: OnRejection = ignore_rejection) -> None:
        self._on_rejection = on_rejection
        self._rejection_log = RejectionLog()
        self._refusals = Counter(
            "sprig_tui_http_refusals",
            "Requests that were refused, whatever they asked for, by the status of the answer.",
            ("status",),
            registry=registry,
        )
        self._dropped = Counter(
            "sprig_tui_http_connections_dropped",
            "Connections that were ended without an answer: no TLS handshake, an answer that nobody read,"
            " crowded out by others, no descriptor left.",
            ("cause",),
            registry=registry,
        )
        self._connections = Gauge("sprig_tui_http_connections", "Connections that are open.", registry=registry)

    def record_rejection(self, rejection: Rejection) -> None:
        """One request was refused."""
        self._refusals.labels(str(rejection.status)).inc()
        self._rejection_log.record(rejection)
        self._on_rejection(rejection)

    def record_dropped(self, cause: str) -> None:
        """A connection was ended that is owed no answer."""
        self._dropped.labels(cause).inc()

    def track_connections(self, count: Callable[[], int]) -> None:
        """Ask this for the number of connections."""
        self._connections.set_function(count)
