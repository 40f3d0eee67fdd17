"""Counts of the fake workspace over HTTP: what the sink took, by step, bucket and dimension."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from support.clocks import ManualClock
from support.workspace_lookalike import DEVELOPMENT_KEY, WorkspaceLookalike

BETA = "application/vnd.segment.v1beta+json, application/json"
HOUR = 3_600_000
DAY = 24 * HOUR
SURVEY = "SDK - Submitted - Survey Response"
Ask = Callable[..., httpx.Response]


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def overview(api: WorkspaceLookalike, start: int, end: int, granularity: str = "HOUR", **more: str) -> str:
    query = {
        "sourceId": api.sources[0]["id"],
        "startTime": iso(start),
        "endTime": iso(end),
        "granularity": granularity,
        **more,
    }
    return f"/delivery-overview/successfully-received?{httpx.QueryParams(query)}"


def test_delivered_events_become_counts_by_bucket(
    api: WorkspaceLookalike, ask: Ask, send: Callable[..., None], clock: ManualClock
) -> None:
    first = clock.ms
    send("m1", "m2")
    send("other", event="Order Completed")
    send("dev", key=DEVELOPMENT_KEY)
    clock.advance(3600)
    send("m3")
    hour = first - first % HOUR
    path = overview(api, hour, hour + 2 * HOUR, **{"groupBy.0": "eventName"})
    answer = ask(path, accept=BETA)
    assert answer.headers["content-type"] == "application/vnd.segment.v1beta+json"
    data = answer.json()["data"]
    assert data["total"] == 4
    assert data["dataset"] == [
        {
            "eventName": SURVEY,
            "total": 3,
            "series": [
                {"time": iso(hour).replace("Z", ".000Z"), "count": 2},
                {"time": iso(hour + HOUR).replace("Z", ".000Z"), "count": 1},
            ],
        },
        {
            "eventName": "Order Completed",
            "total": 1,
            "series": [{"time": data["dataset"][0]["series"][0]["time"], "count": 1}],
        },
    ]
    minute = first - first % 60_000
    narrow = ask(overview(api, minute, minute + 60_000, "minute"), accept=BETA).json()["data"]
    assert narrow["dataset"] == [{"total": 3, "series": [{"time": iso(minute).replace("Z", ".000Z"), "count": 3}]}]
    before = ask(overview(api, minute - 60_000, minute, "MINUTE"), accept=BETA).json()["data"]
    assert before["dataset"] == []
    api.service.api.metrics.fills_empty_buckets = True
    filled = ask(overview(api, hour, hour + 3 * HOUR), accept=BETA).json()["data"]["dataset"][0]["series"]
    assert [point["count"] for point in filled] == [3, 1, 0]


def test_counts_are_seen_after_a_delay(
    send: Callable[..., None], count: Callable[..., Any], clock: ManualClock, api: WorkspaceLookalike
) -> None:
    api.service.pipeline._delay_ms = 30_000
    send("m1")
    clock.advance(29)
    assert count("successfully-received") == {}
    clock.advance(2)
    assert count("successfully-received") == {SURVEY: 1}


def test_repeat_is_delivered_once(
    api: WorkspaceLookalike, send: Callable[..., None], count: Callable[..., Any]
) -> None:
    send("m1", "m2")
    send("m1")
    assert count("successfully-received") == {SURVEY: 2}
    api.set_faults("repeats")
    send("m1")
    assert count("successfully-received") == {SURVEY: 3}
    assert count("successful-delivery", destination=0) == {"successes.attempt.1": 2}


def test_invalid_event_failed_on_ingest(send: Callable[..., None], count: Callable[..., Any]) -> None:
    send("m1", event=None)
    send("m2", properties=[1])
    assert count("failed-on-ingest") == {"event_not_defined": 1, "properties_not_object": 1}
    assert count("successfully-received") == {}


def test_counts_of_the_past_can_be_made(api: WorkspaceLookalike, count: Callable[..., Any], clock: ManualClock) -> None:
    source = api.sources[0]["id"]
    api.add_counts("successfully-received", source, clock.ms - DAY, 1204, event=SURVEY)
    api.add_counts(
        "failed-delivery", source, clock.ms, 3, event=SURVEY, destination_id=api.destinations[0]["id"], reason="401"
    )
    assert count("successfully-received") == {SURVEY: 1204}
    assert count("failed-delivery", destination=0) == {"401": 3}


@pytest.mark.parametrize(
    ("granularity", "start", "end", "field"),
    [
        ("MINUTE", -4 * HOUR - 60_000, 0, "endTime"),
        ("MINUTE", -49 * HOUR, -48 * HOUR, "startTime"),
        ("HOUR", -15 * DAY, 0, "endTime"),
        ("HOUR", -31 * DAY, -30 * DAY, "startTime"),
        ("DAY", -31 * DAY, 0, "endTime"),
        ("DAY", -40 * DAY, -20 * DAY, "startTime"),
        ("HOUR", 0, 0, "endTime"),
        ("WEEK", -DAY, 0, "granularity"),
    ],
)
def test_range_beyond_the_documented_one_is_rejected(
    api: WorkspaceLookalike, ask: Ask, clock: ManualClock, granularity: str, start: int, end: int, field: str
) -> None:
    answer = ask(overview(api, clock.ms + start, clock.ms + end, granularity), accept=BETA)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["type"], error["field"]) == ("input-validation", field)


@pytest.mark.parametrize(("granularity", "span"), [("MINUTE", 4 * HOUR), ("HOUR", 14 * DAY), ("DAY", 30 * DAY)])
def test_the_longest_range_is_answered(
    api: WorkspaceLookalike, ask: Ask, clock: ManualClock, granularity: str, span: int
) -> None:
    assert ask(overview(api, clock.ms - span, clock.ms, granularity.lower()), accept=BETA).status_code == 200


@pytest.mark.parametrize("name", ["sourceId", "startTime", "endTime", "granularity"])
def test_required_parameter_is_required(api: WorkspaceLookalike, ask: Ask, clock: ManualClock, name: str) -> None:
    answer = ask(overview(api, clock.ms - HOUR, clock.ms, **{name: ""}), accept=BETA)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)


def test_destination_steps_require_the_destination_of_the_source(
    api: WorkspaceLookalike, ask: Ask, clock: ManualClock
) -> None:
    path = overview(api, clock.ms - HOUR, clock.ms).replace("successfully-received", "successful-delivery")
    assert ask(path, accept=BETA).json()["errors"][0]["field"] == "destinationConfigId"
    own, kind = api.destinations[0]["id"], api.destinations[0]["metadata"]["id"]
    assert ask(f"{path}&destinationConfigId={own}", accept=BETA).status_code == 200
    assert ask(f"{path}&destinationConfigId={kind}", accept=BETA).status_code == 404


def test_volume_by_source_finds_a_key_in_the_wrong_environment(
    api: WorkspaceLookalike, ask: Ask, send: Callable[..., None], clock: ManualClock
) -> None:
    send("m1", "m2", key=DEVELOPMENT_KEY)
    send("m3", event="Order Completed")
    send("m4", key="k9keyOfAnotherWorkspace000000000")
    query = {
        "granularity": "HOUR",
        "startTime": iso(clock.ms - HOUR),
        "endTime": iso(clock.ms + HOUR),
        "eventName.0": SURVEY,
        "groupBy.0": "source",
    }
    answer = ask(f"/events/volume?{httpx.QueryParams(query)}").json()["data"]
    (row,) = answer["result"]
    assert row["source"] == {"id": api.sources[1]["id"], "name": "Acme dev", "slug": "acme-dev"}
    assert row["total"] == 2
    assert answer["path"] == "/events/volume"


def test_delivery_metrics_of_a_destination_are_totals(
    api: WorkspaceLookalike, ask: Ask, send: Callable[..., None], clock: ManualClock
) -> None:
    api.set_faults("failed=401@2")
    send("m1", "m2", "m3")
    query = httpx.QueryParams(
        {"sourceId": api.sources[0]["id"], "startTime": iso(clock.ms - HOUR), "endTime": iso(clock.ms + HOUR)}
    )
    path = f"/destinations/{api.destinations[0]['id']}/delivery-metrics?{query}"
    summary = ask(path, accept=BETA).json()["data"]["deliveryMetricsSummary"]
    assert summary["destinationMetadataId"] == api.destinations[0]["metadata"]["id"]
    assert {one["metricName"]: one["total"] for one in summary["metrics"]} == {"successes": 2, "failures": 1}
