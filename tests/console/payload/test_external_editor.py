import json

import msgspec
import pytest

from sprig_tui.console.payload.external_editor import editable_text, editor_command, flat_record, read_edited
from sprig_tui.errors import InputError
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Origin, Unsendable

from .conftest import flat

EXPORT = (
    "responseGroupUid,userId,surveyId,surveyName,visitorId,completedAt,triggeringEvent,Q1_Type,Q1_Response,"
    "Q1_Question_Text,Attribute_1,Attribute_2\n"
    "Group,User,Survey,Name,Visitor,Done,Event,Type,Answer,Question,plan,!email\n"
    "9b7c6f6e-1111-4222-8333-444455556666,acct_1,12,Checkout,11111111-2222-4333-8444-555566667777,"
    "2026-09-01T10:00:00Z,paid,open,fine,Why?,team,mira@example.com\n"
)


def test_json_is_edited_indented_and_other_text_unchanged():
    assert editable_text(b'{"n":12345678901234567890}', None) == b'{\n  "n": 12345678901234567890\n}\n'
    assert editable_text(b'{"broken": \xff', None) == b'{"broken": \xff'


def test_export_row_edits_as_record_with_the_same_mapping(tmp_path, intake, clock):
    (tmp_path / "export.csv").write_text(EXPORT)
    row = next(read_responses([str(tmp_path / "export.csv")]))
    again = read_edited(editable_text(row.raw, row), row.origin)

    def mapped(record):
        return intake.mapper.map(record, environment="development", now_ms=clock.now())

    assert json.loads(mapped(again).body) == json.loads(mapped(row).body)
    assert mapped(again).message_id == mapped(row).message_id
    assert again.origin.line == row.origin.line


def test_a_null_answer_stays_one():
    record = next(parse_document(json.dumps({**flat(1), "response": None}).encode(), Origin("x")))
    assert json.loads(flat_record(record))["response"] is None


def test_broken_edit_is_a_record_with_its_problem():
    record = read_edited(b'{"question": ', Origin("answers.jsonl", "flat", 14))
    assert isinstance(record, Unsendable)
    assert (record.origin.name, record.origin.line) == ("answers.jsonl", 14)


@pytest.mark.parametrize("data", [b"", b" \n", json.dumps([flat(1), flat(2)]).encode(), msgspec.json.encode([])])
def test_edit_with_no_or_several_records_is_rejected(data):
    with pytest.raises(InputError):
        read_edited(data, Origin("x"))


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({"VISUAL": "code --wait", "EDITOR": "nano"}, ["code", "--wait"]),
        ({"VISUAL": " ", "EDITOR": "'/opt/my editor' -x"}, ["/opt/my editor", "-x"]),
    ],
)
def test_editor_command_prefers_visual_then_editor(environ, command):
    assert editor_command(environ) == command


def test_without_an_editor_there_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="no editor is known"):
        editor_command({"PATH": str(tmp_path)})
    with pytest.raises(InputError, match="EDITOR cannot be understood"):
        editor_command({"EDITOR": "'unclosed"})
