"""What the receiver itself counts, in the registry it shares with the deliveries' metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sprig_tui.delivery.metrics import UNKNOWN_ENVIRONMENT
from sprig_tui.journal.records import AddResult, NewDelivery, State

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class WebhookMetrics:
    """Counts requests and the records in them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = 0
        """Taken: answered 200."""
        self.refused = 0
        self._statuses = Counter(
            "sprig_tui_webhook_requests",
            "Requests by the status of the answer, but for those of monitors.",
            ("status",),
            registry=registry,
        )
        self._seconds = Histogram(
            "sprig_tui_webhook_seconds",
            "From a request's headers to its answer.",
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._records = Counter(
            "sprig_tui_webhook_records",
            "Records in webhooks, and what became of them: queued, withheld, or known from before.",
            ("environment", "outcome"),
            registry=registry,
        )
        self._buffered_bytes = Gauge(
            "sprig_tui_webhook_bytes_in_hand", "Bodies received and not yet in the journal.", registry=registry
        )

    def record_status(self, status: int) -> None:
        """One request was answered, wherever."""
        if status == 200:
            self.requests += 1
        else:
            self.refused += 1
        self._statuses.labels(str(status)).inc()

    def record_duration(self, seconds: float) -> None:
        """One webhook was answered."""
        self._seconds.observe(seconds)

    def record_entry(self, entry: NewDelivery, added: AddResult) -> None:
        """One record was stored, or known."""
        outcome = "known" if added.outcome == "known" else "queued" if added.state is State.QUEUED else "withheld"
        self._records.labels(entry.environment or UNKNOWN_ENVIRONMENT, outcome).inc()

    def track_buffered_bytes(self, get_bytes: Callable[[], int]) -> None:
        """Ask this for the bytes in hand."""
        self._buffered_bytes.set_function(get_bytes)
