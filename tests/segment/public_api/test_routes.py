"""PublicApiClient on real sockets: the routes of counts, settings, filters, tracking plans and suppressed users."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support import workspace_lookalike
from support.clocks import NOW_MS, ManualClock
from support.workspace_lookalike import WorkspaceLookalike, answers, source

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError
from sprig_tui.segment.destination_rules import DestinationFilter
from sprig_tui.segment.metrics import Granularity, MetricPoint, Step
from sprig_tui.segment.public_api import PublicApiClient

TOKEN = PublicApiToken(workspace_lookalike.TOKEN)
HOUR = {"start": NOW_MS - 3_600_000, "end": NOW_MS, "granularity": Granularity.HOUR}


class Waits(list[float]):
    """Waits that take no time, but move the clock."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.clock.advance(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits(ManualClock())


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike, waits: Waits) -> AsyncIterator[PublicApiClient]:
    async with PublicApiClient(workspace_api.url, TOKEN, clock=waits.clock, timeout=5.0, sleep=waits) as opened:
        yield opened


def asked(workspace_api: WorkspaceLookalike, index: int = -1) -> tuple[str, dict[str, str]]:
    parts = urlsplit(workspace_api.asked[index])
    return parts.path, dict(parse_qsl(parts.query))


def version(workspace_api: WorkspaceLookalike) -> str:
    return workspace_api.headers[-1]["Accept"]


def dataset(*rows: dict[str, Any], **pagination: str) -> dict[str, Any]:
    return {"data": {"total": 1.0, "dataset": list(rows), "pagination": pagination or None}}


