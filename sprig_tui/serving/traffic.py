"""Traffic of one server, as its operator sees it: connections, and every request that was refused."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from sprig_tui.serving.complaints import Complaints
from sprig_tui.serving.refusals import OnRefusal, Refusal, ignore


class Traffic:
    """Counts in `registry`, and warns of the first refusal of each kind."""

    def __init__(self, registry: CollectorRegistry, *, heard: OnRefusal = ignore) -> None:
        self._heard = heard
        self._complaints = Complaints()
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

    def refused(self, refusal: Refusal) -> None:
        """One request was refused."""
        self._refusals.labels(str(refusal.status)).inc()
        self._complaints.hear(refusal)
        self._heard(refusal)

    def dropped(self, cause: str) -> None:
        """A connection was ended that is owed no answer."""
        self._dropped.labels(cause).inc()

    def watch(self, number: Callable[[], int]) -> None:
        """Ask this for the number of connections."""
        self._connections.set_function(number)
