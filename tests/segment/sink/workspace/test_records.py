"""Records of the fake Public API: settings, filters, mappings, plans, suppressed users, and a user's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.clocks import ManualClock
from support.workspace_lookalike import PROFILE_SPACE, PROFILE_TOKEN, WorkspaceLookalike

from sprig_tui.segment.sink.workspace.metrics_routes import iso
from sprig_tui.segment.sink.workspace.tracking_plan import conforms

SURVEY = "SDK - Submitted - Survey Response"
Ask = Callable[..., httpx.Response]
Send = Callable[..., None]


def test_source_has_its_plan_rules_and_settings(api: WorkspaceLookalike, ask: Ask) -> None:
    web = api.sources[0]
    assert ask(f"/sources/{web['id']}").json()["data"]["trackingPlanId"] is None
    plan = api.workspace.connect_plan(web, [(SURVEY, {"type": "object"})], allow_unplanned=False, block=True)
    assert ask(f"/sources/{web['id']}").json()["data"]["trackingPlanId"] == plan
    (rule,) = ask(f"/tracking-plans/{plan}/rules").json()["data"]["rules"]
    assert (rule["key"], rule["type"], rule["jsonSchema"]) == (SURVEY, "TRACK", {"type": "object"})
    settings = ask(f"/sources/{web['id']}/settings").json()["data"]["settings"]["track"]
    assert settings["allowUnplannedEvents"] is False
    assert settings["allowEventOnViolations"] is False


def test_filters_and_mappings_belong_to_their_destination(api: WorkspaceLookalike, ask: Ask) -> None:
    first, second = api.destinations
    api.workspace.add_filter(first, f'event = "{SURVEY}"')
    api.workspace.add_subscription(second, 'type = "track"', name="Track Event")
    (found,) = ask(f"/destination/{first['id']}/filters").json()["data"]["filters"]
    assert (found["if"], found["actions"], found["enabled"]) == (f'event = "{SURVEY}"', [{"type": "DROP"}], True)
    assert ask(f"/destination/{second['id']}/filters").json()["data"]["filters"] == []
    (mapping,) = ask(f"/destinations/{second['id']}/subscriptions").json()["data"]["subscriptions"]
    assert (mapping["name"], mapping["trigger"]) == ("Track Event", 'type = "track"')
    assert ask(f"/destinations/{first['id']}").json()["data"]["destination"]["name"] == "Amplitude"


@pytest.mark.parametrize(
    ("condition", "actions", "dropped"),
    [
        (f'event = "{SURVEY}"', [{"type": "DROP"}], True),
        ('event = "Other"', [{"type": "DROP"}], False),
        (f'event = "{SURVEY}"', [{"type": "DROP_PROPERTIES", "fields": {"properties": ["a"]}}], False),
    ],
)
def test_preview_says_whether_a_filter_drops_a_payload(
    ask: Ask, condition: str, actions: list[dict[str, Any]], dropped: bool
) -> None:
    body = {"filter": {"if": condition, "actions": actions}, "payload": {"event": SURVEY, "type": "track"}}
    data = ask("/destination/filters/preview", method="POST", body=body).json()["data"]
    assert data["inputPayload"] == body["payload"]
    assert (data["result"] is None) is dropped


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": {"if": "event", "actions": [{"type": "DROP"}]}}, "payload"),
        ({"filter": {"if": "event", "actions": [{"type": "EXPLODE"}]}, "payload": {}}, "filter.actions"),
        ({"filter": {"if": "event", "actions": []}, "payload": {}}, "filter.actions"),
        ({"filter": {"if": "event ===", "actions": [{"type": "DROP"}]}, "payload": {}}, "filter.if"),
    ],
)
def test_invalid_preview_is_rejected(ask: Ask, body: Any, field: str) -> None:
    answer = ask("/destination/filters/preview", method="POST", body=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_regulations_suppress_and_unsuppress(
    ask: Ask, send: Send, count: Callable[..., Any], api: WorkspaceLookalike
) -> None:
    def regulate(kind: str) -> httpx.Response:
        body = {"regulationType": kind, "subjectType": "USER_ID", "subjectIds": ["acct_1", "acct_2"]}
        return ask("/regulations", method="POST", body=body)

    assert regulate("SUPPRESS_WITH_DELETE").json()["data"]["regulateId"]
    send("m1")
    assert count("successfully-received") == {}
    listed = ask("/suppressions").json()["data"]["suppressed"]
    assert listed == [{"subjectType": "USER_ID", "subjectIds": [one]} for one in ("acct_1", "acct_2")]
    (entry,) = ask("/regulations?regulationTypes.0=SUPPRESS_WITH_DELETE&status=FINISHED").json()["data"]["regulations"]
    assert (entry["subjects"], entry["subjectType"]) == (["acct_1", "acct_2"], "USER_ID")
    assert ask("/regulations?regulationTypes.0=DELETE_ONLY").json()["data"]["regulations"] == []
    regulate("UNSUPPRESS")
    send("m1")
    assert count("successfully-received") == {SURVEY: 1}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"regulationType": "FORGET"}, "regulationType"),
        ({"subjectType": "EMAIL"}, "subjectType"),
        ({"subjectIds": []}, "subjectIds"),
        ({"subjectIds": ["x"] * 5_001}, "subjectIds"),
    ],
)
def test_invalid_regulation_is_rejected(ask: Ask, changed: dict[str, Any], field: str) -> None:
    body = {"regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["acct_1"], **changed}
    answer = ask("/regulations", method="POST", body=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_http_api_is_in_the_catalog(ask: Ask) -> None:
    kinds = ask("/catalog/sources").json()["data"]["sourcesCatalog"]
    assert next(one["id"] for one in kinds if one["slug"] == "http-api") == "iUM16Md8P2"


def test_profile_has_the_events_of_its_user(
    api: WorkspaceLookalike, http: httpx.Client, send: Send, clock: ManualClock
) -> None:
    send("m1", userId="Acct_1")
    clock.advance(60)
    send("m2", "m3", userId="Acct_1", event="Order")
    send("m4", userId="acct_2")

    def events(user: str = "acct_1", token: str = PROFILE_TOKEN, space: str = PROFILE_SPACE, **query: Any) -> Any:
        path = f"/v1/spaces/{space}/collections/users/profiles/user_id:{user}/events"
        return http.get(api.url + path, params=query, auth=(token, ""))

    newest = events(limit=2).json()
    assert [one["message_id"] for one in newest["data"]] == ["m2", "m3"]
    assert newest["cursor"]["has_more"] is True
    rest = events(limit=2, next=newest["cursor"]["next"]).json()
    assert [one["message_id"] for one in rest["data"]] == ["m1"]
    assert rest["cursor"]["has_more"] is False
    (found,) = events(include=SURVEY).json()["data"]
    assert (found["event"], found["source_id"]) == (SURVEY, api.sources[0]["id"])
    assert [one["message_id"] for one in events(end=iso(clock.ms - 30_000)).json()["data"]] == ["m1"]
    assert [one["message_id"] for one in events(sort="asc").json()["data"]] == ["m1", "m2", "m3"]
    assert events(user="acct_9").status_code == events(space="spa_other").status_code == 404
    assert events(user="acct_9").json()["error"]["code"] == "not_found"
    assert events(token="wrong").status_code == 401
    assert events(limit="0").status_code == 400


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ({"a": 1}, {"type": "object", "required": ["a"]}, True),
        ({}, {"type": "object", "required": ["a"]}, False),
        ({"a": "x"}, {"properties": {"a": {"type": ["integer", "null"]}}}, False),
        ({"a": None}, {"properties": {"a": {"type": ["integer", "null"]}}}, True),
        ({"a": True}, {"properties": {"a": {"type": "integer"}}}, False),
        ({"b": 1}, {"properties": {"a": {}}, "additionalProperties": False}, False),
        ("abc", {"pattern": "^a", "maxLength": 3}, True),
        ("abc", {"maxLength": 2}, False),
        ("abc", {"pattern": "("}, True),
        (5, {"minimum": 6}, False),
        ("x", {"enum": ["y"]}, False),
        ("x", {"const": "x"}, True),
        ([1, "x"], {"items": {"type": "integer"}}, False),
        (5, None, True),
        (5, {"oneOf": []}, True),
    ],
)
def test_schema_is_checked_as_far_as_it_is_known(value: Any, schema: Any, expected: bool) -> None:
    assert conforms(value, schema) is expected
