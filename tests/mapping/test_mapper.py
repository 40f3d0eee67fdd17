"""Mapper: the track call of a response, by Sprig's table and facts/sprig.md 8."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from sprig_tui.mapping.mapper import Mapper, map_response
from sprig_tui.mapping.records import Mapping, Rules, Survey
from sprig_tui.reasons import Reason
from sprig_tui.segment.track import message_id, withheld_message_id
from sprig_tui.sprig.records import Note, StudyResponse

from .conftest import Make

NOW = 1_800_000_000_000


def mapped(response: StudyResponse, rules: Rules | None = None, environment: str = "production") -> Mapping:
    return map_response(response, rules or Rules(), environment=environment, now_ms=NOW)


def sent(response: StudyResponse, rules: Rules | None = None) -> dict[str, Any]:
    track = json.loads(mapped(response, rules).body)
    assert isinstance(track, dict)
    return track


def test_whole_track_call(make: Make) -> None:
    mapping = mapped(make())
    assert mapping.withheld is None
    assert mapping.detail == ""
    assert mapping.body == (
        b'{"messageId":"sprig-054e7b95cb04e991acaafa5a4bf62316","userId":"acct_88213",'
        b'"event":"SDK - Submitted - Survey Response","type":"track","properties":{"surveyName":"Checkout effort",'
        b'"surveyId":5120,"question":"How easy was checkout?","questionType":"LIKERT",'
        b'"visitorId":"b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77",'
        b'"responseGroupId":"0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11","response":4,"email":"mira@example.com",'
        b'"attributes":{"plan":"team","company":"Northwind"},"triggeringEvent":"Checkout Completed"},'
        b'"context":{"integration":{"name":"sprig","version":"1.0.0"}},"timestamp":"2025-03-04T16:21:09.114Z"}'
    )
    assert mapping.message_id == message_id(
        "production", "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11", "How easy was checkout?", "LIKERT"
    )
    assert mapping.answered_ms == 1_741_105_269_114
    assert mapping.updated_ms == 0
    assert mapping.digest == b"\0" * 7 + b"4"


def test_webhook_and_rest_answer_share_id_and_digest(make: Make) -> None:
    webhook = mapped(make(response=b'{"a":1,"b":null}'))
    rest = mapped(make(response=b'{ "b" : null, "a" : 1 }', question_id="90311", raw=b"{}", visitor_id=None))
    assert (webhook.message_id, webhook.digest) == (rest.message_id, rest.digest)
    assert mapped(make(), environment="development").message_id != webhook.message_id


@pytest.mark.parametrize(
    "answer",
    [
        b"4",
        b"0",
        b"null",
        b"[]",
        b"{}",
        b'""',
        b"false",
        b'{"submitted":true}',
        b'["Shipping form","Card errors"]',
        b"12345678901234567890123",
        b"1e308",
        b"0.1000000000000000055511151231257827",
        b'{"z":1,"a":2}',
        '"とても遅い 🙂"'.encode(),
        b'"\\u001b[31m\\ud83d\\ude00"',
    ],
)
def test_answer_is_sent_byte_for_byte(make: Make, answer: bytes) -> None:
    mapping = mapped(make(response=answer))
    assert b'"response":' + answer + b',"email"' in mapping.body
    assert mapping.withheld is None


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"survey_id": 2**70}, "surveyId", 2**70),
        ({"survey_id": "2603"}, "surveyId", "2603"),
        ({"survey_id": 0}, "surveyId", 0),
        ({"survey_id": None}, "surveyId", ...),
        ({"survey_name": None}, "surveyName", ...),
        ({"survey_created_at": "2025-01-02T00:00:00Z"}, "createdAt", "2025-01-02T00:00:00Z"),
        ({}, "createdAt", ...),
        ({"visitor_id": None}, "visitorId", ...),
        ({"old_visitor_id": 20240117}, "oldVisitorId", 20240117),
        ({"old_visitor_id": "20240117"}, "oldVisitorId", "20240117"),
        ({"old_visitor_id": 0}, "oldVisitorId", ...),
        ({"old_visitor_id": None}, "oldVisitorId", ...),
        ({"email": None}, "email", ...),
        ({"attributes": UNSET}, "attributes", ...),
        ({"attributes": None}, "attributes", None),
        ({"attributes": Raw(b"{}")}, "attributes", {}),
        ({"triggering_event": None}, "triggeringEvent", None),
        ({"triggering_event": UNSET}, "triggeringEvent", ...),
        ({"question_type": "CONJOINT"}, "questionType", "CONJOINT"),
    ],
)
def test_value_of_each_property(make: Make, changes: dict[str, Any], name: str, expected: object) -> None:
    mapping = mapped(make(**changes))
    assert json.loads(mapping.body)["properties"].get(name, ...) == expected
    assert mapping.withheld is None


def test_only_documented_fields_are_sent(make: Make) -> None:
    response = make(
        question_id="90311",
        environment_id="QmK7x2dTfa",
        environment="production",
        updated_at="2025-03-04T16:30:00.000Z",
        user_id_hint="partnerAnonymousId = anon_1",
        notes=(Note.UNKNOWN_EVENT,),
    )
    assert mapped(response).body == mapped(make()).body


def test_user_id_is_trimmed(make: Make) -> None:
    assert sent(make(user_id="  acct_1 "))["userId"] == "acct_1"


@pytest.mark.parametrize("user_id", [None, "", " \t"])
def test_anonymous_answer_is_withheld(make: Make, user_id: str | None) -> None:
    mapping = mapped(make(user_id=user_id, user_id_hint="visitorSnapshot.externalUserId = acct_1"))
    assert mapping.withheld is Reason.ANONYMOUS
    assert mapping.detail == (
        "userId: no User ID in the record; visitorSnapshot.externalUserId = acct_1 is another id, and not used"
    )
    track = json.loads(mapping.body)
    assert "userId" not in track
    assert b"acct_1" not in mapping.body
    assert mapping.message_id == mapped(make()).message_id
    assert len(mapping.fields) == 21


def test_deleted_is_the_first_reason(make: Make) -> None:
    mapping = mapped(make(user_id=None, answered_at=None, deleted_at="2025-04-01T00:00:00Z"), environment="")
    assert mapping.withheld is Reason.DELETED
    assert mapping.detail == "deleted in Sprig at 2025-04-01T00:00:00Z"


def test_order_of_withhold_reasons(make: Make) -> None:
    everything: dict[str, Any] = {"user_id": None, "answered_at": None, "question": "x" * 40_000}
    steps = [
        ({}, Reason.ANONYMOUS),
        ({"user_id": "acct_1"}, Reason.INVALID),
        ({"answered_at": "2025-03-04T16:21:09Z"}, Reason.TOO_LARGE),
        ({"question": "short"}, Reason.ENVIRONMENT_UNKNOWN),
    ]
    for step, reason in steps:
        everything |= step
        assert mapped(make(**everything), environment="").withheld is reason
    assert mapped(make(**everything)).withheld is None


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"environment_id": "Zb81hQe0Rc"}, "no environment has the Sprig environment id Zb81hQe0Rc"),
        ({"environment": "staging"}, "no environment is called staging"),
        ({}, "neither the record nor the command names an environment"),
    ],
)
def test_unknown_environment_is_withheld(make: Make, changes: dict[str, Any], detail: str) -> None:
    mapping = mapped(make(**changes), environment="")
    assert (mapping.withheld, mapping.detail) == (Reason.ENVIRONMENT_UNKNOWN, detail)
    assert mapping.body


@pytest.mark.parametrize(
    ("answered_at", "timestamp", "ms"),
    [
        ("2025-03-04T18:21:09.114+02:00", "2025-03-04T18:21:09.114+02:00", 1_741_105_269_114),
        ("2025-03-04 16:21:09.114Z", "2025-03-04T16:21:09.114Z", 1_741_105_269_114),
        ("1741105269114", "2025-03-04T16:21:09.114Z", 1_741_105_269_114),
        ("2025-03-04", "2025-03-04", 1_741_046_400_000),
    ],
)
def test_timestamp_is_the_time_of_the_answer(make: Make, answered_at: str, timestamp: str, ms: int) -> None:
    mapping = mapped(make(answered_at=answered_at))
    assert json.loads(mapping.body)["timestamp"] == timestamp
    assert mapping.answered_ms == ms
    assert mapping.withheld is None


@pytest.mark.parametrize(
    ("answered_at", "detail"),
    [
        (None, "timestamp: no time: Segment would take the time of arrival"),
        ("", "timestamp: no time: Segment would take the time of arrival"),
        ("last week", "timestamp: neither an ISO-8601 time nor 10 or 13 digits (s or ms since 1970)"),
        ("1969-12-31T23:59:59.999Z", "timestamp: before 1970: Segment may refuse it"),
    ],
)
def test_answer_without_a_valid_time_is_invalid(make: Make, answered_at: str | None, detail: str) -> None:
    mapping = mapped(make(answered_at=answered_at, updated_at="2025-03-04T16:21:09.114Z"))
    assert (mapping.withheld, mapping.detail) == (Reason.INVALID, detail)
    assert json.loads(mapping.body).get("timestamp", "") == (answered_at or "")


def test_future_time_is_sent_with_a_warning(make: Make) -> None:
    mapping = mapped(make(answered_at="2030-01-01T00:00:00.000Z"))
    assert mapping.withheld is None
    assert [one.code for one in mapping.lints] == ["timestamp_in_future"]


@pytest.mark.parametrize(
    ("updated_at", "ms"),
    [
        (None, 0),
        ("2025-03-04T16:21:09.114Z", 1_741_105_269_114),
        ("2025-03-04T16:21:10Z", 1_741_105_270_000),
        ("nonsense", 0),
    ],
)
def test_time_of_the_last_change(make: Make, updated_at: str | None, ms: int) -> None:
    assert mapped(make(updated_at=updated_at)).updated_ms == ms


def test_answer_without_a_response_group_is_invalid_with_a_hash_id(make: Make) -> None:
    mapping = mapped(make(response_group_id=" "))
    assert mapping.withheld is Reason.INVALID
    assert mapping.detail.startswith("properties.responseGroupId: ")
    assert mapping.message_id == withheld_message_id("production", b'{"id":41207}')
    assert json.loads(mapping.body)["messageId"] == mapping.message_id


def test_size_limit_is_exact(make: Make) -> None:
    room = 32_768 - len(mapped(make(response=b'""')).body)
    assert mapped(make(response=b'"%b"' % (b"x" * room))).withheld is None
    over = mapped(make(response=b'"%b"' % (b"x" * (room + 1))))
    assert (over.withheld, over.detail) == (Reason.TOO_LARGE, "32,769 bytes; Segment takes 32,768 per event")
    assert len(over.body) == 32_769


def test_catalogue_fills_missing_fields(make: Make) -> None:
    rules = Rules(surveys={"5120": Survey(name="From catalogue", created_at="2025-01-02T03:04:05Z")})
    track = sent(make(survey_name=None), rules)
    assert track["properties"]["surveyName"] == "From catalogue"
    assert track["properties"]["createdAt"] == "2025-01-02T03:04:05Z"
    track = sent(make(survey_created_at="2024-01-01T00:00:00Z"), rules)
    assert track["properties"]["surveyName"] == "Checkout effort"
    assert track["properties"]["createdAt"] == "2024-01-01T00:00:00Z"
    assert "surveyName" not in sent(make(survey_name=None, survey_id=7), rules)["properties"]


def test_created_at_can_be_the_answer_time(make: Make) -> None:
    rules = Rules(created_at="response")
    assert sent(make(), rules)["properties"]["createdAt"] == "2025-03-04T16:21:09.114Z"
    assert "createdAt" not in sent(make(answered_at=None), rules)["properties"]


def test_rules_set_event_integration_and_destinations(make: Make) -> None:
    rules = Rules(
        event="Survey answered",
        integration_name="sprig-tui",
        integration_version="2.0.0",
        integrations={"All": False, "Amplitude": True},
    )
    track = sent(make(), rules)
    assert track["event"] == "Survey answered"
    assert track["context"] == {"integration": {"name": "sprig-tui", "version": "2.0.0"}}
    assert track["integrations"] == {"All": False, "Amplitude": True}
    assert sent(make(), Rules(integrations={}))["integrations"] == {}


def test_message_id_does_not_depend_on_the_rules(make: Make) -> None:
    rules = Rules(omit=frozenset({"properties.question"}), hash=frozenset({"properties.questionType"}))
    assert mapped(make(), rules).message_id == mapped(make()).message_id


def test_mapper_is_reusable(make: Make) -> None:
    mapper = Mapper(Rules())
    one = mapper.map(make(), environment="production", now_ms=NOW)
    assert mapper.map(make(), environment="production", now_ms=NOW) == one
    assert mapper.map(make(user_id="acct_2"), environment="production", now_ms=NOW) != one


def test_lone_surrogates_are_replaced(make: Make) -> None:
    response = make(
        question="half \ud83d",
        user_id="acct_\udc00",
        response=b'"a\\ud83d \\\\ud83d \\ud83d\\ude00 \\ude00"',
        attributes=Raw(b'{"k\\ud800":"v\\ud800\\ud800\\udc00"}'),
        email="\ud83d\ude00@example.com",
    )
    mapping = mapped(response)
    track = json.loads(mapping.body)
    assert track["userId"] == "acct_\ufffd"
    assert track["properties"]["question"] == "half \ufffd"
    assert track["properties"]["response"] == "a\ufffd \\ud83d 😀 \ufffd"
    assert track["properties"]["attributes"] == {"k\ufffd": "v\ufffd𐀀"}
    assert track["properties"]["email"] == "😀@example.com"
    assert mapping.withheld is None
    assert {one.path for one in mapping.lints} == {
        "userId",
        "properties.question",
        "properties.response",
        "properties.attributes",
        "properties.email",
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"response": Raw(b"{")}, "properties.response"),
        ({"response": Raw(b"")}, "properties.response"),
        ({"response": Raw(b"NaN")}, "properties.response"),
        ({"response": Raw(b"1,2")}, "properties.response"),
        ({"response": Raw(b'1,"injected":2')}, "properties.response"),
        ({"response": Raw(b"[" * 100_000 + b"]" * 100_000)}, "properties.response"),
        ({"attributes": Raw(b'"')}, "properties.attributes"),
        ({"survey_id": 1 << 20_000}, "properties.surveyId"),
        ({"old_visitor_id": 1 << 20_000}, "properties.oldVisitorId"),
    ],
)
def test_invalid_json_is_withheld_with_a_valid_body(make: Make, changes: dict[str, Any], path: str) -> None:
    mapping = mapped(make(**changes))
    assert mapping.withheld is Reason.INVALID
    assert mapping.detail.startswith(f"{path}: ")
    assert path.removeprefix("properties.") not in ("surveyId", "oldVisitorId") or path not in json.loads(mapping.body)
    assert isinstance(json.loads(mapping.body), dict)


def test_invalid_utf8_is_replaced(make: Make) -> None:
    mapping = mapped(make(response=Raw(b'"a\xffb"')))
    assert json.loads(mapping.body)["properties"]["response"] == "a\ufffdb"
    assert mapping.withheld is None
