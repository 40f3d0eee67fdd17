"""Records of the fake Public API: sources, destinations, filters, plans, suppressed users, regulations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.segment.sink.workspace import fql
from sprig_tui.segment.sink.workspace.errors import ApiError, FqlError, invalid, not_found
from sprig_tui.segment.sink.workspace.metrics_routes import iso
from sprig_tui.segment.sink.workspace.model import Record, Role, Workspace
from sprig_tui.segment.sink.workspace.paging import MAX_COUNT, page
from sprig_tui.segment.sink.workspace.pipeline import drops
from sprig_tui.segment.sink.workspace.query import one_text, texts

_REGULATION_TYPES = (
    "SUPPRESS_ONLY", "UNSUPPRESS", "SUPPRESS_WITH_DELETE", "SUPPRESS_WITH_DELETE_INTERNAL", "DELETE_ONLY",
    "DELETE_INTERNAL",
)  # fmt: skip
_MAX_SUBJECTS = 5_000
_MAX_SUPPRESSED = 50_000
_MAX_REGULATIONS = 1_000
_FILTER_ACTIONS = ("DROP", "DROP_PROPERTIES", "ALLOW_PROPERTIES", "SAMPLE")


class RecordRoutes:
    """Handlers of the routes that read records, and of those about people and filters that write."""

    def __init__(self, workspace: Workspace, now: Callable[[], int]) -> None:
        self._workspace = workspace
        self._now = now
        self._numbers = itertools.count(1)
        self.max_page_size = MAX_COUNT
        """Entries of a page, if that is fewer than a request asks for."""
        self.max_count = MAX_COUNT
        """A request that asks for more is rejected; 200 in earlier versions of the API."""

    def workspace(self) -> Record:
        """`GET /`."""
        return {"workspace": self._workspace.record}

    def sources(self, query: Mapping[str, Any], role: Role) -> Record:
        """`GET /sources`."""
        return self._page("sources", [shown_source(one, role) for one in self._workspace.sources], query)

    def source(self, source_id: str, role: Role) -> Record:
        """`GET /sources/{id}`."""
        found = self._workspace.get_source(source_id)
        return {
            "source": shown_source(found, role),
            "trackingPlanId": self._workspace.plan_of_source.get(source_id),
        }

    def connected_destinations(self, source_id: str, query: Mapping[str, Any]) -> Record:
        """`GET /sources/{id}/connected-destinations`."""
        self._workspace.get_source(source_id)
        return self._page("destinations", self._workspace.destinations_of(source_id), query)

    def source_settings(self, source_id: str) -> Record:
        """`GET /sources/{id}/settings`."""
        self._workspace.get_source(source_id)
        default = {"track": {"allowUnplannedEvents": True, "allowEventOnViolations": True}}
        return {"sourceId": source_id, "settings": self._workspace.source_settings.get(source_id, default)}

    def destinations(self, query: Mapping[str, Any]) -> Record:
        """`GET /destinations`."""
        return self._page("destinations", self._workspace.destinations, query)

    def destination(self, destination_id: str) -> Record:
        """`GET /destinations/{id}`."""
        return {"destination": self._workspace.get_destination(destination_id)}

    def filters(self, destination_id: str, query: Mapping[str, Any]) -> Record:
        """`GET /destination/{id}/filters`."""
        self._workspace.get_destination(destination_id)
        own = [one for one in self._workspace.filters if one["destinationId"] == destination_id]
        return self._page("filters", own, query)

    def preview_filter(self, body: Mapping[str, Any]) -> Record:
        """`POST /destination/filters/preview`: `result` is null if the filter drops the payload."""
        rule, payload = body.get("filter"), body.get("payload")
        if (
            not isinstance(rule, dict)
            or not isinstance(rule.get("if"), str)
            or not isinstance(rule.get("actions"), list)
        ):
            raise invalid("filter", '"filter" must have "if" and "actions"')
        if not isinstance(payload, dict):
            raise invalid("payload", '"payload" must be of type object')
        actions = rule["actions"]
        if not actions or any(not isinstance(one, dict) or one.get("type") not in _FILTER_ACTIONS for one in actions):
            raise invalid("filter.actions", f'"type" must be one of [{", ".join(_FILTER_ACTIONS)}]')
        try:
            applies = fql.matches(rule["if"], payload)
        except FqlError as error:
            raise invalid("filter.if", f"invalid FQL statement: {error}") from error
        dropped = applies and drops(rule, payload)
        return {"inputPayload": payload, "result": None if dropped else payload}

    def subscriptions(self, destination_id: str, query: Mapping[str, Any]) -> Record:
        """`GET /destinations/{id}/subscriptions` (alpha)."""
        self._workspace.get_destination(destination_id)
        own = [one for one in self._workspace.subscriptions if one["destinationId"] == destination_id]
        return self._page("subscriptions", own, query)

    def rules(self, plan_id: str, query: Mapping[str, Any]) -> Record:
        """`GET /tracking-plans/{id}/rules`."""
        rules = self._workspace.tracking_plans.get(plan_id)
        if rules is None:
            raise not_found("The tracking plan")
        return self._page("rules", rules, query)

    def suppressions(self, query: Mapping[str, Any]) -> Record:
        """`GET /suppressions`: one entry a user."""
        listed = [{"subjectType": "USER_ID", "subjectIds": [user]} for user in self._workspace.suppressed]
        return self._page("suppressed", listed, query)

    def regulations(self, query: Mapping[str, Any]) -> Record:
        """`GET /regulations`, by `status` and `regulationTypes`."""
        statuses, kinds = set(texts(query.get("status"))), set(texts(query.get("regulationTypes")))
        found = [
            one
            for one in self._workspace.regulations
            if (not statuses or one["status"] in statuses) and (not kinds or one["regulationType"] in kinds)
        ]
        return self._page("regulations", found, query)

    def regulate(self, body: Mapping[str, Any]) -> Record:
        """`POST /regulations`: suppression is in force at once, where Segment takes a while."""
        kind, subject, ids = body.get("regulationType"), body.get("subjectType"), body.get("subjectIds")
        if kind not in _REGULATION_TYPES:
            raise invalid("regulationType", f'"regulationType" must be one of [{", ".join(_REGULATION_TYPES)}]')
        if subject not in ("USER_ID", "OBJECT_ID"):
            raise invalid("subjectType", '"subjectType" must be one of [USER_ID, OBJECT_ID]')
        if (
            not isinstance(ids, list)
            or not 0 < len(ids) <= _MAX_SUBJECTS
            or any(not isinstance(one, str) for one in ids)
        ):
            raise invalid("subjectIds", f'"subjectIds" must have 1 to {_MAX_SUBJECTS:,} texts')
        if len(self._workspace.suppressed) + len(ids) > _MAX_SUPPRESSED:
            raise ApiError(409, "conflict", f"This fake suppresses at most {_MAX_SUPPRESSED:,} users.")
        made = {
            "id": f"reg{next(self._numbers):019d}",
            "subjectType": subject,
            "subjects": ids,
            "status": "FINISHED",
            "createdAt": iso(self._now()),
            "regulationType": kind,
            "finishedAt": iso(self._now()),
        }
        self._workspace.regulations[:] = [made, *self._workspace.regulations[: _MAX_REGULATIONS - 1]]
        if subject == "USER_ID" and str(kind).startswith("SUPPRESS"):
            self._workspace.suppressed += [one for one in ids if one not in self._workspace.suppressed]
        elif kind == "UNSUPPRESS":
            self._workspace.suppressed[:] = [one for one in self._workspace.suppressed if one not in ids]
        return {"regulateId": made["id"]}

    def _page(self, name: str, items: list[Any], query: Mapping[str, Any]) -> Record:
        entries, pagination = page(items, query, max_size=self.max_page_size, max_count=self.max_count)
        return {name: entries, "pagination": pagination}


def shown_source(source: Record, role: Role) -> Record:
    """A source as a role sees it: Write Keys need the permission of a source admin."""
    return {**source, "writeKeys": []} if role is Role.MEMBER else source


def echo(method: str, query: Mapping[str, Any], headers: Mapping[str, str]) -> Record:
    """`GET /echo`: without the headers that hold secrets."""
    shown = {name: value for name, value in headers.items() if name not in ("authorization", "cookie")}
    return {"method": method, "message": one_text(query.get("message")), "headers": shown}
