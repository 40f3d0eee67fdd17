"""Webhook bodies: every documented event, and each field of an answer."""

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from sprig_tui.reasons import Reason
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Note, Origin, Record, StudyResponse, Unsendable

VISITOR = "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77"


def one(body: Any) -> Record:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    (record,) = parse_document(raw, Origin("webhook"))
    return record


def answer(body: Any) -> StudyResponse:
    record = one(body)
    assert isinstance(record, StudyResponse), record
    return record


def refused(body: Any) -> Unsendable:
    record = one(body)
    assert isinstance(record, Unsendable), record
    return record


def text(raw: Any) -> str:
    assert isinstance(raw, Raw)
    return bytes(raw).decode()


def test_webhook_answer_has_every_field(webhook: dict[str, Any]) -> None:
    raw = json.dumps(webhook | {"selectedIndexes": [0, 3]}).encode()
    found = answer(raw)
    assert found.raw == raw
    assert found.origin == Origin("webhook", "webhook", 0, "")
    assert (found.user_id, found.user_id_hint, found.email) == ("acct_88213", "", "mira@example.com")
    assert (found.survey_id, found.survey_name, found.survey_created_at) == (5120, "Checkout effort", None)
    assert (found.question, found.question_type) == ("How easy was checkout?", "LIKERT")
    assert (found.visitor_id, found.old_visitor_id) == (VISITOR, None)
    assert found.answered_at == "2025-03-04T16:21:09.114Z"
    assert found.environment_id == "QmK7x2dTfa"
    assert found.environment is None
    assert found.triggering_event == "Checkout Completed"
    assert text(found.response) == "4"
    assert text(found.attributes) == '{"plan":"team","company":"Northwind"}'
    assert found.notes == ()
    assert found.paths["response_group_id"] == "responseGroupUid"
    assert found.paths["answered_at"] == "createdAt"


def test_webhook_paths_are_cached(webhook: dict[str, Any]) -> None:
    assert answer(webhook).paths is answer(webhook).paths


@pytest.mark.parametrize("literal", ["ANSWER_SUBMITTED", "Answer Submitted", "answer.submitted", "answerSubmitted"])
def test_event_type_is_matched_without_case_and_punctuation(webhook: dict[str, Any], literal: str) -> None:
    assert answer(webhook | {"eventType": literal}).notes == ()


def test_unknown_event_with_answer_fields_is_read_with_a_note(webhook: dict[str, Any]) -> None:
    assert answer(webhook | {"eventType": "RESPONSE_CREATED"}).notes == (Note.UNKNOWN_EVENT,)


def test_webhook_answer_without_an_event_type_is_read(webhook: dict[str, Any]) -> None:
    del webhook["eventType"]
    found = answer(webhook)
    assert (found.origin.format, found.notes) == ("webhook", ())
    assert answer(webhook | {"eventType": None}).origin.format == "webhook"


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ("STUDY_SUBMITTED", {"questions": [{"question": "q", "questionType": "LIKERT", "response": 4}]}),
        ("STUDY_SENT", {"platform": "web", "action": "sent", "customMetadata": {}}),
        ("STUDY_SEEN", {"platform": "web"}),
        ("THEME_IDENTIFIED", {"themename": "x", "questionText": "Anything else?", "questionType": "OPEN"}),
        ("STUDY_STATUS_CHANGED", {"oldStatus": "IN_PROGRESS", "status": "PAUSED", "questions": []}),
        ("SOMETHING_NEW", {}),
    ],
)
def test_other_events_are_withheld(event: str, more: dict[str, Any]) -> None:
    found = refused(
        {"id": 1, "environmentId": "QmK7x2dTfa", "eventType": event, "surveyId": 5120, "surveyName": "Checkout effort"}
        | {"responseGroupUid": "g", "userId": " acct_1 "}
        | more
    )
    assert found.reason is Reason.NOT_AN_ANSWER
    assert (found.survey_id, found.survey_name, found.user_id) == ("5120", "Checkout effort", "acct_1")
    assert found.environment_id == "QmK7x2dTfa"


def test_study_submitted_with_answer_fields_is_withheld(webhook: dict[str, Any]) -> None:
    assert refused(webhook | {"eventType": "STUDY_SUBMITTED"}).reason is Reason.NOT_AN_ANSWER


def test_documented_test_webhook_is_withheld() -> None:
    found = refused(b'{"id":1,"environmentId":"abc123","surveyId":1,"surveyName":"TEST_SURVEY","eventType":"TEST"}')
    assert (found.reason, found.survey_name, found.environment_id) == (Reason.TEST_WEBHOOK, "TEST_SURVEY", "abc123")


def test_test_webhook_with_answer_fields_is_withheld(webhook: dict[str, Any]) -> None:
    assert refused(webhook | {"eventType": "test"}).reason is Reason.TEST_WEBHOOK


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("", None),
        (" \t\u00a0", None),
        ("  acct_1 ", "acct_1"),
        (2603, "2603"),
        (9007199254740993, "9007199254740993"),
        (2**70, str(2**70)),
        (0, "0"),
    ],
)
def test_user_id_is_trimmed_text(webhook: dict[str, Any], given: Any, expected: str | None) -> None:
    assert answer(webhook | {"userId": given}).user_id == expected


