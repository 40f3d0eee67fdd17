"""Public API of the fake Segment: routes, versions, tokens, rate limit and the envelope of answers.

Written from Segment's documentation alone; it shares nothing with the client of this package, so that a
misunderstanding of one of them shows.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, json_reply
from sprig_tui.segment.sink.store import EventStore
from sprig_tui.segment.sink.workspace.counts import DESTINATION_STEPS, SOURCE_STEPS, Counts
from sprig_tui.segment.sink.workspace.errors import ApiError, invalid, not_found, unauthorized
from sprig_tui.segment.sink.workspace.metrics_routes import MetricsRoutes
from sprig_tui.segment.sink.workspace.model import Role, Workspace
from sprig_tui.segment.sink.workspace.points import DEFAULT_POINTS_PER_MINUTE, Points, retry_after
from sprig_tui.segment.sink.workspace.profile_routes import PREFIX, ProfileRoutes
from sprig_tui.segment.sink.workspace.query import one_text, read_query
from sprig_tui.segment.sink.workspace.record_routes import RecordRoutes, echo
from sprig_tui.segment.sink.workspace.setup_faults import SetupFaults
from sprig_tui.segment.sink.workspace.setup_routes import SetupRoutes

MAX_BODY_BYTES = 600_000
_MAX_KEPT_REQUESTS = 5_000
_MAX_KEPT_BODY_BYTES = 8_000
_VERSIONS = ("v1", "v1beta", "v1alpha")
"""From the most stable on; a route that exists in one exists in those after it."""
_VENDOR_TYPE = re.compile(r"application/vnd\.segment\.(?P<version>v1|(?:v1)?(?:alpha|beta))\+json")
"""The documentation writes `beta` where the SDKs write `v1beta`."""


class Asked(NamedTuple):
    """A request that was let in."""

    ids: tuple[str, ...]
    """What the path names, in order."""
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    role: Role
    request: SinkRequest


class Route(NamedTuple):
    """One route: `{id}` in its path stands for any id. `stage` is the most stable version that it has."""

    method: str
    path: str
    stage: str
    handle: Callable[[Asked], Any]
    role: Role = Role.MEMBER
    status: int = 200


class PublicApi:
    """The Public API and the Profile API of one workspace; requests come from the sink's connections."""

    def __init__(
        self,
        workspace: Workspace,
        counts: Counts,
        store: EventStore,
        now: Callable[[], int],
        *,
        points_per_minute: int = DEFAULT_POINTS_PER_MINUTE,
    ) -> None:
        self._workspace = workspace
        self.metrics = MetricsRoutes(workspace, counts, now)
        self.records = RecordRoutes(workspace, now)
        self.setup = SetupRoutes(workspace)
        self.points = Points(now, points_per_minute)
        self.faults = SetupFaults()
        self._profiles = ProfileRoutes(workspace, store)
        self.asked: deque[SinkRequest] = deque(maxlen=_MAX_KEPT_REQUESTS)
        """The newest requests, oldest first."""
        self.replies: list[SinkReply | None] = []
        """Answers in place of the right ones, one for each request to come; None lets one pass."""
        self.reshape: Callable[[Any], Any] = lambda data: data
        """Changes the data of each success: an answer may be written otherwise, and mean the same."""
        self._routes = [(re.compile(_pattern(one.path)), one) for one in self._table()]

    def handle(self, request: SinkRequest) -> SinkReply:
        """Answer one request."""
        oversize = request.body is not None and len(request.body) > _MAX_KEPT_BODY_BYTES
        self.asked.append(msgspec.structs.replace(request, body=b"") if oversize else request)
        planned = self.replies.pop(0) if self.replies else None
        if planned is not None:
            return planned
        if request.path.startswith(PREFIX):
            return self._profiles.handle(request)
        try:
            return self._answer(request)
        except ApiError as error:
            entry = {"type": error.kind, "message": str(error)}
            entry |= {"field": error.field} if error.field else {}
            entry |= {"data": error.data} if error.data else {}
            reply = json_reply({"errors": [entry]}, error.status, close=request.body is None)
            return msgspec.structs.replace(reply, headers=retry_after(error))

    def _answer(self, request: SinkRequest) -> SinkReply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        role = self._workspace.tokens.get(token)
        if role is None:
            raise unauthorized()
        route, ids = self._find(request)
        self.points.take(token, route.method, route.path)
        stage = _stage(request.headers.get("accept", ""), route)
        refused = any(request.path.startswith(path) for path in self._workspace.denied)
        if refused or (role is Role.MEMBER and route.role is Role.OWNER):
            raise unauthorized()
        try:
            query = read_query(request.query)
        except ValueError as error:
            raise invalid("query", str(error)) from error
        body = _read_body(request)
        self.faults.reject(route.method, route.path, body)
        data = route.handle(Asked(ids, query, body, role, request))
        if self.faults.loses_answer(route.method, route.path):
            return SinkReply(ending="close")
        reply = json_reply({"data": self.reshape(data)}, route.status)
        return msgspec.structs.replace(
            reply, content_type=f"application/vnd.segment.{stage}+json", headers=self.points.headers(token)
        )

    def _find(self, request: SinkRequest) -> tuple[Route, tuple[str, ...]]:
        # ids may hold an encoded slash, so the path is matched as it was sent
        path = request.target.partition("?")[0].rstrip("/") or "/"
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match and route.method == request.method:
                return route, tuple(unquote(one) for one in match.groups())
        raise not_found("The route")

    def _table(self) -> list[Route]:
        metrics, records = self.metrics, self.records
        return [
            Route("GET", "/", "v1", lambda _: records.workspace()),
            Route("GET", "/sources", "v1", lambda asked: records.sources(asked.query, asked.role)),
            Route("GET", "/sources/{id}", "v1", lambda asked: records.source(asked.ids[0], asked.role)),
            Route(
                "GET", "/sources/{id}/connected-destinations", "v1",
                lambda asked: records.connected_destinations(asked.ids[0], asked.query),
            ),
            Route("GET", "/sources/{id}/settings", "v1", lambda asked: records.source_settings(asked.ids[0])),
            Route("GET", "/destinations", "v1", lambda asked: records.destinations(asked.query)),
            Route("GET", "/destinations/{id}", "v1", lambda asked: records.destination(asked.ids[0])),
            Route(
                "GET", "/destinations/{id}/delivery-metrics", "v1beta",
                lambda asked: metrics.destination_metrics(asked.ids[0], asked.query),
            ),
            Route(
                "GET", "/destinations/{id}/subscriptions", "v1alpha",
                lambda asked: records.subscriptions(asked.ids[0], asked.query),
            ),
            Route("GET", "/destination/{id}/filters", "v1", lambda asked: records.filters(asked.ids[0], asked.query)),
            Route("POST", "/destination/filters/preview", "v1", lambda asked: records.preview_filter(asked.body)),
            *(
                Route(
                    "GET", f"/delivery-overview/{step}", "v1beta",
                    lambda asked, step=step: metrics.overview(step, asked.query),  # type: ignore[misc]
                )
                for step in (*SOURCE_STEPS, *DESTINATION_STEPS)
            ),
            Route("GET", "/events/volume", "v1", lambda asked: metrics.volume(asked.query)),
            Route("GET", "/tracking-plans/{id}/rules", "v1", lambda asked: records.rules(asked.ids[0], asked.query)),
            Route("GET", "/suppressions", "v1", lambda asked: records.suppressions(asked.query)),
            Route("GET", "/regulations", "v1", lambda asked: records.regulations(asked.query)),
            Route("POST", "/regulations", "v1", lambda asked: records.regulate(asked.body), Role.OWNER),
            Route("GET", "/echo", "v1", _echo),
            *self._setup_table(),
        ]  # fmt: skip

    def _setup_table(self) -> list[Route]:
        setup = self.setup
        owner = Role.OWNER
        return [
            Route("GET", "/catalog/sources", "v1", lambda asked: setup.catalog_sources(asked.query)),
            Route("GET", "/catalog/destinations", "v1", lambda asked: setup.catalog_destinations(asked.query)),
            Route("POST", "/sources", "v1", lambda asked: setup.create_source(asked.body), owner, 201),
            Route("PATCH", "/sources/{id}", "v1", lambda asked: setup.update_source(asked.ids[0], asked.body), owner),
            Route("DELETE", "/sources/{id}", "v1", lambda asked: setup.delete_source(asked.ids[0]), owner),
            Route("POST", "/sources/{id}/writekey", "v1alpha", lambda asked: setup.add_write_key(asked.ids[0]), owner),
            Route(
                "DELETE", "/sources/{id}/writekey/{id}", "v1alpha",
                lambda asked: setup.remove_write_key(*asked.ids), owner,
            ),
            Route("GET", "/labels", "v1", lambda _: setup.labels(), owner),
            Route("POST", "/labels", "v1", lambda asked: setup.create_label(asked.body), owner, 201),
            Route(
                "POST", "/sources/{id}/labels", "v1",
                lambda asked: setup.label_source(asked.ids[0], asked.body, replace=False), owner,
            ),
            Route(
                "PUT", "/sources/{id}/labels", "v1",
                lambda asked: setup.label_source(asked.ids[0], asked.body, replace=True), owner,
            ),
            Route("POST", "/destinations", "v1", lambda asked: setup.create_destination(asked.body), owner),
            Route("DELETE", "/destinations/{id}", "v1", lambda asked: setup.delete_destination(asked.ids[0]), owner),
            Route(
                "POST", "/destinations/{id}/subscriptions", "v1alpha",
                lambda asked: setup.create_subscription(asked.ids[0], asked.body), owner,
            ),
        ]  # fmt: skip


