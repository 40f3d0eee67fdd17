import json
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.console.payload.inspection import Inspection, has_problems, inspect_delivery, inspect_record
from sprig_tui.console.payload.summary import RecordPosition, delivery_text, position_text, reason_line, verdict_spans
from sprig_tui.console.payload.views import VIEW_NAMES, make_view
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.records import Delivery, DeliveryDetail, State
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.missing_fields import MINIMAL_RECORD
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Origin

from .conftest import ENVIRONMENTS, flat


def read(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return next(parse_document(raw, Origin("answers.jsonl", "", 7)))


def said(inspection):
    return "".join(span.text for span in verdict_spans(inspection, ENVIRONMENTS))


def delivery(entry, state=State.DELIVERED, **changes):
    fields = {
        "id": 31,
        "environment": entry.environment,
        "message_id": entry.message_id,
        "state": state,
        "reason": entry.reason,
        "detail": entry.detail,
        "survey_id": "",
        "survey_name": "",
        "user_id": "",
        "question_type": "",
        "answer": "",
        "answered_at": 0,
        "added_at": 0,
        "due_at": 0,
        "attempts": 1,
        "status": 200,
        "error": "",
        "latency_ms": 1.0,
        "settled_at": 0,
        "source": "answers.jsonl",
        "line": 7,
        "leased": False,
        "size": len(entry.body),
        "edited": False,
        "origin_id": 0,
    }
    return DeliveryDetail(delivery=Delivery(**fields | changes), raw=entry.raw, body=entry.body, history=())


def test_valid_record_would_be_sent(intake, clock):
    found = inspect_record(read(flat()), intake, clock.now())
    assert said(found) == f"{len(found.body)} bytes of 32 KB · would be sent to Development"
    assert found.place == "answers.jsonl:7"
    assert not found.withheld
    assert {field.level for field in found.fields} == {"ok"}
    assert reason_line(found, ENVIRONMENTS).startswith("development has no write key yet")


def test_protected_environment_is_marked(intake):
    found = inspect_record(read(flat(environment="production")), intake, 0)
    # Declared is development, and the record says otherwise.
    assert found.withheld == "environment-unknown"
    assert "this record names production, but you chose development" in reason_line(found, ENVIRONMENTS)


def test_anonymous_record_is_explained(intake):
    found = inspect_record(read(flat(userId=None)), intake, 0)
    assert said(found).startswith("1 error · ")
    assert said(found).endswith(" · would be withheld: anonymous")
    assert [field.path for field in found.fields if field.level == "error"] == ["userId"]


def test_unreadable_record_names_field_and_problem(intake):
    found = inspect_record(read(flat(question=7)), intake, 0)
    assert (found.fields[0].path, found.fields[0].level) == ("question", "error")
    assert found.fields[0].note == "expected text, got a whole number"
    assert "would be withheld: invalid" in said(found)
    assert reason_line(found, ENVIRONMENTS) == "question: expected text, got a whole number"


def test_call_over_size_limit_counts_as_error(intake):
    found = inspect_record(read(flat(response="x" * 40_000)), intake, 0)
    assert "1 error" in said(found)
    assert "would be withheld: too large" in said(found)


def test_has_problems_ignores_what_every_record_may_lack(intake, clock):
    now = clock.now()
    assert not has_problems(read(flat()), intake, now)
    assert not has_problems(read(flat(surveyCreatedAt=None)), intake, now), "that is so for every record of the file"
    for changes in ({"userId": None}, {"respondedAt": None}, {"respondedAt": "2031-01-01T00:00:00Z"}, {"question": 3}):
        assert has_problems(read(flat(**changes)), intake, now), changes


def test_a_delivery_is_shown_as_it_was_sent(intake, clock):
    entry = intake.entry(read(flat()))
    found = inspect_delivery(delivery(entry), intake, clock.now())
    assert said(found).endswith("sent to Development, 200")
    assert {field.path: field.origin for field in found.fields}["userId"] == "userId"
    assert "sentAt" not in {field.path for field in found.fields}, "only what was in the call"
    assert found.record is not None
    assert delivery_text(found, 60) == "answers.jsonl:7  delivery 31"


def test_delivery_shows_fields_that_would_be_mapped_differently(intake, clock):
    entry = intake.entry(read(flat()))
    old = msgspec.structs.replace(entry, body=entry.body.replace(b"Checkout effort", b"Older name"))
    found = inspect_delivery(delivery(old), intake, clock.now())
    field = next(field for field in found.fields if field.path == "properties.surveyName")
    assert (bytes(field.value), field.level) == (b'"Older name"', "warning")
    assert field.note == 'mapped now it would be "Checkout effort"'
    again = inspect_delivery(delivery(old), intake, clock.now(), remapped=True)
    assert b"Checkout effort" in again.body
    assert delivery_text(again, 60).endswith("mapped again")


@pytest.mark.parametrize(
    ("state", "status", "end"),
    [
        (State.FAILED, 400, "rejected by Development, 400"),
        (State.QUEUED, 0, "queued for Development"),
        (State.WITHHELD, 0, "withheld: a possible duplicate"),
    ],
)
def test_each_state_of_a_delivery(intake, clock, state, status, end):
    entry = intake.entry(read(flat()))
    reason = "possible-duplicate" if state is State.WITHHELD else ""
    found = inspect_delivery(delivery(entry, state, status=status, reason=reason), intake, clock.now())
    assert said(found).endswith(end)


def test_withdrawn_delivery_names_the_key_that_queues_it(intake, clock):
    entry = intake.entry(read(flat()))
    found = inspect_delivery(delivery(entry, State.WITHHELD, reason="withdrawn"), intake, clock.now())
    assert said(found).endswith("withheld: withdrawn; r queues it again")


def test_delivery_from_export_row_is_shown_as_sent(tmp_path, intake, clock):
    keys = "responseGroupUid,userId,surveyId,completedAt,Q1_Type,Q1_Response,Q1_Question_Text"
    (tmp_path / "export.csv").write_text(
        f"{keys}\nGroup,User,Survey,Done,Type,Answer,Question\n"
        "9b7c6f6e-1111-4222-8333-444455556666,acct_1,12,2026-09-01T10:00:00Z,open,fine,Why?\n"
    )
    record = next(read_responses([str(tmp_path / "export.csv")]))
    entry = intake.entry(record)
    assert entry.body
    found = inspect_delivery(delivery(entry), intake, clock.now())
    assert {field.path for field in found.fields} >= {"userId", "properties.question", "context.integration"}
    assert found.body == entry.body


@given(st.binary(max_size=400), st.binary(max_size=200))
def test_a_delivery_of_any_bytes_can_be_shown(raw, body):
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.mapping.records import Rules

    entry = NewDelivery(environment="development", message_id="sprig-1", raw=raw, body=body)
    found = inspect_delivery(delivery(entry), EntryBuilder(Rules(), ENVIRONMENTS), 0)
    for name in VIEW_NAMES:
        view = make_view(name, found, ENVIRONMENTS)
        view.resize(60 + zlib.crc32(raw) % 40)
        for index in range(len(view)):
            view.line(index)
            view.copy_line(index)


@pytest.mark.parametrize(
    ("position", "room", "line"),
    [
        (RecordPosition("answers.jsonl", 14, 200, complete=True), 60, "answers.jsonl  14 of 200"),
        (RecordPosition("answers.jsonl", 14, 200, complete=False), 60, "answers.jsonl  14 of 200+"),
        (RecordPosition("answers.jsonl", 14, 2_000_000, complete=True), 30, "answer…rs.jsonl  14 of 2,000,000"[0:0]),
        (
            RecordPosition("a.jsonl", 14, 200, complete=True, problems_only=(2, 9, False)),
            60,
            "a.jsonl  14 of 200  ! 2 of 9+",
        ),
        (RecordPosition("x[/foo]\x1b[2J.json", 1, 1, complete=True), 60, "x[/foo]␛[2J.json  1 of 1"),
    ],
)
def test_position_text(position, room, line):
    found = position_text(position, room)
    if line:
        assert found == line
    else:
        assert len(found) <= room
        assert found.endswith("14 of 2,000,000")


def test_delivery_without_payload_is_explained():
    found = Inspection(raw=b"", body=b"")
    assert "nothing was kept" in make_view("Raw", found, {}).line(0)[0].text
    assert "no call is made" in "".join(make_view("JSON", found, {}).line(i)[0].text for i in range(1))


def test_sample_record_of_empty_pane_can_be_sent():
    (record,) = parse_document(MINIMAL_RECORD.encode(), Origin("pane"))
    found = inspect_record(record, EntryBuilder(Rules(), ENVIRONMENTS, "development"), 1_790_000_000_000)
    assert found.record is not None, found.detail
    assert not found.withheld, found.detail


def test_a_record_that_cannot_be_mapped_now_is_not_said_to_be_sent():
    found = inspect_record(read(flat(1)), EntryBuilder(Rules(), ENVIRONMENTS, "production"), 0)
    assert "would be sent to" in said(found)
    unusable = msgspec.structs.replace(found, rules_error="the key of mapping.hmac could not be read", detail="")
    assert "cannot be sent now" in said(unusable)
    assert "would be sent" not in said(unusable)
    assert reason_line(unusable, ENVIRONMENTS) == "the key of mapping.hmac could not be read"
