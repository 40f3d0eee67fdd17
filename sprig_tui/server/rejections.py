"""Rejected requests of one server: their log, and the metrics of its traffic."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from sprig_tui.server.responses import OnRejection, Rejection, ignore_rejection
from sprig_tui.text import printable

REJECTION_LOG_INTERVAL_S = 60.0
"""Seconds between two lines about the same status, so that clients cannot fill the log."""

_log = logging.getLogger(__name__)


class RejectionLog:
    """Log of rejections, at most one line per status and interval."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[int, float] = {}
        self._suppressed: collections.Counter[int] = collections.Counter()

    def record(self, rejection: Rejection) -> None:
        """Log one rejection, or count it for the next line."""
        now = self._monotonic()
        if now - self._logged_at.get(rejection.status, float("-inf")) < REJECTION_LOG_INTERVAL_S:
            self._suppressed[rejection.status] += 1
            return
        self._logged_at[rejection.status] = now
        more = self._suppressed.pop(rejection.status, 0)
        _log.warning(
            "request rejected, %d: %s (%s from %s)%s",
            rejection.status,
            printable(rejection.reason, limit=300),
            printable(rejection.path, limit=80) or "no path",
            rejection.sender or "an unknown sender",
            f"; {more:,} more since the last line about this status" if more else "",
        )


class TrafficMetrics:
    """Metrics of connections and rejections in `registry`; it also logs the rejections."""

    def __init__(self, registry: CollectorRegistry, *, on_rejection: OnRejection = ignore_rejection) -> None:
        self._on_rejection = on_rejection
        self._rejection_log = RejectionLog()
        self._rejections = Counter(
            "sprig_tui_http_refusals",
            "Rejected requests to any path, by the status of the response.",
            ("status",),
            registry=registry,
        )
        self._dropped = Counter(
            "sprig_tui_http_connections_dropped",
            "Connections closed without a response: TLS handshake failed, client did not read the response,"
            " connection limit reached, no file descriptor left.",
            ("cause",),
            registry=registry,
        )
        self._connections = Gauge("sprig_tui_http_connections", "Open connections.", registry=registry)

    def record_rejection(self, rejection: Rejection) -> None:
        """Count and log one rejection."""
        self._rejections.labels(str(rejection.status)).inc()
        self._rejection_log.record(rejection)
        self._on_rejection(rejection)

    def record_dropped(self, cause: str) -> None:
        """Count one connection that was closed without a response."""
        self._dropped.labels(cause).inc()

    def track_connections(self, count: Callable[[], int]) -> None:
        """Read the number of connections from this function at each scrape."""
        self._connections.set_function(count)