def _pattern(path: str) -> str:
    return "".join("([^/]+)" if part == "{id}" else re.escape(part) for part in re.split(r"(\{id\})", path))


def _stage(accept: str, route: Route) -> str:
    """The version to answer with. A version that the route lacks is answered as a route that does not exist.

    What Segment answers then is documented nowhere; it is an error here, so that a client which asks for the wrong
    version is noticed.
    """
    available = _VERSIONS[_VERSIONS.index(route.stage) :]
    named = []
    for part in accept.split(","):
        match = _VENDOR_TYPE.fullmatch(part.partition(";")[0].strip().lower())
        if match:
            named.append("v1" + match["version"].removeprefix("v1"))
    if not named:
        return route.stage
    fitting = [version for version in available if version in named]
    if not fitting:
        raise not_found(f"{route.path} in version {named[0]}")
    return fitting[0]


def _read_body(request: SinkRequest) -> Mapping[str, Any]:
    if request.method == "GET":
        return {}
    if request.body is None:
        raise ApiError(413, "payload-too-large", "The request is too large.")
    if not request.body:
        return {}
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise invalid("body", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise invalid("body", "The body is no object.")
    return body


def _echo(asked: Asked) -> Any:
    status = one_text(asked.query.get("statusCode"))
    if one_text(asked.query.get("triggerError")).lower() == "true" or (status.isdigit() and int(status[:9]) >= 400):
        code = int(status) if status.isdigit() and 400 <= int(status[:9]) <= 599 else 500
        raise ApiError(code, "triggered", one_text(asked.query.get("message")) or "An error that was asked for.")
    return echo(asked.request.method, asked.query, asked.request.headers)
