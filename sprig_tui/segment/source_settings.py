"""Settings of a Segment source that decide what happens to an event: its state, tracking plan and schema. Pure.

| route                             | shape                                                                        |
|-----------------------------------|------------------------------------------------------------------------------|
| `GET /sources/{id}`               | `data.source`, `data.trackingPlanId` (null: none is connected)               |
| `GET /sources/{id}/settings`      | `data.settings.track`: `{allowUnplannedEvents, allowEventOnViolations, ...}` |
| `GET /tracking-plans/{id}/rules`  | `data.rules[]`: `{type, key?, jsonSchema, version}`                          |

What an answer leaves out is None: unknown. Facts: Segment's SDKs (SourcesApi, TrackingPlansApi).
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from sprig_tui.segment.public_api_json import (
    ListPage,
    Number,
    Pagination,
    decode,
    next_cursor,
    required,
    to_number,
)


class SourceDetails(Struct, frozen=True, kw_only=True):
    """State of one source."""

    id: str
    name: str
    enabled: bool | None = None
    """Segment discards the events of a disabled source."""
    tracking_plan_id: str | None = None
    """Empty if no tracking plan is connected, None if the answer does not say."""


class SourceSettings(Struct, frozen=True, kw_only=True):
    """Schema settings of one source for track calls."""

    allow_unplanned_events: bool | None = None
    """Whether an event that the tracking plan does not have passes."""
    allow_unplanned_event_properties: bool | None = None
    allow_event_on_violations: bool | None = None
    """Whether an event that breaks its JSON Schema passes, marked as a violation."""
    allow_properties_on_violations: bool | None = None
    common_event_on_violations: str = ""
    """ALLOW, BLOCK or OMIT_PROPERTIES; empty if unknown."""


class TrackingPlanRule(Struct, frozen=True, kw_only=True):
    """Rule of a tracking plan."""

    type: str
    """COMMON, GROUP, IDENTIFY, PAGE, SCREEN or TRACK."""
    key: str = ""
    """Name of the event; empty for a rule that holds for all."""
    version: int = 1
    json_schema: Any = None
    """JSON Schema of the whole message; None if the rule has none."""


class _Source(Struct):
    id: str
    name: str | None = None
    slug: str | None = None
    enabled: bool | None = None


class _Details(Struct, rename="camel"):
    source: _Source
    tracking_plan_id: str | UnsetType | None = UNSET


class _DetailsResponse(Struct):
    data: _Details


class _Track(Struct, rename="camel"):
    allow_unplanned_events: bool | None = None
    allow_unplanned_event_properties: bool | None = None
    allow_event_on_violations: bool | None = None
    allow_properties_on_violations: bool | None = None
    common_event_on_violations: str | None = None


class _Settings(Struct):
    track: _Track | None = None


class _OneSettings(Struct):
    settings: _Settings | None = None


class _SettingsResponse(Struct):
    data: _OneSettings


class _Rule(Struct, rename="camel"):
    type: str
    key: str | None = None
    json_schema: Any = None
    version: Number = None


class _Rules(Struct):
    rules: list[_Rule] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _RulesResponse(Struct):
    data: _Rules


def parse_source_details(body: bytes) -> SourceDetails:
    """The source of GET /sources/{id}; raises SegmentApiError."""
    data = decode(body, _DetailsResponse).data
    plan = data.tracking_plan_id
    return SourceDetails(
        id=data.source.id,
        name=data.source.name or data.source.slug or data.source.id,
        enabled=data.source.enabled,
        tracking_plan_id=None if isinstance(plan, UnsetType) else plan or "",
    )


def parse_source_settings(body: bytes) -> SourceSettings:
    """The settings of GET /sources/{id}/settings; raises SegmentApiError."""
    settings = decode(body, _SettingsResponse).data.settings
    track = (settings.track if settings else None) or _Track()
    return SourceSettings(
        allow_unplanned_events=track.allow_unplanned_events,
        allow_unplanned_event_properties=track.allow_unplanned_event_properties,
        allow_event_on_violations=track.allow_event_on_violations,
        allow_properties_on_violations=track.allow_properties_on_violations,
        common_event_on_violations=track.common_event_on_violations or "",
    )


def parse_tracking_plan_rules(body: bytes) -> ListPage[TrackingPlanRule]:
    """A page of GET /tracking-plans/{id}/rules; raises SegmentApiError."""
    data = decode(body, _RulesResponse).data
    rules = tuple(
        TrackingPlanRule(
            type=rule.type.upper(),
            key=rule.key or "",
            version=int(to_number(rule.version) or 1),
            json_schema=rule.json_schema,
        )
        for rule in required(data.rules, "rules")
    )
    return ListPage(rules, next_cursor(data.pagination))
