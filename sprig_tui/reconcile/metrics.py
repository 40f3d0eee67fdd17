"""Prometheus metrics of the last comparison of each environment.

Gauges of an environment are there once it was compared. Sent and received are of the buckets that are old enough to be
judged; where Segment was not, or could not be, asked they are absent, so that nobody reads a 0 into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Gauge

from sprig_tui.clock import Clock
from sprig_tui.reconcile.model import EnvironmentReport, Report, Verdict


class ReconcileMetrics:
    """Gauges of the last comparisons."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._registry = registry
        self._sent = self._gauge("sent", "Message ids that Segment took in the compared time, repeats not counted.")
        self._received = self._gauge("received", "Events that Segment counted as received in the compared time.")
        self._short = self._gauge("short", "Message ids of the compared time that Segment did not count, at least.")
        self._compared = self._gauge("compared", "1 if the last comparison has a verdict, 0 if Segment did not say.")
        self._age = self._gauge("age_seconds", "Time since the last comparison.")
        self._failed = Gauge(
            "sprig_tui_reconcile_failed",
            "1 if the last comparison that this process made in the background failed.",
            registry=registry,
        )

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"sprig_tui_reconcile_{name}", help_text, ("environment",), registry=self._registry)

    def show(self, reports: Mapping[str, Report]) -> None:
        """Set the gauges to these reports, by environment; those of other environments are removed."""
        for gauge in (self._sent, self._received, self._short, self._compared, self._age):
            gauge.clear()
        for name, report in reports.items():
            found = next((one for one in report.environments if one.environment == name), None)
            if found is not None:
                self._show_environment(found, partial(self._seconds_since, report.asked_at))

    def set_failed(self, *, failed: bool) -> None:
        """Whether the last comparison failed."""
        self._failed.set(failed)

    def _show_environment(self, found: EnvironmentReport, seconds_since: Callable[[], float]) -> None:
        name = found.environment
        judged = [one for one in found.buckets if one.received is not None and one.verdict is not Verdict.TOO_YOUNG]
        self._compared.labels(name).set(found.verdict is not Verdict.CANNOT_ASK)
        self._age.labels(name).set_function(seconds_since)
        if judged:
            self._sent.labels(name).set(sum(one.distinct for one in judged))
            self._received.labels(name).set(sum(one.received or 0 for one in judged))
            self._short.labels(name).set(found.short)

    def _seconds_since(self, at: int) -> float:
        return max(0, self._clock.now() - at) / 1000
