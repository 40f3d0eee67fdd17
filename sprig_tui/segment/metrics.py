"""Counts of Segment's Public API: the Delivery Overview of a source, and the event volume of a workspace. Pure.

| route                           | rows                                                                            |
|---------------------------------|---------------------------------------------------------------------------------|
| `GET /delivery-overview/{step}` | `data.dataset[]`: `{eventName?, discardReason?, total, series:[{time, count}]}` |
| `GET /events/volume`            | `data.result[]`: `{source?: {id, name?, slug?}, eventName?, total, series}`     |

All times are milliseconds since 1970 UTC; the time of a point is the start of its bucket. Empty buckets may be
missing. Facts: Segment's SDKs (DeliveryOverviewApi, EventsApi).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from sprig_tui.segment.public_api_json import (
    ListPage,
    Number,
    Pagination,
    decode,
    next_cursor,
    required,
    to_count,
    to_ms,
    unclear,
)


class Granularity(StrEnum):
    """Width of a bucket; the value is that of the query."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"

    @property
    def width_ms(self) -> int:
        """Milliseconds of a bucket."""
        return _WIDTH_MS[self]


_WIDTH_MS = {Granularity.MINUTE: 60_000, Granularity.HOUR: 3_600_000, Granularity.DAY: 86_400_000}


class Step(StrEnum):
    """Step of an event on its way through Segment; the value is that of the route."""

    RECEIVED = "successfully-received"
    FAILED_ON_INGEST = "failed-on-ingest"
    FILTERED_AT_SOURCE = "filtered-at-source"
    FILTERED_AT_DESTINATION = "filtered-at-destination"
    FAILED_DELIVERY = "failed-delivery"
    DELIVERED = "successful-delivery"

    @property
    def is_per_destination(self) -> bool:
        """Whether the step is counted for one destination of the source."""
        return self in (Step.FILTERED_AT_DESTINATION, Step.FAILED_DELIVERY, Step.DELIVERED)


class MetricPoint(Struct, frozen=True, gc=False):
    """One bucket."""

    time: int
    """Start of the bucket."""
    count: int


class MetricRow(Struct, frozen=True):
    """Counts of one step, for one group."""

    event_name: str
    """Empty if the counts are not grouped by it."""
    discard_reason: str
    """Segment's name for it, such as `schema_violation`; empty if the counts are not grouped by it."""
    total: int
    points: tuple[MetricPoint, ...]


class VolumeRow(Struct, frozen=True):
    """Events after validation, for one group."""

    source_id: str
    source_name: str
    """Its slug or id where the answer has no name."""
    event_name: str
    total: int
    points: tuple[MetricPoint, ...]


class _Point(Struct):
    time: Number = None
    count: Number = None


class _SourceRef(Struct):
    id: str | None = None
    name: str | None = None
    slug: str | None = None


class _Row(Struct, rename="camel"):
    event_name: str | None = None
    discard_reason: str | None = None
    source: _SourceRef | None = None
    total: Number = None
    series: list[_Point] | None = None


class _Dataset(Struct):
    dataset: list[_Row] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _Volume(Struct):
    result: list[_Row] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _DatasetResponse(Struct):
    data: _Dataset


class _VolumeResponse(Struct):
    data: _Volume


def parse_delivery_metric(body: bytes) -> ListPage[MetricRow]:
    """A page of GET /delivery-overview/{step}; raises SegmentApiError."""
    data = decode(body, _DatasetResponse).data
    rows = tuple(
        MetricRow(row.event_name or "", row.discard_reason or "", *_counts(row))
        for row in required(data.dataset, "dataset")
    )
    return ListPage(rows, next_cursor(data.pagination))


def parse_event_volume(body: bytes) -> ListPage[VolumeRow]:
    """A page of GET /events/volume; raises SegmentApiError."""
    data = decode(body, _VolumeResponse).data
    rows = []
    for row in required(data.result, "result"):
        source = row.source or _SourceRef()
        name = source.name or source.slug or source.id or ""
        rows.append(VolumeRow(source.id or "", name, row.event_name or "", *_counts(row)))
    return ListPage(tuple(rows), next_cursor(data.pagination))


def check_metric_rows(rows: Sequence[MetricRow], group_by: Sequence[str], after: int, end: int) -> None:
    """Raise SegmentApiError if the rows are no answer to the question: not grouped, or of another time.

    Buckets of the range start after `after` and before `end`. Rows without a name can be calls that have none; that all
    are without one means that nothing was grouped.
    """
    busy = [row for row in rows if row.total]
    if busy and "eventName" in group_by and not any(row.event_name for row in busy):
        raise unclear("no row has an `eventName`")
    _check_times(busy, after, end)


def check_volume_rows(rows: Sequence[VolumeRow], group_by: Sequence[str], after: int, end: int) -> None:
    """Raise SegmentApiError if the rows are no answer to the question: not grouped, or of another time."""
    busy = [row for row in rows if row.total]
    if "source" in group_by and any(not row.source_id for row in busy):
        raise unclear("a row has no `source`")
    _check_times(busy, after, end)


def _check_times(busy: Sequence[MetricRow | VolumeRow], after: int, end: int) -> None:
    """Counts beside the range are ignored by who asked for it; if none lies within, the times mean something else."""
    if busy and not any(after < point.time < end for row in busy for point in row.points if point.count):
        raise unclear("no `time` lies within the range that was asked for")


def _counts(row: _Row) -> tuple[int, tuple[MetricPoint, ...]]:
    """The total and the buckets. A total of more than its buckets raises: when the rest was counted is unknown."""
    points = _points(row.series or ())
    counted = sum(point.count for point in points)
    total = counted if row.total is None else to_count(row.total, "total")
    if total > counted:
        raise unclear("a `total` is more than its `series`" if counted else "a `total` has no `series`")
    return total, points


def _points(series: Sequence[_Point]) -> tuple[MetricPoint, ...]:
    return tuple(MetricPoint(to_ms(point.time, "time"), to_count(point.count, "count")) for point in series)
