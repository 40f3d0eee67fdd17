"""Counts of the fake Public API: Delivery Overview, volume of events, and delivery metrics of a destination."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sprig_tui.segment.sink.workspace import counts as steps
from sprig_tui.segment.sink.workspace.counts import Counts, Series
from sprig_tui.segment.sink.workspace.errors import ApiError, invalid
from sprig_tui.segment.sink.workspace.model import Record, Workspace
from sprig_tui.segment.sink.workspace.paging import page
from sprig_tui.segment.sink.workspace.query import one_text, texts

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LEEWAY_MS = 60_000
"""By which a start may be older than allowed: clocks differ, and a request takes time."""
WIDTHS_MS = {"MINUTE": steps.MINUTE_MS, "HOUR": _HOUR_MS, "DAY": _DAY_MS}
OVERVIEW_RANGES_MS = {
    "MINUTE": (4 * _HOUR_MS, 48 * _HOUR_MS),
    "HOUR": (14 * _DAY_MS, 30 * _DAY_MS),
    "DAY": (30 * _DAY_MS, 30 * _DAY_MS),
}
"""Granularity -> longest range, oldest start (facts: Delivery Overview)."""
METRICS_RANGES_MS = {
    "MINUTE": (4 * _HOUR_MS, 48 * _HOUR_MS),
    "HOUR": (7 * _DAY_MS, 7 * _DAY_MS),
    "DAY": (14 * _DAY_MS, 14 * _DAY_MS),
}
MAX_VOLUME_ENTRIES = 5_000
_SOURCE_DIMENSIONS = ("eventName", "eventType", "appVersion")
_DESTINATION_DIMENSIONS = (
    *_SOURCE_DIMENSIONS, "discardReason", "subscriptionId", "activationId", "audienceId", "spaceId",
)  # fmt: skip


class _Window(NamedTuple):
    """The asked time, ms since 1970 UTC: `end` is exclusive."""

    start: int
    end: int
    width: int
    granularity: str


class MetricsRoutes:
    """Handlers of the routes that answer with counts. `now` gives the server's time."""

    def __init__(self, workspace: Workspace, counts: Counts, now: Callable[[], int]) -> None:
        self._workspace = workspace
        self._counts = counts
        self._now = now
        self.fills_empty_buckets = False
        """Whether a series has its empty buckets, too; which of both Segment does is documented nowhere."""

    def overview(self, step: str, query: Mapping[str, Any]) -> Record:
        """`GET /delivery-overview/{step}`."""
        source_id = _required(query, "sourceId")
        destination_id = _required(query, "destinationConfigId") if step in steps.DESTINATION_STEPS else ""
        window = self._window(query, OVERVIEW_RANGES_MS)
        dimensions = _SOURCE_DIMENSIONS if step == steps.RECEIVED else (*_SOURCE_DIMENSIONS, "discardReason")
        grouped = _dimensions(query, _DESTINATION_DIMENSIONS if step in steps.DESTINATION_STEPS else dimensions)
        self._workspace.get_source(source_id)
        if destination_id:
            self._workspace.get_destination(destination_id, source_id=source_id)
        wanted = _filters(query)

        def matches(series: Series) -> bool:
            return (
                series.step == step
                and series.source_id == source_id
                and series.destination_id == destination_id
                and all(getattr(series, name) in values for name, values in wanted.items())
            )

        rows = self._rows(matches, window, lambda series: tuple(getattr(series, name, "") for name in grouped))
        dataset = [
            {**{name: text for name, text in zip(grouped, group, strict=True) if hasattr(Series, name)}, **row}
            for group, row in rows
        ]
        entries, pagination = page(dataset, query)
        return {"total": sum(row["total"] for row in dataset), "dataset": entries, "pagination": pagination}

    def volume(self, query: Mapping[str, Any]) -> Record:
        """`GET /events/volume`: events that were received, after validation."""
        window = self._window(query, None)
        grouped = _dimensions(query, ("eventName", "eventType", "source"))
        wanted = {
            field: set(texts(query[name]))
            for name, field in (("sourceId", "source_id"), *((one, one) for one in _SOURCE_DIMENSIONS))
            if query.get(name)
        }

        def matches(series: Series) -> bool:
            return series.step == steps.RECEIVED and all(
                getattr(series, field) in values for field, values in wanted.items()
            )

        rows = self._rows(
            matches,
            window,
            lambda series: tuple(series.source_id if name == "source" else getattr(series, name) for name in grouped),
        )
        result = []
        for group, row in rows[:MAX_VOLUME_ENTRIES]:
            named: Record = dict(zip(grouped, group, strict=True))
            if "source" in named:
                source = self._workspace.find_source(named["source"]) or {}
                named["source"] = {"id": named["source"], "name": source.get("name"), "slug": source.get("slug")}
            result.append({**named, **row})
        entries, pagination = page(result, query)
        return {"path": "/events/volume", "query": dict(query), "result": entries, "pagination": pagination}

    def destination_metrics(self, destination_id: str, query: Mapping[str, Any]) -> Record:
        """`GET /destinations/{id}/delivery-metrics`: totals, without a series."""
        source_id = _required(query, "sourceId")
        window = self._window({"granularity": "MINUTE", **query}, METRICS_RANGES_MS)
        destination = self._workspace.get_destination(destination_id, source_id=source_id)
        metrics = []
        for name, step in (("successes", steps.DELIVERED), ("failures", steps.FAILED_DELIVERY)):
            rows = self._rows(
                lambda series, step=step: series.step == step and series.destination_id == destination_id,  # type: ignore[misc]
                window,
                lambda series: (series.discardReason,),
            )
            breakdown = [{"metricName": group[0], "value": row["total"]} for group, row in rows]
            metrics.append({"metricName": name, "total": sum(row["total"] for _, row in rows), "breakdown": breakdown})
        metadata = destination.get("metadata") or {}
        return {
            "deliveryMetricsSummary": {
                "sourceId": source_id,
                "destinationMetadataId": metadata.get("id", ""),
                "metrics": metrics,
            }
        }

    def _rows(
        self, matches: Callable[[Series], bool], window: _Window, group_of: Callable[[Series], tuple[str, ...]]
    ) -> list[tuple[tuple[str, ...], Record]]:
        """Counts by group and bucket, the largest group first."""
        groups: dict[tuple[str, ...], dict[int, list[int]]] = defaultdict(dict)
        for series, minutes in self._counts.read(matches, window.start, window.end, self._now()):
            retries = _retries(series)
            for minute, count in minutes:
                bucket = groups[group_of(series)].setdefault(minute - minute % window.width, [0, 0])
                bucket[0] += count
                bucket[1] += count * retries
        rows = []
        for group, buckets in groups.items():
            if self.fills_empty_buckets:
                first = window.start - window.start % window.width
                for at in range(first, window.end, window.width):
                    buckets.setdefault(at, [0, 0])
            row: Record = {
                "total": sum(count for count, _ in buckets.values()),
                "series": [
                    {"time": iso(at), "count": count, **({"retryCount": retried} if retried else {})}
                    for at, (count, retried) in sorted(buckets.items())
                ],
            }
            if any(retried for _, retried in buckets.values()):
                row["totalRetryCount"] = sum(retried for _, retried in buckets.values())
            rows.append((group, row))
        return sorted(rows, key=lambda row: (-row[1]["total"], row[0]))

    def _window(self, query: Mapping[str, Any], ranges: Mapping[str, tuple[int, int]] | None) -> _Window:
        granularity = _required(query, "granularity").upper()
        if granularity not in WIDTHS_MS:
            raise invalid("granularity", '"granularity" must be one of [MINUTE, HOUR, DAY]')
        start, end = _time(query, "startTime"), _time(query, "endTime")
        if start >= end:
            raise invalid("endTime", '"endTime" must be after "startTime"')
        if ranges is not None:
            longest, oldest = ranges[granularity]
            if end - start > longest:
                raise invalid("endTime", f"The range of {granularity} is at most {longest // _HOUR_MS} hours.")
            if start < self._now() - oldest - _LEEWAY_MS:
                raise invalid("startTime", f"The start of {granularity} is at most {oldest // _HOUR_MS} hours ago.")
        return _Window(start, end, WIDTHS_MS[granularity], granularity)


def iso(ms: int) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _retries(series: Series) -> int:
    attempt = series.discardReason.removeprefix("successes.attempt.")
    return int(attempt) - 1 if series.step == steps.DELIVERED and attempt.isdigit() else 0


def _required(query: Mapping[str, Any], name: str) -> str:
    value = one_text(query.get(name))
    if not value:
        raise invalid(name, f'"{name}" is required')
    return value


def _time(query: Mapping[str, Any], name: str) -> int:
    text = _required(query, name)
    try:
        # a plus that was not encoded is a space by now
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise invalid(name, f'"{name}" must be in ISO 8601 date format') from None


def _dimensions(query: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    given = [part.strip() for text in texts(query.get("groupBy")) for part in text.split(",") if part.strip()]
    for name in given:
        if name not in known:
            raise invalid("groupBy", f'"groupBy" must be one of [{", ".join(known)}]')
    return list(dict.fromkeys(given))


def _filters(query: Mapping[str, Any]) -> dict[str, set[str]]:
    given = query.get("filter", {})
    if not isinstance(given, Mapping):
        raise ApiError(422, "input-validation", '"filter" must be an object', field="filter")
    return {name: set(texts(values)) for name, values in given.items() if name in Series._fields}
