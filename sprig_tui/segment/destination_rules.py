"""Rules of a Segment destination that decide what reaches it: filters and mappings (subscriptions). Pure.

| route                                   | shape                                                                    |
|-----------------------------------------|--------------------------------------------------------------------------|
| `GET /destination/{id}/filters`         | `data.filters[]`: `{id, title, if, actions[{type, ...}], enabled}`       |
| `POST /destination/filters/preview`     | `data`: `{inputPayload, result}`; a result of null: the event is dropped |
| `GET /destinations/{id}/subscriptions`  | `data.subscriptions[]`: `{id, name, actionSlug, trigger (FQL), enabled}` |

What an answer leaves out is None: unknown. Facts: Segment's SDKs (DestinationFiltersApi, DestinationsApi).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sprig_tui.segment.public_api_json import ListPage, Pagination, decode, next_cursor, required, unclear


class DestinationFilter(Struct, frozen=True, kw_only=True):
    """Filter of one destination."""

    id: str
    title: str = ""
    enabled: bool | None = None
    condition: str
    """In Segment's Filter Query Language: the payloads that its actions apply to."""
    actions: tuple[dict[str, Any], ...] = ()
    """As the API gave them, to be sent in a preview; `type` is DROP, SAMPLE, DROP_PROPERTIES or ALLOW_PROPERTIES."""

    @property
    def drops(self) -> bool:
        """Whether one of the actions can drop a whole event."""
        return any(action.get("type") in ("DROP", "SAMPLE") for action in self.actions)


class Subscription(Struct, frozen=True, kw_only=True):
    """Mapping of a destination: which events trigger which action."""

    id: str
    name: str = ""
    action: str = ""
    """Slug of the action, or its id."""
    trigger: str = ""
    """In Segment's Filter Query Language, such as `type = "track"`."""
    enabled: bool | None = None


class _Filter(Struct):
    id: str
    condition: str | None = msgspec.field(default=None, name="if")
    title: str | None = None
    enabled: bool | None = None
    actions: list[dict[str, Any]] | None = None


class _Filters(Struct):
    filters: list[_Filter] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _FiltersResponse(Struct):
    data: _Filters


class _Preview(Struct):
    result: dict[str, Any] | UnsetType | None = UNSET


class _PreviewResponse(Struct):
    data: _Preview


class _Subscription(Struct, rename="camel"):
    id: str
    name: str | None = None
    action_id: str | None = None
    action_slug: str | None = None
    trigger: str | None = None
    enabled: bool | None = None


class _Subscriptions(Struct):
    subscriptions: list[_Subscription] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _SubscriptionsResponse(Struct):
    data: _Subscriptions


def parse_filters(body: bytes) -> ListPage[DestinationFilter]:
    """A page of GET /destination/{id}/filters; raises SegmentApiError."""
    data = decode(body, _FiltersResponse).data
    filters = tuple(
        DestinationFilter(
            id=found.id,
            title=found.title or "",
            enabled=found.enabled,
            condition=found.condition or "",
            actions=tuple(found.actions or ()),
        )
        for found in required(data.filters, "filters")
    )
    return ListPage(filters, next_cursor(data.pagination))


def preview_request(found: DestinationFilter, payload: bytes) -> bytes:
    """The body of POST /destination/filters/preview; `payload` is the JSON of a track call."""
    return msgspec.json.encode(
        {"filter": {"if": found.condition, "actions": found.actions}, "payload": msgspec.Raw(payload)}
    )


def parse_preview(body: bytes) -> bool:
    """Whether the filter drops the payload; raises SegmentApiError, also for an answer without a result."""
    result = decode(body, _PreviewResponse).data.result
    if isinstance(result, UnsetType):
        raise unclear("it has no `result`")
    return result is None


def parse_subscriptions(body: bytes) -> ListPage[Subscription]:
    """A page of GET /destinations/{id}/subscriptions; raises SegmentApiError."""
    data = decode(body, _SubscriptionsResponse).data
    subscriptions = tuple(
        Subscription(
            id=found.id,
            name=found.name or "",
            action=found.action_slug or found.action_id or "",
            trigger=found.trigger or "",
            enabled=found.enabled,
        )
        for found in required(data.subscriptions, "subscriptions")
    )
    return ListPage(subscriptions, next_cursor(data.pagination))
