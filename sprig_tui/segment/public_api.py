"""Client of Segment's Public API: sources, destinations, counts, filters, tracking plans and suppressed users.

It also makes sources and Write Keys for them, and asks to suppress or delete users; it removes nothing itself.

    async with PublicApiClient("https://api.segmentapis.com", token, clock=SystemClock()) as api:
        sources = await api.sources()

Facts: docs.segmentapis.com (Getting Started, Versioning, Pagination, Error Handling, Rate Limits), Segment's SDKs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

from sprig_tui.clock import Clock
from sprig_tui.errors import SegmentApiError
from sprig_tui.http.client import Revealable, bearer_headers
from sprig_tui.segment.api_transport import (
    MAX_RATE_LIMIT_WAIT_S,
    ApiAddress,
    ApiClient,
    ApiTransport,
    OversizedAnswerError,
    RejectedRequestError,
    Request,
)
from sprig_tui.segment.destination_rules import (
    DestinationFilter,
    Subscription,
    parse_filters,
    parse_preview,
    parse_subscriptions,
    preview_request,
)
from sprig_tui.segment.metrics import (
    Granularity,
    MetricRow,
    Step,
    VolumeRow,
    check_metric_rows,
    check_volume_rows,
    parse_delivery_metric,
    parse_event_volume,
)
from sprig_tui.segment.public_api_json import Item, ListPage
from sprig_tui.segment.public_api_models import (
    Destination,
    Source,
    parse_destinations,
    parse_source,
    parse_sources,
    parse_workspace,
)
from sprig_tui.segment.source_settings import (
    SourceDetails,
    SourceSettings,
    TrackingPlanRule,
    parse_source_details,
    parse_source_settings,
    parse_tracking_plan_rules,
)
from sprig_tui.segment.source_writes import (
    SourceKind,
    SourceLabel,
    create_source_body,
    label_source_body,
    parse_labels,
    parse_source_kinds,
    rename_source_body,
)
from sprig_tui.segment.suppressions import (
    Regulation,
    Suppression,
    parse_regulation_id,
    parse_regulations,
    parse_suppressions,
    regulation_body,
)
from sprig_tui.segment.timestamps import format_iso

PAGE_SIZE = 1000
"""Entries of a page."""
SMALL_PAGE_SIZE = 200
"""Entries of a page where the API rejects more, as its earlier versions do, or where so many are too much to read."""
MAX_PAGES = 500

Answer = TypeVar("Answer")
Parsed = TypeVar("Parsed")
Sleep = Callable[[float], Awaitable[None]]
OnToken = Callable[[bool], None]
_WORKSPACE = Request("GET /", "/")
_REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class _Version(StrEnum):
    """Accept header; a route answers only to the versions that it has."""

    V1 = "application/vnd.segment.v1+json, application/json"
    BETA = "application/vnd.segment.v1beta+json, application/json"
    ALPHA = "application/vnd.segment.v1alpha+json, application/json"


class PublicApiClient(ApiClient):
    """Client of one workspace. Raises SegmentApiError for a rejection, SegmentApiUnreachableError without a response.

    The status of a SegmentApiError tells rejections apart; a 401 or 403 also means that the token lacks the permission
    for its `request`. `timeout` is seconds for each phase of a request; the whole request may take four times that.
    Redirects are not followed, so that the token goes only to the given address. `on_wait` gets the seconds of each
    wait that the API asks for; all of them together take at most `max_wait_s`. `on_token` is told once whether the API
    accepts the token; since a 401 may be about one request's permission, it is then asked for the workspace's name,
    which every token may read. Raises ConfigError for an address or machine settings that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: Revealable,
        *,
        clock: Clock,
        timeout: float = 15.0,
        sleep: Sleep = asyncio.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
        max_wait_s: float = MAX_RATE_LIMIT_WAIT_S,
        on_token: OnToken | None = None,
    ) -> None:
        secret = token.reveal()
        self._page_size = PAGE_SIZE
        self._on_token = on_token
        self._transport = ApiTransport(
            ApiAddress(base_url),
            bearer_headers(secret, _Version.V1),
            [secret],
            clock=clock,
            timeout=timeout,
            sleep=sleep,
            on_wait=on_wait,
            max_wait_s=max_wait_s,
        )

    @property
    def clock_ahead_s(self) -> float | None:
        """This machine's clock minus Segment's, in seconds; None if no response told its time."""
        return self._transport.clock_ahead_s

    async def workspace(self) -> str:
        """The name of the workspace that the token belongs to."""
        return await self._get("/", "/", parse_workspace)

    async def sources(self) -> tuple[Source, ...]:
        """Every source, in the order of the API."""
        found = await self._list("/sources", "/sources", parse_sources)
        self._transport.hide(key for source in found for key in source.write_keys)
        return found

    async def source(self, source_id: str) -> Source | None:
        """One source by its id; None if the workspace does not have it."""
        try:
            return self._hide_keys(await self._get("/sources/{id}", f"/sources/{_escape(source_id)}", parse_source))
        except SegmentApiError as error:
            if error.status != 404:
                raise
            return None

    async def source_details(self, source_id: str) -> SourceDetails:
        """State and tracking plan of one source."""
        return await self._get("/sources/{id}", f"/sources/{_escape(source_id)}", parse_source_details)

    async def source_settings(self, source_id: str) -> SourceSettings:
        """What the source does with events that break its schema."""
        path = f"/sources/{_escape(source_id)}/settings"
        return await self._get("/sources/{id}/settings", path, parse_source_settings)

    async def destinations(self, source_id: str) -> tuple[Destination, ...]:
        """The destinations that are connected to a source, enabled or not."""
        path = f"/sources/{_escape(source_id)}/connected-destinations"
        return await self._list("/sources/{id}/connected-destinations", path, parse_destinations)

    async def delivery_metric(
        self,
        step: Step,
        source_id: str,
        *,
        start: int,
        end: int,
        granularity: Granularity,
        destination_id: str = "",
        group_by: Sequence[str] = ("eventName",),
    ) -> tuple[MetricRow, ...]:
        """Counts of one step of a source, from `start` up to but without `end`; ms since 1970 UTC.

        A step that is counted by destination needs `destination_id`, which is that of the instance
        (Destination.id). Ranges: MINUTE 4 h from at most 48 h ago, HOUR 14 d and DAY 30 d from at most 30 d ago.
        Events are never selected by `filter`, whose form in a query is not documented: group, and pick here.
        """
        if step.is_per_destination != bool(destination_id):
            raise ValueError(f"{step} is {'' if step.is_per_destination else 'not '}counted by destination")
        query = [("sourceId", source_id)]
        if destination_id:
            query.append(("destinationConfigId", destination_id))
        query += _time_range(start, end, granularity)
        query += _numbered("groupBy", group_by)
        path = f"/delivery-overview/{step.value}"
        rows = await self._list(path, path, parse_delivery_metric, query, version=_Version.BETA)
        after = start - granularity.width_ms
        _understood(f"GET {path}", lambda found: check_metric_rows(found, group_by, after, end), rows)
        return rows

    async def event_volume(
        self,
        *,
        start: int,
        end: int,
        granularity: Granularity,
        event_names: Sequence[str] = (),
        group_by: Sequence[str] = ("source",),
    ) -> tuple[VolumeRow, ...]:
        """Events of the whole workspace after validation, from `start` up to but without `end`; ms since 1970 UTC.

        Without `event_names` all are counted. At most 60 requests a minute; ask a minute behind the clock.
        """
        query = [
            *_time_range(start, end, granularity),
            *_numbered("groupBy", group_by),
            *_numbered("eventName", event_names),
        ]
        rows = await self._list("/events/volume", "/events/volume", parse_event_volume, query)
        after = start - granularity.width_ms
        _understood("GET /events/volume", lambda found: check_volume_rows(found, group_by, after, end), rows)
        return rows

    async def destination_filters(self, destination_id: str) -> tuple[DestinationFilter, ...]:
        """The filters of one destination, enabled or not."""
        path = f"/destination/{_escape(destination_id)}/filters"
        return await self._list("/destination/{id}/filters", path, parse_filters)

    async def preview_filter(self, found: DestinationFilter, payload: bytes) -> bool:
        """Whether the filter drops this payload (the JSON of a track call), as Segment computes it.

        The payload leaves for Segment, where it is not processed any further. A filter that samples may answer
        otherwise the next time.
        """
        path = "/destination/filters/preview"
        request = Request(f"POST {path}", path, accept=_Version.V1, body=preview_request(found, payload))
        return _understood(request.label, parse_preview, await self._send(request))

    async def subscriptions(self, destination_id: str) -> tuple[Subscription, ...]:
        """The mappings of one destination, enabled or not; a destination that is not of the Actions kind has none."""
        path = f"/destinations/{_escape(destination_id)}/subscriptions"
        return await self._list("/destinations/{id}/subscriptions", path, parse_subscriptions, version=_Version.ALPHA)

    async def tracking_plan_rules(self, plan_id: str) -> tuple[TrackingPlanRule, ...]:
        """The rules of a tracking plan, with their JSON Schemas. At most 200 requests a minute."""
        path = f"/tracking-plans/{_escape(plan_id)}/rules"
        return await self._list("/tracking-plans/{id}/rules", path, parse_tracking_plan_rules)

    async def suppressions(self) -> tuple[Suppression, ...]:
        """The subjects that the workspace suppresses now."""
        return await self._list("/suppressions", "/suppressions", parse_suppressions)

    async def regulations(self, *, kinds: Sequence[str] = ()) -> tuple[Regulation, ...]:
        """The workspace's requests to suppress or delete people, of the last 90 days; all kinds if none are named."""
        return await self._list("/regulations", "/regulations", parse_regulations, _numbered("regulationTypes", kinds))

    async def create_regulation(self, kind: str, user_ids: Sequence[str]) -> str:
        """Ask the workspace to suppress or delete these users, at most MAX_SUBJECTS; returns the regulation's id.

        It is sent once: without a response SegmentWriteUnknownError is raised, and the request may have been made.
        """
        body = regulation_body(kind, user_ids)
        request = Request("POST /regulations", "/regulations", accept=_Version.V1, body=body, repeatable=False)
        return await self._write(request, parse_regulation_id)

    async def source_kinds(self) -> tuple[SourceKind, ...]:
        """The kinds of source that the catalog offers."""
        return await self._list("/catalog/sources", "/catalog/sources", parse_source_kinds)

    async def workspace_labels(self) -> tuple[SourceLabel, ...]:
        """The labels that a source of the workspace can have; reading them may need the role of an owner."""
        return await self._get("/labels", "/labels", parse_labels)

    async def create_source(self, slug: str, kind_id: str, *, connects_warehouses: bool = False) -> Source:
        """Make an enabled source, which gets its slug as its name, and a first Write Key.

        It is sent once: without a response SegmentWriteUnknownError is raised, and the source may exist. Segment
        connects the workspace's warehouses to a new source unless it is told not to, as it is here by default.
        """
        body = create_source_body(slug, kind_id, connects_warehouses=connects_warehouses)
        request = Request("POST /sources", "/sources", accept=_Version.V1, body=body, repeatable=False)
        return self._hide_keys(await self._write(request, parse_source))

    async def rename_source(self, source_id: str, name: str) -> Source:
        """Name a source; it may be repeated."""
        path = f"/sources/{_escape(source_id)}"
        body = rename_source_body(name)
        request = Request("PATCH /sources/{id}", path, accept=_Version.V1, body=body, method="PATCH")
        return self._hide_keys(await self._write(request, parse_source))

    async def label_source(self, source_id: str, labels: Sequence[SourceLabel]) -> tuple[SourceLabel, ...]:
        """Add labels to a source, which the workspace must have; returns all labels of the source."""
        path = f"/sources/{_escape(source_id)}/labels"
        request = Request("POST /sources/{id}/labels", path, accept=_Version.V1, body=label_source_body(labels))
        return await self._write(request, parse_labels)

    async def add_write_key(self, source_id: str) -> Source:
        """Make one more Write Key for a source (alpha); the others stay. Returns the source with all its keys.

        It is sent once: without a response SegmentWriteUnknownError is raised, and the key may exist.
        """
        path = f"/sources/{_escape(source_id)}/writekey"
        request = Request("POST /sources/{id}/writekey", path, accept=_Version.ALPHA, body=b"", repeatable=False)
        return self._hide_keys(await self._write(request, parse_source))

    def _hide_keys(self, source: Source) -> Source:
        self._transport.hide(source.write_keys)
        return source

    async def _send(self, request: Request) -> bytes:
        try:
            body = await self._transport.send(request)
        except SegmentApiError as error:
            if error.status in _REJECTED:
                await self._check_token(request)
            raise
        self._report_token(accepted=True)
        return body

    async def _check_token(self, rejected: Request) -> None:
        """Find out whether the token is rejected, or lacks the permission for a request that was."""
        if self._on_token is None:
            return
        if rejected.path != _WORKSPACE.path:
            try:
                await self._transport.send(_WORKSPACE)
            except SegmentApiError as error:
                if error.status not in _REJECTED:
                    return
            else:
                self._report_token(accepted=True)
                return
        self._report_token(accepted=False)

    def _report_token(self, *, accepted: bool) -> None:
        on_token, self._on_token = self._on_token, None
        if on_token is not None:
            on_token(accepted)

    async def _write(self, request: Request, parse: Callable[[bytes], Parsed]) -> Parsed:
        """The parsed answer. One that is not understood leaves open what was made, as one that did not come."""
        body = await self._send(request)
        try:
            return _understood(request.label, parse, body)
        except SegmentApiError as error:
            if request.repeatable:
                raise
            raise self._transport.write_unknown(request, error.message, error.status) from error

    async def _get(self, route: str, path: str, parse: Callable[[bytes], Parsed]) -> Parsed:
        request = Request(f"GET {route}", path)
        return _understood(request.label, parse, await self._send(request))

    async def _list(
        self,
        route: str,
        path: str,
        parse: Callable[[bytes], ListPage[Item]],
        query: Sequence[tuple[str, str]] = (),
        *,
        version: _Version = _Version.V1,
    ) -> tuple[Item, ...]:
        request = Request(f"GET {route}", path, query, version)
        try:
            return await self._read_pages(request, parse, self._page_size)
        except OversizedAnswerError:
            if self._page_size == SMALL_PAGE_SIZE:
                raise
        return await self._read_pages(request, parse, SMALL_PAGE_SIZE)

    async def _read_pages(
        self, request: Request, parse: Callable[[bytes], ListPage[Item]], size: int
    ) -> tuple[Item, ...]:
        items: list[Item] = []
        cursor, seen = "", {""}
        for _ in range(MAX_PAGES):
            page = _understood(request.label, parse, await self._page(request, cursor, size))
            items += page.items
            cursor = page.next_cursor
            if cursor in seen:
                break
            seen.add(cursor)
        if cursor:
            # the cursors repeat, or there are more than MAX_PAGES
            raise SegmentApiError(
                f"the pages of {request.label.removeprefix('GET ')} do not come to an end",
                hint="check [segment] region",
                request=request.label,
            )
        return tuple(items)

    async def _page(self, request: Request, cursor: str, size: int) -> bytes:
        try:
            return await self._send(_at_cursor(request, min(size, self._page_size), cursor))
        except RejectedRequestError as error:
            # a cursor may belong to the size that it was made with, so only a first page is asked for again
            if cursor or size <= SMALL_PAGE_SIZE or error.status != 422 or not _is_about_size(error.fields):
                raise
        body = await self._send(_at_cursor(request, SMALL_PAGE_SIZE, ""))
        self._page_size = SMALL_PAGE_SIZE
        return body


def _understood(label: str, parse: Callable[[Answer], Parsed], answer: Answer) -> Parsed:
    """The parsed answer; an error names the request."""
    try:
        return parse(answer)
    except SegmentApiError as error:
        error.request = label
        raise


def _at_cursor(request: Request, size: int, cursor: str) -> Request:
    place = [("pagination.count", str(size)), *([("pagination.cursor", cursor)] if cursor else [])]
    return request._replace(query=[*request.query, *place])


def _is_about_size(fields: Sequence[str]) -> bool:
    """Whether a 422 may be about the size of the page: it names that, or nothing."""
    return not fields or any("count" in name or "pagination" in name for name in fields)


def _time_range(start: int, end: int, granularity: Granularity) -> list[tuple[str, str]]:
    return [("startTime", format_iso(start)), ("endTime", format_iso(end)), ("granularity", granularity.value)]


def _numbered(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """A list as the API documents it: `groupBy.0=eventName`."""
    return [(f"{name}.{index}", value) for index, value in enumerate(values)]


def _escape(identifier: str) -> str:
    return quote(identifier, safe="")
