"""Prometheus metrics of the engine and the journal; for `listen`, `run` and other long-running commands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.delivery.hold import hold_of
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import Lane, LaneState, State, WorkerInfo
from sprig_tui.journal.retention import RetentionState

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Upper bounds. Segment responds in tens of milliseconds, and each phase of a request times out after 15 s."""
LANE_STATES: tuple[LaneState, ...] = ("open", "waiting", "probing", "paused")
READ_TIMEOUT_S = 2.0
"""Seconds that a scrape waits for the journal: shorter than the timeout of monitors, which is a few seconds."""
UNKNOWN_ENVIRONMENT = "(unknown)"
"""Label of deliveries whose environment is unknown."""


class DeliveryMetrics:
    """Gauges of the journal (over all processes that share it) and counters of this process.

    Pass `record` to the engine as its result listener, and serve `render`. Other metrics may be added to `registry`.
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, journal: Journal, *, clock: Clock | None = None) -> None:
        self.registry = CollectorRegistry()
        self._journal = journal
        self._clock = clock or SystemClock()
        self._journal_readable = Gauge(
            "sprig_tui_journal_readable", "0 while the journal cannot be read.", registry=self.registry
        )
        self._deliveries = self._gauge("deliveries", "Deliveries in the journal by state.", "environment", "state")
        self._in_flight = self._gauge("in_flight", "Queued deliveries that are leased to a worker.", "environment")
        self._queued_elsewhere = self._gauge(
            "queued_elsewhere",
            "Queued deliveries that only a run with --endpoint sends, to that address.",
            "environment",
        )
        self._forgotten = self._gauge(
            "deliveries_forgotten",
            "Deliveries of forgotten persons, which have no content any more; included in the deliveries.",
            "environment",
            "state",
        )
        self._queue_age = self._gauge(
            "queue_age_seconds", "How long the delivery at the head of the queue has been there.", "environment"
        )
        self._lane_state = self._gauge("lane_state", "1 for the state that the lane is in.", "environment", "state")
        self._lane_paused = self._gauge(
            "lane_paused", "1 while a lane is paused: over a refused key, a wrong endpoint, or by hand.", "environment"
        )
        self._lane_held = self._gauge("lane_held", "1 while a user holds a lane until one resumes it.", "environment")
        self._held = self._gauge("held", "Queued deliveries that wait behind a hold.", "environment")
        self._lane_failures = self._gauge("lane_failures", "Failures of a lane in a row.", "environment")
        self._workers = self._gauge("workers", "Live workers on every machine that shares the journal.", "role")
        self._rate = Gauge(
            "sprig_tui_workers_deliveries_per_second",
            "Deliveries per second of all live workers together.",
            registry=self.registry,
        )
        self._retention_removed = self._gauge(
            "retention_removed", "Deliveries that retention removed so far, by state.", "state"
        )
        self._retention_content = Gauge(
            "sprig_tui_retention_content_dropped",
            "Deliveries whose content retention removed so far.",
            registry=self.registry,
        )
        self._retention_passed = Gauge(
            "sprig_tui_retention_last_pass_timestamp_seconds",
            "When retention was applied last; 0 for never.",
            registry=self.registry,
        )
        self._retention_step = Gauge(
            "sprig_tui_retention_longest_step_seconds",
            "The longest time that a step of the last pass held others up.",
            registry=self.registry,
        )
        self._attempts = Counter(
            "sprig_tui_attempts",
            "Requests to Segment by this process, its workers included.",
            ("environment", "outcome", "status"),
            registry=self.registry,
        )
        self._unconfirmed = Counter(
            "sprig_tui_unconfirmed_attempts",
            'Requests that count as delivered although the answer said "success": false.',
            ("environment",),
            registry=self.registry,
        )
        self._latency = Histogram(
            "sprig_tui_attempt_seconds",
            "Time from a request to Segment to its answer.",
            ("environment",),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"sprig_tui_{name}", help_text, labels, registry=self.registry)

    def record(self, environment: str, result: SendResult) -> None:
        """Count the result of one request; status 0 means that no response came, or that there was no OAuth token."""
        self.record_attempt(environment, result.kind, result.status, result.latency_ms, unconfirmed=result.unconfirmed)

    def record_attempt(
        self, environment: str, kind: str, status: int, latency_ms: float, *, unconfirmed: bool = False
    ) -> None:
        """Count the result of a request of this process or of one of its child processes."""
        if unconfirmed:
            self._unconfirmed.labels(environment).inc()
        self._attempts.labels(environment, kind, str(status)).inc()
        self._latency.labels(environment).observe(latency_ms / 1000)

    async def refresh(self) -> dict[str, Lane]:
        """Read the gauges from the journal; returns the lanes. Raises JournalError."""
        counts = await self._journal.counts()
        lanes = await self._journal.lanes()
        oldest = await self._journal.oldest_queued()
        self._set_worker_gauges(await self._journal.workers())
        self._set_retention_gauges(await self._journal.retention.state())
        names = {*counts.by_environment, *lanes}
        for name in names:
            label = name or UNKNOWN_ENVIRONMENT
            states = counts.by_environment.get(name, {})
            for state in State:
                self._deliveries.labels(label, state.value).set(states.get(state, 0))
            for state, number in counts.forgotten.get(name, {}).items():
                self._forgotten.labels(label, state.value).set(number)
            if name:
                self._queued_elsewhere.labels(label).set(counts.queued_elsewhere.get(name, 0))
                self._in_flight.labels(label).set(counts.leased.get(name, 0))
                waited = self._clock.now() - oldest[name] if name in oldest else 0
                self._queue_age.labels(label).set(max(0, waited) / 1000)
        for name, lane in lanes.items():
            if not name:  # deliveries without an environment are never sent
                continue
            for state_name in LANE_STATES:
                self._lane_state.labels(name, state_name).set(lane.state == state_name)
            self._lane_paused.labels(name).set(lane.state == "paused" or lane.pauses > 0)
            self._lane_failures.labels(name).set(lane.failures)
            hold = hold_of(lane, counts, oldest)
            self._lane_held.labels(name).set(hold is not None)
            self._held.labels(name).set(hold.waiting if hold else 0)
        return lanes

    def _set_worker_gauges(self, workers: tuple[WorkerInfo, ...]) -> None:
        self._workers.clear()
        for worker in workers:
            self._workers.labels(worker.role).inc()
        self._rate.set(sum(worker.rate for worker in workers))

    def _set_retention_gauges(self, state: RetentionState) -> None:
        for name, number in state.removed.items():
            self._retention_removed.labels(name).set(number)
        self._retention_content.set(state.content_dropped)
        self._retention_passed.set(state.finished_at / 1000)
        self._retention_step.set(state.longest_step_ms / 1000)

    async def render(self) -> bytes:
        """The registry in Prometheus's text format; gauges keep their values while the journal is unreadable."""
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self.refresh()
        except (JournalError, TimeoutError):
            self._journal_readable.set(0)
        else:
            self._journal_readable.set(1)
        return generate_latest(self.registry)
