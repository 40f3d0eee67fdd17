import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.payload.field_edit import field_value, with_value
from sprig_tui.errors import InputError
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, StudyResponse

from .conftest import flat, notices, press


def read(**changes):
    (record,) = parse_document(json.dumps(flat(1, **changes)).encode(), Origin("answers.jsonl", "", 4))
    return record


@pytest.mark.parametrize(
    ("path", "before", "typed", "attribute", "after"),
    [
        ("userId", "acct_1", "acct_2", "user_id", "acct_2"),
        ("userId", "acct_1", "", "user_id", None),
        ("userId", "acct_1", "12", "user_id", "12"),
        ("timestamp", "2026-09-01T10:00:00Z", "2026-09-02T10:00:00Z", "answered_at", "2026-09-02T10:00:00Z"),
        ("properties.surveyName", "Checkout effort", "Onboarding", "survey_name", "Onboarding"),
        ("properties.surveyId", "12", "13", "survey_id", 13),
        ("properties.response", "1", "4", "response", b"4"),
        ("properties.response", "1", "not easy", "response", b'"not easy"'),
        ("properties.response", "1", '["a","b"]', "response", b'["a","b"]'),
        ("properties.response", "1", '"4"', "response", b'"4"'),
        ("properties.email", "", "mira@example.com", "email", "mira@example.com"),
        ("properties.attributes", "", '{"plan":"team"}', "attributes", b'{"plan":"team"}'),
    ],
)
def test_a_field_gets_another_value(path, before, typed, attribute, after):
    record = read()
    assert field_value(record, path) == before
    changed = with_value(record, path, typed)
    value = getattr(changed, attribute)
    assert (bytes(value) if isinstance(after, bytes) else value) == after
    assert changed.origin.line == 4
    assert field_value(changed, path) == typed
    others = {"question", "question_type", "response_group_id", "answered_at"} - {attribute}
    assert all(getattr(changed, name) == getattr(record, name) for name in others)


REST = {
    "questionText": "How easy was it?",
    "questionType": "LIKERT",
    "responseGroupUid": "group-1",
    "response": 4,
    "surveyId": 12,
    "visitorId": "v-1",
    "externalUserId": None,
    "createdAt": 1790000000000,
    "visitorSnapshot": {"triggeringEvent": None, "attributes": {"!email": "a@example.com", "plan": "free"}},
    "extra": {"kept": [1, 2]},
}
WEBHOOK = {
    "eventType": "answer.submitted",
    "responseGroupUid": "group-1",
    "question": "How easy was it?",
    "questionType": "LIKERT",
    "response": 4,
    "userId": None,
    "triggeringEvent": None,
    "attributes": {"plan": "free"},
    "createdAt": 1790000000000,
}


@pytest.mark.parametrize(
    ("came", "path", "typed", "changes"),
    [
        (REST, "userId", "acct_9", {"externalUserId": "acct_9"}),
        (REST, "timestamp", "1790000000001", {"createdAt": 1790000000001}),
        (
            REST,
            "properties.triggeringEvent",
            "paid",
            {"visitorSnapshot": {**REST["visitorSnapshot"], "triggeringEvent": "paid"}},
        ),
        (
            REST,
            "properties.attributes",
            '{"plan":"team"}',
            {"visitorSnapshot": {"triggeringEvent": None, "attributes": {"!email": "a@example.com", "plan": "team"}}},
        ),
        (
            REST,
            "properties.email",
            "b@example.com",
            {
                "visitorSnapshot": {
                    "triggeringEvent": None,
                    "attributes": {"!email": "b@example.com", "plan": "free"},
                }
            },
        ),
        (WEBHOOK, "userId", "acct_9", {"userId": "acct_9"}),
        (WEBHOOK, "properties.email", "b@example.com", {"email": "b@example.com"}),
    ],
)
def test_an_edited_record_keeps_the_format_in_which_it_came(came, path, typed, changes):
    (record,) = parse_document(json.dumps(came).encode(), Origin("page.json", "", 0))
    changed = with_value(record, path, typed)
    assert json.loads(changed.raw) == {**came, **changes}
    assert list(json.loads(changed.raw))[: len(came)] == list(came), "in their order"
    assert changed.origin.format == record.origin.format
    assert field_value(changed, path) == typed


def test_what_is_left_out_leaves_the_rest():
    (record,) = parse_document(json.dumps(REST).encode(), Origin("page.json", "", 0))
    (bare,) = parse_document(
        json.dumps({name: value for name, value in REST.items() if name != "visitorSnapshot"}).encode(),
        Origin("page.json", "", 0),
    )
    assert "surveyId" not in json.loads(with_value(record, "properties.surveyId", "").raw)
    made = json.loads(with_value(bare, "properties.triggeringEvent", "paid").raw)
    assert made["visitorSnapshot"] == {"triggeringEvent": "paid"}


def test_what_a_line_cannot_hold_is_left_to_the_editor():
    for response in ("two\nlines", "x" * 3_000, "\x1b[2J", "\u202e"):
        with pytest.raises(InputError, match="too long for one line"):
            field_value(read(response=response), "properties.response")
    with pytest.raises(InputError, match="integration is not read from the record"):
        field_value(read(), "context.integration")
    with pytest.raises(InputError, match="cannot be read field by field"):
        field_value(None, "userId")


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["userId", "properties.response", "properties.attributes", "timestamp"]))
def test_any_text_may_be_typed(typed, path):
    changed = with_value(read(), path, typed)
    assert changed.raw
    if path == "properties.response" and typed.strip() and isinstance(changed, StudyResponse):
        assert json.loads(bytes(changed.response)) is not None or typed.strip() == "null"


async def test_a_field_is_edited_in_place(bench, inspector, lines_file, screen_text):
    async with bench(file=lines_file([flat(1, userId=None), flat(2)])) as (app, pilot):
        assert "would be withheld: anonymous" in screen_text(app)
        await press(pilot, "F")
        assert "userId of the record" in screen_text(app)
        await press(pilot, *"me", "enter")
        assert inspector.inspection.record.user_id == "me"
        assert "edited · " in screen_text(app)
        assert "would be sent to Development" in screen_text(app)
        await press(pilot, "F", "escape", "j", "F")
        assert notices(app)[-1].startswith("event is not read from the record")
        await press(pilot, "U")
        assert "would be withheld: anonymous" in screen_text(app)