async def test_delivery_metric_follows_all_pages(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    point = {"time": "2026-09-21T13:00:00.000Z", "count": 3}
    first = {"eventName": "Survey Answered", "total": 3.0, "series": [point], "later": {"field": 1}}
    second = {"eventName": "Other", "total": "4", "series": [{**point, "count": "4.0", "retryCount": 1}]}
    workspace_api.problems = [answers(200, dataset(first, current="a", next="b")), answers(200, dataset(second))]
    rows = await api.delivery_metric(Step.RECEIVED, "src_1", **HOUR)
    assert [(row.event_name, row.discard_reason, row.total) for row in rows] == [
        ("Survey Answered", "", 3),
        ("Other", "", 4),
    ]
    assert rows[0].points == (MetricPoint(1_789_995_600_000, 3),)
    path, query = asked(workspace_api)
    assert path == "/delivery-overview/successfully-received"
    assert query == {
        "sourceId": "src_1",
        "startTime": "2026-09-21T13:13:20.000Z",
        "endTime": "2026-09-21T14:13:20.000Z",
        "granularity": "HOUR",
        "groupBy.0": "eventName",
        "pagination.count": "1000",
        "pagination.cursor": "b",
    }
    assert version(workspace_api) == "application/vnd.segment.v1beta+json, application/json"
    assert api.requests == 2


async def test_step_of_a_destination_names_the_instance(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.problems = [answers(200, dataset({"discardReason": "NO_MATCHING_MAPPING", "total": 0}))]
    (row,) = await api.delivery_metric(
        Step.FILTERED_AT_DESTINATION, "src_1", destination_id="dst_1", group_by=("eventName", "discardReason"), **HOUR
    )
    assert (row.event_name, row.discard_reason, row.total, row.points) == ("", "NO_MATCHING_MAPPING", 0, ())
    path, query = asked(workspace_api)
    assert path == "/delivery-overview/filtered-at-destination"
    assert query["destinationConfigId"] == "dst_1"
    assert [query["groupBy.0"], query["groupBy.1"]] == ["eventName", "discardReason"]
    with pytest.raises(ValueError, match="successful-delivery is counted by destination"):
        await api.delivery_metric(Step.DELIVERED, "src_1", **HOUR)
    with pytest.raises(ValueError, match="successfully-received is not counted by destination"):
        await api.delivery_metric(Step.RECEIVED, "src_1", destination_id="dst_1", **HOUR)


async def test_event_volume_names_the_sources(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    rows = [
        {"source": {"id": "s1", "name": "Web"}, "total": 5, "series": [{"time": "2026-09-21T13:00:00Z", "count": 5}]},
        {"source": {"id": "s2", "slug": "ios", "name": None}, "eventName": None, "total": 0, "series": None},
    ]
    workspace_api.problems = [answers(200, {"data": {"path": "x", "query": {}, "result": rows}})]
    found = await api.event_volume(event_names=["Survey Answered"], **HOUR)
    assert [(row.source_id, row.source_name, row.event_name, row.total) for row in found] == [
        ("s1", "Web", "", 5),
        ("s2", "ios", "", 0),
    ]
    path, query = asked(workspace_api)
    assert (path, query["groupBy.0"], query["eventName.0"]) == ("/events/volume", "source", "Survey Answered")
    assert version(workspace_api) == "application/vnd.segment.v1+json, application/json"


async def test_source_details_and_settings(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [
        answers(200, {"data": {"source": {"id": "s 1", "slug": "web", "enabled": False}, "trackingPlanId": "tp_1"}}),
        answers(200, {"data": {"source": {"id": "s 1"}, "trackingPlanId": None}}),
        answers(200, {"data": {"source": {"id": "s 1"}}}),
        answers(
            200, {"data": {"settings": {"track": {"allowUnplannedEvents": False, "allowEventOnViolations": None}}}}
        ),
        answers(200, {"data": {"settings": {"identify": {}}}}),
    ]
    details = await api.source_details("s 1")
    assert (details.name, details.enabled, details.tracking_plan_id) == ("web", False, "tp_1")
    assert (await api.source_details("s 1")).tracking_plan_id == ""
    unknown = await api.source_details("s 1")
    assert (unknown.enabled, unknown.tracking_plan_id) == (None, None)
    settings = await api.source_settings("s 1")
    assert workspace_api.asked[-1] == "/sources/s%201/settings"
    assert (settings.allow_unplanned_events, settings.allow_event_on_violations) == (False, None)
    assert (await api.source_settings("s 1")).common_event_on_violations == ""


async def test_filter_is_read_and_previewed_as_it_came(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    actions = [{"type": "DROP", "fields": None, "later": [1.5]}]
    filters = {"filters": [{"id": "f1", "title": "No EU", "if": "type = 'track'", "actions": actions, "enabled": True}]}
    workspace_api.problems = [
        answers(200, {"data": filters}),
        answers(200, {"data": {"inputPayload": {}, "result": None}}),
        answers(200, {"data": {"inputPayload": {}, "result": {"event": "x"}}}),
        answers(200, {"data": {"inputPayload": {}}}),
    ]
    (found,) = await api.destination_filters("d1")
    assert workspace_api.asked[-1].startswith("/destination/d1/filters?")
    assert (found.title, found.condition, found.enabled, found.drops) == ("No EU", "type = 'track'", True, True)
    payload = b'{"event": "x", "big": 12345678901234567890}'
    assert await api.preview_filter(found, payload)
    assert json.loads(workspace_api.bodies[0]) == {
        "filter": {"if": "type = 'track'", "actions": actions},
        "payload": {"event": "x", "big": 12345678901234567890},
    }
    assert workspace_api.headers[-1]["Content-Type"] == "application/vnd.segment.v1+json"
    assert not await api.preview_filter(found, payload)
    with pytest.raises(SegmentApiError, match="it has no `result`") as caught:
        await api.preview_filter(found, payload)
    assert caught.value.request == "POST /destination/filters/preview"


async def test_subscriptions_are_asked_for_as_alpha(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    one = {"id": "m1", "name": "Track", "actionSlug": "logEvent", "trigger": 'type = "track"', "enabled": True}
    workspace_api.problems = [answers(200, {"data": {"subscriptions": [one, {"id": "m2", "actionId": "a2"}]}})]
    first, second = await api.subscriptions("d1")
    assert (first.action, first.trigger, first.enabled) == ("logEvent", 'type = "track"', True)
    assert (second.action, second.enabled) == ("a2", None)
    assert version(workspace_api).startswith("application/vnd.segment.v1alpha+json")


async def test_tracking_plan_rules_keep_their_schema(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    schema = {"type": "object", "properties": {"properties": {"required": ["rating"]}}}
    rules = [
        {"type": "TRACK", "key": "Survey Answered", "jsonSchema": schema, "version": 2.0},
        {"type": "common", "jsonSchema": None, "version": "1", "deprecatedAt": "2026-01-01"},
    ]
    workspace_api.problems = [answers(200, {"data": {"rules": rules}})]
    track, common = await api.tracking_plan_rules("tp/1")
    assert workspace_api.asked[-1].startswith("/tracking-plans/tp%2F1/rules?")
    assert (track.key, track.version, track.json_schema) == ("Survey Answered", 2, schema)
    assert (common.type, common.key, common.json_schema) == ("COMMON", "", None)


async def test_suppressions_and_regulations(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    regulation = {
        "id": "r1",
        "regulationType": "SUPPRESS_WITH_DELETE",
        "status": "RUNNING",
        "subjectType": "USER_ID",
        "subjects": ["u1", 17],
        "createdAt": "2026-09-21T13:00:00.000Z",
    }
    workspace_api.problems = [
        answers(
            200, {"data": {"suppressed": [{"subjectType": "USER_ID", "subjectIds": ["u1"]}, {"subjectIds": None}]}}
        ),
        answers(200, {"data": {"regulations": [regulation]}}),
    ]
    assert [(one.subject_type, one.subject_ids) for one in await api.suppressions()] == [("USER_ID", ("u1",)), ("", ())]
    (found,) = await api.regulations(kinds=["SUPPRESS_ONLY", "UNSUPPRESS"])
    assert (found.kind, found.status, found.subject_ids) == ("SUPPRESS_WITH_DELETE", "RUNNING", ("u1", "17"))
    assert (found.created, found.finished) == (1_789_995_600_000, 0)
    assert asked(workspace_api)[1]["regulationTypes.1"] == "UNSUPPRESS"


async def test_large_workspace_takes_few_requests(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.sources = [source(n, f"Source {n}", f"key{n:029d}") for n in range(300)]
    first = workspace_api.sources[0]["id"]
    workspace_api.destinations = [workspace_lookalike.destination(n, f"Destination {n}", first) for n in range(40)]
    assert len(await api.sources()) == 300
    assert len(await api.destinations(first)) == 40
    assert api.requests == 2


async def test_smaller_pages_where_the_api_rejects_large_ones(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.sources = [source(n, f"Source {n}", f"key{n:029d}") for n in range(300)]
    workspace_api.max_count = 200
    assert len(await api.sources()) == 300
    await api.destinations(workspace_api.sources[0]["id"])
    counts = [asked(workspace_api, index)[1]["pagination.count"] for index in range(api.requests)]
    assert counts == ["1000", "200", "200", "200"]


async def test_422_about_something_else_is_not_asked_again(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    error = {"type": "input-validation", "message": "too old", "field": "startTime"}
    workspace_api.problems = [answers(422, {"errors": [error]})]
    with pytest.raises(SegmentApiError, match=r"does not accept GET /delivery-overview.* \(422\): too old") as caught:
        await api.delivery_metric(Step.RECEIVED, "s", **HOUR)
    assert (caught.value.status, api.requests) == (422, 1)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuses the token for GET /destinations/{id}/subscriptions (401): told"),
        (403, "refuses the token for GET /destinations/{id}/subscriptions (403): told"),
        (404, "knows no GET /destinations/{id}/subscriptions (404): told"),
        (409, "reports a conflict for GET /destinations/{id}/subscriptions (409): told"),
        (413, "finds the content of GET /destinations/{id}/subscriptions too large (413): told"),
        (418, "answers GET /destinations/{id}/subscriptions with 418: told"),
    ],
)
async def test_rejection_has_status_request_and_sentence(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, status: int, sentence: str
) -> None:
    workspace_api.problems = [answers(status, {"errors": [{"type": "x", "message": "told", "data": ["odd"]}]})]
    with pytest.raises(SegmentApiError) as caught:
        await api.subscriptions("secret-id")
    assert sentence in caught.value.message
    assert "secret-id" not in caught.value.message
    assert (caught.value.status, caught.value.request) == (status, "GET /destinations/{id}/subscriptions")
    assert caught.value.hint
    assert not isinstance(caught.value, SegmentApiUnreachableError)


async def test_without_points_the_next_request_waits_for_the_reset(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    reset = workspace_lookalike.reset_at(datetime.fromtimestamp(NOW_MS / 1000, tz=UTC) + timedelta(seconds=30))
    workspace = {"data": {"workspace": {"id": "w", "name": "Acme"}}}
    workspace_api.problems = [
        answers(200, workspace, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset),
        answers(200, workspace, X_RateLimit_Remaining="soon", X_RateLimit_Reset="soon"),
    ]
    assert await api.workspace() == "Acme"
    assert waits == []
    await api.workspace()
    await api.workspace()
    assert waits == [pytest.approx(29.0, abs=1.0)]


async def test_wait_for_points_beyond_the_budget_is_left_out(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    reset = workspace_lookalike.reset_at(datetime.fromtimestamp(NOW_MS / 1000, tz=UTC) + timedelta(days=30))
    body = {"data": {"workspace": {"id": "w"}}}
    workspace_api.problems = [answers(200, body, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)]
    await api.workspace()
    await api.workspace()
    assert waits == []


async def test_rate_limits_without_end_are_an_error(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    workspace_api.problems = [workspace_lookalike.limited(1)] * 30
    with pytest.raises(SegmentApiUnreachableError, match="limits requests") as caught:
        await api.workspace()
    assert (caught.value.status, caught.value.request) == (429, "GET /")
    assert len(waits) == 19
    assert min(waits) == 0.5


async def test_wait_of_several_requests_at_once_counts_once(workspace_api: WorkspaceLookalike, waits: Waits) -> None:
    told: list[float] = []
    waiting, over = asyncio.Semaphore(0), asyncio.Event()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        waiting.release()
        await over.wait()

    workspace_api.problems = [workspace_lookalike.limited(50_000)] * 4
    async with (
        PublicApiClient(
            workspace_api.url, TOKEN, clock=waits.clock, sleep=wait, on_wait=told.append, timeout=5.0
        ) as api,
        asyncio.TaskGroup() as group,
    ):
        asking = [group.create_task(api.workspace()) for _ in range(4)]
        for _ in asking:
            await waiting.acquire()
        over.set()
    assert [task.result() for task in asking] == ["Acme"] * 4
    assert waits == [50.0] * 4, "200 s of 120, one after the other"
    assert told == [50.0]


async def test_wait_that_is_no_number_is_that_of_a_limit_without_one(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    body = b'{"errors": [{"type": "x", "data": {"msBeforeNext": 1%b}}]}' % (b"0" * 400)
    workspace_api.problems = [answers(429, body)]
    await api.workspace()
    assert waits == [5.0]


async def test_cancelled_in_a_wait_it_ends_at_once(workspace_api: WorkspaceLookalike) -> None:
    told = asyncio.Event()
    workspace_api.problems = [workspace_lookalike.limited(100_000)]
    async with PublicApiClient(
        workspace_api.url, TOKEN, clock=ManualClock(), on_wait=lambda _: told.set(), timeout=5.0
    ) as api:
        task = asyncio.create_task(api.sources())
        await told.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert api.requests == 1


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"total": 0}},
        {"data": {"dataset": [{"eventName": "x", "total": 3, "series": None}]}},
        {"data": {"dataset": [{"eventName": "x", "total": 3, "series": [{"time": "soon", "count": 3}]}]}},
        {"data": {"dataset": [{"eventName": "x", "total": 3, "series": [{"time": "2026-09-21", "count": "many"}]}]}},
        {
            "data": {
                "dataset": [{"eventName": "x", "total": 3, "series": [{"time": "2026-09-21T13:00:00Z", "count": 2}]}]
            }
        },
        {
            "data": {
                "dataset": [{"eventName": "x", "total": 3, "series": [{"time": "2026-09-20T13:00:00Z", "count": 3}]}]
            }
        },
        {"data": {"dataset": [{"total": 3, "series": [{"time": "2026-09-21T13:00:00Z", "count": 3}]}]}},
        {"data": {"dataset": [{"eventName": "x", "total": -1}]}},
        b'{"data": {"dataset": [{"eventName": "x", "total": 1%b}]}}' % (b"0" * 400),
        {"data": {"dataset": [{"eventName": "x", "series": [{"time": 1, "count": 1.5}]}]}},
        b'{"data": {"dataset": [{"total": 1e999}]}}',
        b'{"data": {"dataset": [{"eventName": "x", "ser',
        {"errors": []},
    ],
)
async def test_count_that_is_not_there_is_never_zero(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, body: Any
) -> None:
    workspace_api.problems = [answers(200, body)]
    with pytest.raises(SegmentApiError, match="not what its documentation says") as caught:
        await api.delivery_metric(Step.RECEIVED, "s", **HOUR)
    assert caught.value.request == "GET /delivery-overview/successfully-received"


async def test_volume_that_names_no_source_is_no_answer(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    row = {"total": 5, "series": [{"time": "2026-09-21T13:00:00Z", "count": 5}]}
    workspace_api.problems = [answers(200, {"data": {"result": [row]}})]
    with pytest.raises(SegmentApiError, match="a row has no `source`"):
        await api.event_volume(event_names=["Survey Answered"], **HOUR)


async def test_errors_never_repeat_a_write_key(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    (first, *_) = await api.sources()
    text = f"no source has {workspace_lookalike.PRODUCTION_KEY}"
    workspace_api.problems = [answers(409, {"errors": [{"type": "x", "message": text}]})]
    with pytest.raises(SegmentApiError, match="no source has") as caught:
        await api.destinations(first.id)
    assert workspace_lookalike.PRODUCTION_KEY not in caught.value.message


async def test_null_dataset_is_empty(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [answers(200, {"data": {"total": 0, "dataset": None}})]
    assert await api.delivery_metric(Step.RECEIVED, "s", **HOUR) == ()


def test_only_dropping_actions_drop() -> None:
    assert not DestinationFilter(id="f", condition="", actions=({"type": "DROP_PROPERTIES"}, {})).drops
    assert DestinationFilter(id="f", condition="", actions=({"type": "SAMPLE", "percent": 0.1},)).drops
