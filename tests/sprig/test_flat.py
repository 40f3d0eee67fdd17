"""Flat records and the aliases of their fields."""

import json
from typing import Any

from msgspec import UNSET, Raw

from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, StudyResponse, Unsendable


def answer(record: Any) -> StudyResponse:
    (found,) = parse_document(json.dumps(record).encode(), Origin("stdin", "", 7))
    assert isinstance(found, StudyResponse), found
    return found


def test_flat_record_has_every_field(flat: dict[str, Any]) -> None:
    found = answer(
        flat | {"oldVisitorId": 48211930, "triggeringEvent": None, "email": " ", "environmentId": "QmK7x2dTfa"}
    )
    assert found.origin == Origin("stdin", "flat", 7, "")
    assert (found.environment, found.environment_id) == ("production", "QmK7x2dTfa")
    assert (found.user_id, found.email) == ("acct_88213", None)
    assert found.survey_id == "9b3e6a5e-2f1d-4c8a-9f7b-1d2c3b4a5f60"
    assert found.survey_created_at == "2025-02-20T09:00:00.000Z"
    assert (found.visitor_id, found.old_visitor_id) == (None, 48211930)
    assert found.triggering_event is None
    assert found.attributes is UNSET
    assert found.answered_at == "2025-03-04T16:21:09.114Z"
    assert isinstance(found.response, Raw)
    assert found.paths["old_visitor_id"] == "oldVisitorId"


def test_flat_field_aliases(flat: dict[str, Any]) -> None:
    flat["externalUserId"] = flat.pop("userId")
    flat["responseGroupUid"] = flat.pop("responseGroupId")
    flat["timestamp"] = flat.pop("respondedAt")
    flat["createdAt"] = flat.pop("surveyCreatedAt")
    found = answer(flat)
    assert (found.user_id, found.paths["user_id"]) == ("acct_88213", "externalUserId")
    assert found.paths["response_group_id"] == "responseGroupUid"
    assert (found.answered_at, found.paths["answered_at"]) == ("2025-03-04T16:21:09.114Z", "timestamp")
    assert (found.survey_created_at, found.paths["survey_created_at"]) == ("2025-02-20T09:00:00.000Z", "createdAt")


def test_external_user_id_replaces_a_blank_user_id(flat: dict[str, Any]) -> None:
    assert answer(flat | {"userId": " ", "externalUserId": "acct_1"}).user_id == "acct_1"
    both = answer(flat | {"externalUserId": "acct_1"})
    assert (both.user_id, both.user_id_hint) == ("acct_88213", "externalUserId = acct_1")


def test_numeric_visitor_id_is_an_old_one(flat: dict[str, Any]) -> None:
    found = answer(flat | {"visitorId": 48211930})
    assert (found.visitor_id, found.old_visitor_id, found.paths["old_visitor_id"]) == (None, 48211930, "visitorId")


def test_absent_triggering_event_is_unset(flat: dict[str, Any]) -> None:
    assert answer(flat).triggering_event is UNSET


def test_survey_uuid_takes_precedence(flat: dict[str, Any]) -> None:
    found = answer(flat | {"surveyId": 5120, "surveyUuid": "9b3e6a5e-2f1d-4c8a-9f7b-1d2c3b4a5f60"})
    assert (found.survey_id, found.paths["survey_id"]) == ("9b3e6a5e-2f1d-4c8a-9f7b-1d2c3b4a5f60", "surveyUuid")


def test_missing_response_group_is_named(flat: dict[str, Any]) -> None:
    del flat["responseGroupId"]
    (found,) = parse_document(json.dumps(flat).encode(), Origin("stdin"))
    assert isinstance(found, Unsendable)
    assert (found.origin.format, found.path, found.environment) == ("flat", "responseGroupId", "production")
