"""REST records: snapshots, pages, deleted answers and ids."""

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from sprig_tui.reasons import Reason
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, StudyResponse, Unsendable

VISITOR = "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77"
SNAPSHOT = {
    "visitorId": VISITOR,
    "externalUserId": "acct_88213",
    "triggeringEvent": "Checkout Completed",
    "attributes": {"plan": "team", "!email": "mira@example.com"},
    "events": {},
    "eventProperties": {},
}


def answer(record: Any) -> StudyResponse:
    (found,) = parse_document(json.dumps(record).encode(), Origin("api"))
    assert isinstance(found, StudyResponse), found
    return found


def text(raw: Any) -> str:
    assert isinstance(raw, Raw)
    return bytes(raw).decode()


def test_rest_record_without_snapshot(rest: dict[str, Any]) -> None:
    found = answer(rest)
    assert found.origin == Origin("api", "rest", 0, "")
    assert (found.user_id, found.user_id_hint, found.email) == ("acct_88213", "", None)
    assert (found.survey_id, found.survey_name, found.question_id) == (5120, None, "90311")
    assert (found.visitor_id, found.old_visitor_id) == (VISITOR, None)
    assert (found.answered_at, found.updated_at) == ("2025-03-04T16:21:09.114Z", "2025-03-04T16:22:00.000Z")
    assert (found.attributes, found.triggering_event) == (UNSET, UNSET)
    assert (found.environment, found.environment_id) == (None, None)
    assert found.paths["question"] == "questionText"
    assert found.paths["visitor_id"] == "visitorUuid"


@pytest.mark.parametrize("key", ["visitorSnapshot", "visitorSnapshots"])
@pytest.mark.parametrize("attributes", ["attributes", "attribtues"])
def test_misspelt_snapshot_attributes_are_read(rest: dict[str, Any], key: str, attributes: str) -> None:
    snapshot: dict[str, Any] = dict(SNAPSHOT)
    snapshot[attributes] = snapshot.pop("attributes")
    found = answer(rest | {key: snapshot})
    assert found.email == "mira@example.com"
    assert text(found.attributes) == '{"plan":"team"}'
    assert found.triggering_event == "Checkout Completed"
    assert found.paths["email"] == f'{key}.{attributes}["!email"]'
    assert found.paths["triggering_event"] == f"{key}.triggeringEvent"


def test_plain_email_attribute_stays_in_the_attributes(rest: dict[str, Any]) -> None:
    found = answer(rest | {"visitorSnapshot": {"attributes": {"email": "mira@example.com"}}})
    assert found.email == "mira@example.com"
    assert text(found.attributes) == '{"email":"mira@example.com"}'
    assert found.paths["email"] == "visitorSnapshot.attributes.email"
    assert answer(rest | {"visitorSnapshot": {"attributes": {"email": 7}}}).email is None


def test_null_and_unknown_triggering_event_are_distinguished(rest: dict[str, Any]) -> None:
    assert answer(rest | {"visitorSnapshot": {"triggeringEvent": None}}).triggering_event is None
    assert answer(rest | {"visitorSnapshot": {}}).triggering_event is UNSET
    assert answer(rest | {"visitorSnapshot": None}).triggering_event is UNSET


def test_other_user_ids_are_hints(rest: dict[str, Any]) -> None:
    rest |= {"externalUserId": "", "partnerAnonymousId": "6e0f1c52"}
    found = answer(rest)
    assert (found.user_id, found.user_id_hint) == (None, "partnerAnonymousId = 6e0f1c52")
    found = answer(rest | {"visitorSnapshot": {"externalUserId": "acct_1"}})
    assert (found.user_id, found.user_id_hint) == (None, "visitorSnapshot.externalUserId = acct_1")
    changed = answer(rest | {"externalUserId": "acct_2", "visitorSnapshot": {"externalUserId": "acct_1"}})
    assert (changed.user_id, changed.user_id_hint) == ("acct_2", "visitorSnapshot.externalUserId = acct_1")


@pytest.mark.parametrize(
    ("uuid", "visitor", "expected"),
    [
        (VISITOR, 48211930, (VISITOR, 48211930)),
        (VISITOR, 0, (VISITOR, None)),
        (None, 48211930, (None, 48211930)),
        (None, VISITOR, (VISITOR, None)),
        (VISITOR, VISITOR, (VISITOR, None)),
        (None, None, (None, None)),
    ],
)
def test_visitor_uuid_and_old_visitor_id_are_distinguished(
    rest: dict[str, Any], uuid: Any, visitor: Any, expected: Any
) -> None:
    found = answer(rest | {"visitorUuid": uuid, "visitorId": visitor})
    assert (found.visitor_id, found.old_visitor_id) == expected


def test_deleted_time_is_kept_and_unknown_fields_ignored(rest: dict[str, Any]) -> None:
    found = answer(
        rest | {"deletedAt": "2025-03-05T00:00:00.000Z", "url": "u", "meta": {"os": "Linux"}, "selectedIndexes": 1}
    )
    assert found.deleted_at == "2025-03-05T00:00:00.000Z"


def test_page_records_have_their_path(rest: dict[str, Any]) -> None:
    broken = {key: value for key, value in rest.items() if key != "response"}
    page = json.dumps({"cursor": "Y3Vyc29y", "data": [rest, broken, 7, rest]}, indent=1).encode()
    records = list(parse_document(page, Origin("api")))
    assert [record.origin.path for record in records] == ["data[0]", "data[1]", "data[2]", "data[3]"]
    assert [type(record) for record in records] == [StudyResponse, Unsendable, Unsendable, StudyResponse]
    second, third = records[1], records[2]
    assert isinstance(second, Unsendable)
    assert (second.path, second.detail, second.survey_id) == ("data[1].response", "is missing", "5120")
    assert isinstance(third, Unsendable)
    assert (third.path, third.detail) == ("data[2]", "expected a JSON object, got a number")


def test_empty_page_has_no_records() -> None:
    assert list(parse_document(b'{"cursor":null,"data":[]}', Origin("api"))) == []


def test_theme_records_are_withheld(rest: dict[str, Any]) -> None:
    (found,) = parse_document(json.dumps(rest | {"theme": "Slow"}).encode(), Origin("api"))
    assert isinstance(found, Unsendable)
    assert found.reason is Reason.NOT_AN_ANSWER


def test_rest_record_without_question_is_recognised(rest: dict[str, Any]) -> None:
    del rest["questionText"]
    (found,) = parse_document(json.dumps(rest).encode(), Origin("api"))
    assert isinstance(found, Unsendable)
    assert (found.origin.format, found.path) == ("rest", "questionText")


def test_fault_in_a_snapshot_has_its_whole_path(rest: dict[str, Any]) -> None:
    (found,) = parse_document(json.dumps(rest | {"visitorSnapshot": {"triggeringEvent": 5}}).encode(), Origin("api"))
    assert isinstance(found, Unsendable)
    assert (found.path, found.detail) == (
        "visitorSnapshot.triggeringEvent",
        "expected text or null, got a whole number",
    )