@pytest.mark.parametrize("given", [True, 1.5, 1.0, ["acct_1"], {"id": "acct_1"}])
def test_user_id_of_another_type_is_invalid(webhook: dict[str, Any], given: Any) -> None:
    found = refused(webhook | {"userId": given})
    assert (found.reason, found.path) == (Reason.INVALID, "userId")
    assert found.detail.startswith("expected text, a whole number or null, got ")


def test_external_user_id_is_only_a_hint(webhook: dict[str, Any]) -> None:
    del webhook["userId"]
    found = answer(webhook | {"externalUserId": "acct_9"})
    assert (found.user_id, found.user_id_hint) == (None, "externalUserId = acct_9")


@pytest.mark.parametrize(
    ("given", "visitor", "old", "notes"),
    [
        (VISITOR, VISITOR, None, 0),
        (f" {VISITOR.upper()} ", VISITOR.upper(), None, 0),
        (48211930, None, 48211930, 0),
        ("48211930", None, "48211930", 0),
        (0, None, None, 0),
        ("0", None, None, 0),
        (None, None, None, 0),
        ("", None, None, 0),
        ("anon-17", "anon-17", None, 1),
    ],
)
def test_visitor_ids_are_distinguished_by_value(
    webhook: dict[str, Any], given: Any, visitor: str | None, old: Any, notes: int
) -> None:
    found = answer(webhook | {"visitorId": given})
    assert (found.visitor_id, found.old_visitor_id, len(found.notes)) == (visitor, old, notes)


def test_null_response_is_an_answer_and_a_missing_one_is_not(webhook: dict[str, Any]) -> None:
    assert text(answer(webhook | {"response": None}).response) == "null"
    del webhook["response"]
    found = refused(webhook)
    assert (found.reason, found.path, found.detail) == (Reason.INVALID, "response", "is missing")


@pytest.mark.parametrize("field", ["responseGroupUid", "question", "questionType"])
@pytest.mark.parametrize("value", [None, 5, ["x"], "absent"])
def test_invalid_required_field_is_named(webhook: dict[str, Any], field: str, value: Any) -> None:
    webhook[field] = value
    if value == "absent":
        del webhook[field]
    found = refused(webhook)
    assert (found.reason, found.path) == (Reason.INVALID, field)


def test_blank_response_group_is_invalid(webhook: dict[str, Any]) -> None:
    found = refused(webhook | {"responseGroupUid": "  "})
    assert (found.path, found.detail) == ("responseGroupUid", "is empty")


@pytest.mark.parametrize("value", [["plan"], "plan", 3, True])
def test_attributes_of_another_type_are_invalid(webhook: dict[str, Any], value: Any) -> None:
    assert refused(webhook | {"attributes": value}).path == "attributes"


def test_null_and_absent_attributes_are_distinguished(webhook: dict[str, Any]) -> None:
    assert answer(webhook | {"attributes": None}).attributes is None
    del webhook["attributes"]
    assert answer(webhook).attributes is UNSET


def test_reserved_email_attribute_is_lifted(webhook: dict[str, Any]) -> None:
    attributes = {"plan": "team", "!email": "mira@example.com", "email": "old@example.com", "n": 1}
    found = answer(webhook | {"email": None, "attributes": attributes})
    assert found.email == "mira@example.com"
    assert text(found.attributes) == '{"plan":"team","email":"old@example.com","n":1}'
    assert found.paths["email"] == 'attributes["!email"]'
    own = answer(webhook | {"attributes": attributes})
    assert (own.email, own.paths["email"]) == ("mira@example.com", "email")
    assert "!email" not in text(own.attributes)


def test_absent_triggering_event_is_null(webhook: dict[str, Any]) -> None:
    assert answer(webhook | {"triggeringEvent": None}).triggering_event is None
    del webhook["triggeringEvent"]
    assert answer(webhook).triggering_event is None


def test_answer_time_is_created_at_or_timestamp(webhook: dict[str, Any]) -> None:
    del webhook["createdAt"]
    found = answer(webhook)
    assert (found.answered_at, found.paths["answered_at"]) == ("2025-03-04T16:21:09.300Z", "timestamp")
    del webhook["timestamp"]
    assert answer(webhook).answered_at is None


@pytest.mark.parametrize("number", ["9007199254740993", "18446744073709551617", "1.10", "1e400", "-0", "1E+2"])
def test_numbers_keep_their_digits(webhook: dict[str, Any], number: str) -> None:
    raw = json.dumps(webhook | {"response": "@@", "attributes": {"n": ["@@"]}}).replace('"@@"', number).encode()
    found = answer(raw)
    assert text(found.response) == number
    assert text(found.attributes) == f'{{"n":[{number}]}}'


def test_compaction_keeps_strings(webhook: dict[str, Any]) -> None:
    raw = json.dumps(webhook).replace('"response": 4', '"response" : { "a  b" :\t[ 1 , "x \\u00e9 \\" y" ] }').encode()
    assert text(answer(raw).response) == '{"a  b":[1,"x \\u00e9 \\" y"]}'
