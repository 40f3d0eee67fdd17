"""Our clients against the look-alike: both are written from the documentation, neither from the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from support.clocks import NOW_MS, ManualClock
from support.plain_http import PLAIN
from support.workspace_lookalike import (
    MEMBER_TOKEN,
    PRODUCTION_KEY,
    PROFILE_SPACE,
    PROFILE_TOKEN,
    TOKEN,
    WorkspaceLookalike,
    numbers_as,
    with_unknown_fields,
)

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import SegmentApiError
from sprig_tui.segment.metrics import Granularity, MetricPoint, Step
from sprig_tui.segment.profile_api import ProfileApiClient
from sprig_tui.segment.public_api import PublicApiClient

SURVEY = "SDK - Submitted - Survey Response"
HOUR = 3_600_000
START = NOW_MS - NOW_MS % HOUR
RESHAPES: dict[str, Callable[[Any], Any]] = {
    "as documented": lambda data: data,
    "floats": numbers_as(float),
    "texts": numbers_as(str),
    "unknown fields": with_unknown_fields,
}


@pytest.fixture
def lookalike() -> Iterator[WorkspaceLookalike]:
    with WorkspaceLookalike(clock=ManualClock()) as served:
        yield served


@pytest.fixture
async def api(lookalike: WorkspaceLookalike) -> AsyncIterator[PublicApiClient]:
    async with PublicApiClient(lookalike.url, PublicApiToken(TOKEN), clock=ManualClock(), timeout=5.0) as opened:
        yield opened


async def deliver(lookalike: WorkspaceLookalike, *ids: str, **fields: Any) -> None:
    calls = [{"type": "track", "messageId": one, "userId": "acct_1", "event": SURVEY, **fields} for one in ids]
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as http:
        sent = await http.post(lookalike.url + "/v1/batch", json={"batch": calls}, auth=(PRODUCTION_KEY, ""))
    assert sent.status_code == 200


@pytest.mark.parametrize("shape", RESHAPES)
async def test_counts_are_read_however_they_are_written(
    lookalike: WorkspaceLookalike, api: PublicApiClient, shape: str
) -> None:
    lookalike.set_faults("failed=401@1-2@destination:Amplitude")
    await deliver(lookalike, "m1", "m2", "m3")
    await deliver(lookalike, "m4", event="Order")
    await deliver(lookalike, "m5", properties=[])
    lookalike.service.api.reshape = RESHAPES[shape]
    source, destination = lookalike.sources[0]["id"], lookalike.destinations[0]["id"]
    window: Any = {"start": START, "end": START + 2 * HOUR, "granularity": Granularity.HOUR}
    received = await api.delivery_metric(Step.RECEIVED, source, **window)
    assert {row.event_name: row.total for row in received} == {SURVEY: 3, "Order": 1}
    ours = next(row for row in received if row.event_name == SURVEY)
    assert ours.points == (MetricPoint(START, 3),)
    both = ("eventName", "discardReason")
    (rejected,) = await api.delivery_metric(Step.FAILED_ON_INGEST, source, group_by=both, **window)
    assert (rejected.discard_reason, rejected.total) == ("properties_not_object", 1)
    (failed,) = await api.delivery_metric(
        Step.FAILED_DELIVERY, source, destination_id=destination, group_by=both, **window
    )
    assert (failed.event_name, failed.discard_reason, failed.total) == (SURVEY, "401", 2)
    delivered = await api.delivery_metric(Step.DELIVERED, source, destination_id=destination, **window)
    assert {row.event_name: row.total for row in delivered} == {SURVEY: 1, "Order": 1}
    (volume,) = await api.event_volume(event_names=[SURVEY], **window)
    assert (volume.source_id, volume.source_name, volume.total) == (source, "Acme production", 3)


async def test_every_page_of_counts_is_read(lookalike: WorkspaceLookalike, api: PublicApiClient) -> None:
    source = lookalike.sources[0]["id"]
    for number in range(1_500):
        lookalike.add_counts(Step.RECEIVED, source, START, number + 1, event=f"event {number}")
    rows = await api.delivery_metric(Step.RECEIVED, source, start=START, end=START + HOUR, granularity=Granularity.HOUR)
    assert sorted(row.total for row in rows) == list(range(1, 1_501))


async def test_every_kind_of_record_is_read(lookalike: WorkspaceLookalike, api: PublicApiClient) -> None:
    lookalike.service.api.reshape = with_unknown_fields
    source, destination = lookalike.sources[0], lookalike.destinations[0]
    plan = lookalike.workspace.connect_plan(source, [(SURVEY, {"type": "object"})], allow_unplanned=False, block=True)
    lookalike.workspace.add_filter(destination, f'event = "{SURVEY}"')
    lookalike.workspace.add_subscription(destination, 'type = "track"', name="Track Event")
    lookalike.workspace.suppressed = [f"acct_{number}" for number in range(1_200)]
    details = await api.source_details(source["id"])
    assert (details.name, details.enabled, details.tracking_plan_id) == ("Acme production", True, plan)
    settings = await api.source_settings(source["id"])
    assert (settings.allow_unplanned_events, settings.allow_event_on_violations) == (False, False)
    (rule,) = await api.tracking_plan_rules(plan)
    assert (rule.key, rule.type, rule.version) == (SURVEY, "TRACK", 1)
    assert rule.json_schema["type"] == "object"
    (found,) = await api.destination_filters(destination["id"])
    assert (found.condition, found.enabled) == (f'event = "{SURVEY}"', True)
    assert await api.preview_filter(found, json.dumps({"event": SURVEY}).encode())
    assert not await api.preview_filter(found, b'{"event": "Other"}')
    (mapping,) = await api.subscriptions(destination["id"])
    assert (mapping.name, mapping.trigger, mapping.enabled) == ("Track Event", 'type = "track"', True)
    suppressed = await api.suppressions()
    assert {one for entry in suppressed for one in entry.subject_ids} == set(lookalike.workspace.suppressed)
    assert await api.regulations(kinds=["SUPPRESS_ONLY"]) == ()


async def test_missing_permission_is_a_rejection_with_its_status(lookalike: WorkspaceLookalike) -> None:
    lookalike.workspace.denied = ["/suppressions", "/events"]
    async with PublicApiClient(lookalike.url, PublicApiToken(MEMBER_TOKEN), clock=ManualClock()) as api:
        assert [one.write_keys for one in await api.sources()] == [(), (), ()]
        for asked in (
            api.suppressions(),
            api.event_volume(start=START, end=START + HOUR, granularity=Granularity.HOUR),
        ):
            with pytest.raises(SegmentApiError) as caught:
                await asked
            assert caught.value.status == 401


async def test_event_is_found_by_its_message_id(lookalike: WorkspaceLookalike) -> None:
    await deliver(lookalike, *(f"m{number}" for number in range(250)), userId="Acct_7")
    token = PublicApiToken(PROFILE_TOKEN)
    async with ProfileApiClient(lookalike.url, PROFILE_SPACE, token, clock=ManualClock(), timeout=5.0) as profiles:
        window = (NOW_MS - HOUR, NOW_MS + HOUR)
        found = await profiles.find_event("Acct_7", SURVEY, "m3", *window)
        assert found is not None
        assert (found.event, found.time, found.source_id) == (SURVEY, NOW_MS, lookalike.sources[0]["id"])
        assert await profiles.find_event("Acct_7", SURVEY, "m999", *window) is None
        assert await profiles.find_event("acct_8", SURVEY, "m3", *window) is None
