"""Pipeline of the fake Segment behind its 200: what becomes of an event is counted, and only counted.

Suppressed user -> gone without a count; else received -> tracking plan -> for each enabled destination the integrations
object, filters, mappings, delivery. Faults may interfere at each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sprig_tui.segment.sink.workspace import counts as steps
from sprig_tui.segment.sink.workspace import fql
from sprig_tui.segment.sink.workspace.counts import Counts, Series
from sprig_tui.segment.sink.workspace.errors import FqlError
from sprig_tui.segment.sink.workspace.fault_rules import FaultKind, FaultRules
from sprig_tui.segment.sink.workspace.model import Record, Workspace, source_name
from sprig_tui.segment.sink.workspace.tracking_plan import plan_reason

DEFAULT_DELAY_S = 30.0
"""Segment's counts are about 30 s behind ingestion (facts: Delivery Overview)."""
LOST = "lost"
SUPPRESSED = "suppressed"


class Pipeline:
    """The tracking endpoint's observer; the counts are seen `delay_s` seconds after an event came."""

    def __init__(self, workspace: Workspace, counts: Counts, faults: FaultRules, *, delay_s: float) -> None:
        self._workspace = workspace
        self._counts = counts
        self.faults = faults
        self._delay_ms = round(delay_s * 1000)

    def loss_reason(self, key: str, message: Mapping[str, Any]) -> str:
        """Why an event is counted nowhere although it gets a 200; empty if it is taken."""
        source = self._workspace.source_of_key(key)
        if source is None:
            return ""
        if message.get("userId") in self._workspace.suppressed:
            return SUPPRESSED
        self.faults.advance(source["id"])
        return LOST if self.faults.find(FaultKind.LOST, source["id"], source_name(source)) else ""

    def on_rejected(self, key: str, message: Mapping[str, Any], at: int, reason: str) -> None:
        """Count an event that failed on ingest; a key that belongs to nobody counts nowhere."""
        source = self._workspace.source_of_key(key)
        if source is not None:
            self._add(steps.FAILED_ON_INGEST, source["id"], message, at, reason=reason)

    def on_received(self, key: str, event: Mapping[str, Any], at: int, *, repeat: bool) -> None:
        """Count an event at each step; a repeat of a message id at most as received."""
        source = self._workspace.source_of_key(key)
        if source is None:
            return
        source_id, name = source["id"], source_name(source)
        late = self.faults.find(FaultKind.LATE, source_id, name)
        at_source = _Arrival(source_id, event, at, round(late.seconds * 1000) if late else 0)
        if repeat:
            if self.faults.find(FaultKind.REPEATS, source_id, name):
                self._count(steps.RECEIVED, at_source)
            return
        self._count(steps.RECEIVED, at_source)
        reason = plan_reason(self._workspace, source_id, event)
        if reason:
            self._count(steps.FILTERED_AT_SOURCE, at_source, reason=reason)
            return
        for destination in self._workspace.destinations_of(source_id):
            if destination.get("enabled") is not False:
                self._deliver(destination, name, at_source)

    def _deliver(self, destination: Record, source_name: str, arrival: _Arrival) -> None:
        reason = self._filter_reason(destination, arrival.event)
        if reason:
            self._count(steps.FILTERED_AT_DESTINATION, arrival, destination["id"], reason)
            return
        where = (arrival.source_id, source_name, destination["id"], str(destination.get("name", "")))
        failed = self.faults.find(FaultKind.FAILED, *where)
        retried = self.faults.find(FaultKind.RETRIED, *where)
        if failed:
            self._count(steps.FAILED_DELIVERY, arrival, destination["id"], failed.reason)
        else:
            attempt = f"successes.attempt.{retried.attempts if retried else 1}"
            self._count(steps.DELIVERED, arrival, destination["id"], attempt)

    def _filter_reason(self, destination: Record, event: Mapping[str, Any]) -> str:
        if not _integration_is_on(event.get("integrations"), destination):
            return "FILTERED_BY_INTEGRATIONS_OBJECT"
        for one in self._workspace.filters:
            if one["destinationId"] == destination["id"] and one.get("enabled") and drops(one, event):
                return "FILTERED_BY_RULES"
        mappings = [one for one in self._workspace.subscriptions if one["destinationId"] == destination["id"]]
        if mappings and not any(one.get("enabled") and _fulfils(one["trigger"], event) for one in mappings):
            return "NO_MATCHING_MAPPING"
        return ""

    def _count(self, step: str, arrival: _Arrival, destination_id: str = "", reason: str = "") -> None:
        self._add(
            step, arrival.source_id, arrival.event, arrival.at,
            destination_id=destination_id, reason=reason, late_ms=arrival.late_ms,
        )  # fmt: skip

    def _add(
        self,
        step: str,
        source_id: str,
        message: Mapping[str, Any],
        at: int,
        *,
        destination_id: str = "",
        reason: str = "",
        late_ms: int = 0,
    ) -> None:
        context = message.get("context")
        app = context.get("app") if isinstance(context, dict) else None
        version = app.get("version") if isinstance(app, dict) else None
        event, kind = message.get("event"), message.get("type")
        series = Series(
            step=step,
            source_id=source_id,
            destination_id=destination_id,
            eventName=event if isinstance(event, str) else "",
            eventType=kind[:20] if isinstance(kind, str) else "",
            appVersion=version[:50] if isinstance(version, str) else "",
            discardReason=reason,
        )
        self._counts.add(series, at, seen_at=at + self._delay_ms + late_ms)


class _Arrival:
    """One event at its source; `late_ms` is how much later than usual it is seen."""

    __slots__ = ("at", "event", "late_ms", "source_id")

    def __init__(self, source_id: str, event: Mapping[str, Any], at: int, late_ms: int) -> None:
        self.source_id = source_id
        self.event = event
        self.at = at
        self.late_ms = late_ms


def drops(rule: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a destination filter drops this event; the sampling of a filter is not imitated."""
    return _fulfils(rule["if"], event) and any(action.get("type") == "DROP" for action in rule["actions"])


def _fulfils(condition: str, event: Mapping[str, Any]) -> bool:
    try:
        return fql.matches(condition, event)
    except FqlError:
        return False


def _integration_is_on(integrations: object, destination: Record) -> bool:
    if not isinstance(integrations, dict):
        return True
    names = {str(destination.get("name")), str((destination.get("metadata") or {}).get("name"))}
    own = next((integrations[name] for name in names if name in integrations), None)
    return (integrations.get("All") is not False) if own is None else own is not False
