"""Prometheus metrics of the webhook receiver."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sprig_tui.delivery.metrics import UNKNOWN_ENVIRONMENT
from sprig_tui.journal.records import AddResult, NewDelivery, State

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class WebhookMetrics:
    """Counters of webhook requests and of the records in them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = 0
        """Requests answered with 200."""
        self.rejected = 0
        self._statuses = Counter(
            "sprig_tui_webhook_requests",
            "Requests by the status of the response, without those to the health endpoints.",
            ("status",),
            registry=registry,
        )
        self._by_status: dict[int, Counter] = {}
        self._by_outcome: dict[tuple[str, str], Counter] = {}
        """Counters that were looked up before; `labels` costs more than counting."""
        self._seconds = Histogram(
            "sprig_tui_webhook_seconds",
            "From a request's headers to its response.",
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._records = Counter(
            "sprig_tui_webhook_records",
            "Records in webhooks by outcome: queued, withheld, or known (already in the journal).",
            ("environment", "outcome"),
            registry=registry,
        )
        self._buffered_bytes = Gauge(
            "sprig_tui_webhook_bytes_in_hand", "Bodies received and not yet in the journal.", registry=registry
        )

    def record_status(self, status: int) -> None:
        """Count one response."""
        if status == 200:
            self.requests += 1
        else:
            self.rejected += 1
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._statuses.labels(str(status))
        counter.inc()

    def record_duration(self, seconds: float) -> None:
        """Observe the time from a webhook's headers to its response."""
        self._seconds.observe(seconds)

    def record_entry(self, entry: NewDelivery, added: AddResult) -> None:
        """Count one record by the result of adding it."""
        outcome = "known" if added.outcome == "known" else "queued" if added.state is State.QUEUED else "withheld"
        labels = (entry.environment or UNKNOWN_ENVIRONMENT, outcome)
        counter = self._by_outcome.get(labels)
        if counter is None:
            counter = self._by_outcome[labels] = self._records.labels(*labels)
        counter.inc()

    def track_buffered_bytes(self, get_bytes: Callable[[], int]) -> None:
        """Read the number of buffered bytes from this function at each scrape."""
        self._buffered_bytes.set_function(get_bytes)
