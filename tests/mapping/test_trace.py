"""Field traces: every field of Sprig's table in its order, with origin and note."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from sprig_tui.mapping.mapper import map_response
from sprig_tui.mapping.records import FieldTrace, Rules, Survey
from sprig_tui.sprig.records import Note

from .conftest import Make

NOW = 1_800_000_000_000

TABLE = [
    "userId",
    "event",
    "type",
    "properties.surveyName",
    "properties.surveyId",
    "properties.createdAt",
    "properties.question",
    "properties.questionType",
    "properties.visitorId",
    "properties.oldVisitorId",
    "properties.responseGroupId",
    "properties.response",
    "properties.email",
    "properties.attributes",
    "properties.triggeringEvent",
    "context.integration",
    "sentAt",
    "timestamp",
    "receivedAt",
    "messageId",
    "integrations",
]


def rows(response: Any, rules: Rules | None = None, environment: str = "production") -> dict[str, FieldTrace]:
    mapping = map_response(response, rules or Rules(), environment=environment, now_ms=NOW)
    assert [field.path for field in mapping.fields] == TABLE
    return {field.path: field for field in mapping.fields}


def summary(field: FieldTrace) -> tuple[str, str, str]:
    return field.origin, field.level, field.note


def test_trace_values_equal_the_body(make: Make) -> None:
    response = make(old_visitor_id=7, survey_created_at="2025-01-01T00:00:00Z")
    rules = Rules(
        integrations={"All": True},
        omit=frozenset({"properties.question", "properties.attributes.plan"}),
        hash=frozenset({"properties.email"}),
    )
    mapping = map_response(response, rules, environment="production", now_ms=NOW)
    shown: dict[str, Any] = {}
    for field in mapping.fields:
        if field.value is UNSET:
            continue
        *parents, name = field.path.split(".")
        place = shown
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = json.loads(msgspec.json.encode(field.value))
    assert shown == json.loads(mapping.body)


def test_trace_of_a_complete_answer(make: Make) -> None:
    found = rows(make())
    assert found["userId"] == FieldTrace("userId", "acct_88213", "userId")
    assert found["event"] == FieldTrace("event", "SDK - Submitted - Survey Response", "default")
    assert found["type"] == FieldTrace("type", "track", "default")
    assert found["properties.responseGroupId"].origin == "responseGroupUid"
    assert summary(found["properties.surveyId"]) == ("surveyId", "ok", "not a UUID; sent as Sprig gives it")
    assert found["context.integration"].origin == "default"
    assert summary(found["sentAt"]) == ("at send", "ok", "stamped on each attempt")
    assert summary(found["timestamp"]) == ("createdAt", "ok", "")
    assert summary(found["receivedAt"]) == ("", "ok", "never sent: Segment sets it on arrival")
    assert found["messageId"].origin == "computed"
    assert [path for path, field in found.items() if field.level != "ok"] == ["properties.createdAt"]


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"user_id": None}, "userId", ("userId", "error", "no User ID: Segment drops it without a word")),
        (
            {"user_id": None, "user_id_hint": "partnerAnonymousId = anon_1"},
            "userId",
            (
                "userId",
                "error",
                "no User ID: Segment drops it without a word; partnerAnonymousId = anon_1 is another id, and not used",
            ),
        ),
        (
            {"user_id": "x" * 256},
            "userId",
            ("userId", "warning", "256 characters; many destinations take 255 at most"),
        ),
        (
            {"survey_name": None},
            "properties.surveyName",
            ("surveyName", "warning", "survey unknown: its name is neither in the record nor in the catalogue"),
        ),
        ({"survey_id": None}, "properties.surveyId", ("surveyId", "warning", "the record names no survey")),
        (
            {"survey_id": "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77"},
            "properties.surveyId",
            ("surveyId", "ok", ""),
        ),
        (
            {},
            "properties.createdAt",
            ("", "warning", "survey unknown: when it was created is neither in the record nor in the catalogue"),
        ),
        (
            {"survey_created_at": "January"},
            "properties.createdAt",
            ("", "warning", "not an ISO-8601 time"),
        ),
        ({"question": " "}, "properties.question", ("question", "warning", "the question has no text")),
        (
            {"question_type": "CONJOINT"},
            "properties.questionType",
            ("questionType", "warning", "not a type Sprig documents; sent as it is"),
        ),
        (
            {"question_type": ""},
            "properties.questionType",
            ("questionType", "warning", "the record does not name the type"),
        ),
        (
            {"notes": (Note.TYPE_INFERRED,)},
            "properties.questionType",
            ("questionType", "warning", "question type inferred from the export's columns"),
        ),
        (
            {"notes": (Note.UNKNOWN_EVENT,)},
            "type",
            ("default", "warning", "eventType is not known; read as an answer by its fields"),
        ),
        ({"visitor_id": "v-1"}, "properties.visitorId", ("visitorId", "warning", "not a UUID")),
        (
            {"visitor_id": None, "old_visitor_id": 7},
            "properties.visitorId",
            ("visitorId", "ok", "only the deprecated numeric id is known"),
        ),
        ({"old_visitor_id": 7}, "properties.oldVisitorId", ("", "ok", "deprecated by Sprig")),
        ({"old_visitor_id": 0}, "properties.oldVisitorId", ("", "ok", "0 stands for none")),
        (
            {"response_group_id": ""},
            "properties.responseGroupId",
            ("responseGroupUid", "error", "empty: answers of different people could not be told apart"),
        ),
        (
            {"response": b"null"},
            "properties.response",
            ("response", "ok", "null: skipped, or a question without an answer"),
        ),
        ({"response": b'"4"'}, "properties.response", ("response", "warning", "a text, where LIKERT has a number")),
        (
            {"response": b"{", "question_type": "MATRIX"},
            "properties.response",
            (
                "response",
                "error",
                "not valid JSON, or nested too deeply; null: skipped, or a question without an answer",
            ),
        ),
        ({"email": "mira"}, "properties.email", ("email", "warning", "does not look like an address")),
        ({"attributes": UNSET}, "properties.attributes", ("attributes", "ok", "not in the record")),
        ({"attributes": Raw(b"[]")}, "properties.attributes", ("attributes", "warning", "not an object")),
        (
            {"triggering_event": None},
            "properties.triggeringEvent",
            ("triggeringEvent", "ok", "null: nothing triggered it"),
        ),
        (
            {"answered_at": None, "updated_at": "2025-03-04T16:21:09Z"},
            "timestamp",
            (
                "createdAt",
                "error",
                (
                    "no time: Segment would take the time of arrival; "
                    "the time of the last change is not the answer's, and not used"
                ),
            ),
        ),
        (
            {"answered_at": "2025-03-04T16:21:09"},
            "timestamp",
            ("createdAt", "ok", "no time zone: UTC is meant"),
        ),
        (
            {"answered_at": "2030-01-01T00:00:00Z"},
            "timestamp",
            ("createdAt", "warning", "in the future: is a clock wrong?"),
        ),
    ],
)
def test_field_notes(make: Make, changes: dict[str, Any], path: str, expected: tuple[str, str, str]) -> None:
    assert summary(rows(make(**changes))[path]) == expected


def test_rules_are_noted(make: Make) -> None:
    rules = Rules(
        event="Survey answered",
        integration_version="1.1.0",
        omit=frozenset({"properties.visitorId", "properties.attributes.plan"}),
        hash=frozenset({"properties.email", "properties.attributes.company", "properties.oldVisitorId"}),
        integrations={"All": False},
        surveys={"5120": Survey(name="Known", created_at="2025-01-01T00:00:00Z")},
    )
    found = rows(make(survey_name=None), rules)
    assert found["event"].origin == "config"
    assert found["context.integration"].origin == "config"
    assert found["integrations"] == FieldTrace("integrations", {"All": False}, "config")
    assert found["properties.surveyName"] == FieldTrace("properties.surveyName", "Known", "catalogue")
    assert summary(found["properties.createdAt"]) == ("catalogue", "ok", "")
    assert summary(found["properties.visitorId"]) == ("config", "ok", "left out, as the rules ask")
    assert found["properties.visitorId"].value is UNSET
    assert summary(found["properties.email"]) == (
        "email",
        "ok",
        "sha256 of its trimmed lower-case text, as the rules ask",
    )
    assert summary(found["properties.oldVisitorId"]) == ("", "ok", "not in the record")
    assert summary(found["properties.attributes"]) == (
        "attributes",
        "ok",
        "left out, as the rules ask: plan; hashed, as the rules ask: company",
    )


def test_answer_time_as_created_at_is_noted(make: Make) -> None:
    field = rows(make(), Rules(created_at="response"))["properties.createdAt"]
    assert field.origin == "createdAt"
    assert field.note.startswith("the answer's time, as the rules ask")


def test_withheld_answers_have_a_full_trace(make: Make) -> None:
    for response in (make(user_id=None), make(deleted_at="2025-04-01T00:00:00Z"), make(question="x" * 40_000)):
        rows(response)
    rows(make(), environment="")
