"""CSV export of Sprig: one response per answered question of a row."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET, Raw

from sprig_tui.reasons import Reason
from sprig_tui.sprig.records import Record, StudyResponse, Unsendable

GROUP = "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11"
VISITOR = "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77"
COLUMNS = {
    "surveyId": ("Survey ID", "5002"),
    "surveyName": ("Survey", "Autumn pulse"),
    "responseGroupUid": ("Group", GROUP),
    "createdAt": ("Created", "2025-03-04T16:00:00.000Z"),
    "completedAt": ("Completed", "2025-03-04T16:01:00.000Z"),
    "userId": ("User ID", " acct_88213 "),
    "visitorId": ("Visitor", VISITOR),
    "os": ("OS", "macOS"),
    "triggeringEvent": ("Event", ""),
    "Attribute_1": ("email", "mira@example.com"),
    "Attribute_2": ("plan", "team"),
    "Attribute_3": ("role", ""),
    "Q1_Question_Text": ("How likely?", "How likely are you?"),
    "Q1_Response": ("How likely?", "9"),
    "Q1_Response_NPSCategory": ("Category", "Promoter"),
    "Q2_Response": ("Which parts?", "Reports; Sharing"),
    "Q2_Choice_1": ("Reports", "1"),
    "Q2_Choice_2": ("Alerts", "0"),
    "Q2_Choice_3": ("Sharing", "Sharing"),
    "Q2_Response_Other": ("Other", "Calendar"),
    "Q10_Question_Text": ("Why?", ""),
    "Q10_Response": ("Why?", "Fast"),
    "Q10_Value": ("Value", "2"),
    "Q10_Theme": ("Theme", "Speed"),
    "Q10_Theme_1": ("Speed", "true"),
    "Q10_Theme_2": ("Price", ""),
}
Read = Callable[..., list[Record]]


def export(*changes: dict[str, str], delimiter: str = ",", columns: dict[str, tuple[str, str]] = COLUMNS) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(columns)
    writer.writerow([label for label, _ in columns.values()])
    for change in changes or ({},):
        writer.writerow([change.get(key, value) for key, (_, value) in columns.items()])
    return out.getvalue().encode()


def text(raw: Any) -> str:
    assert isinstance(raw, Raw)
    return bytes(raw).decode()


def test_csv_row_has_one_answer_per_question(read: Read) -> None:
    nps, choices, reason = read(export(), "export.csv")
    assert isinstance(nps, StudyResponse)
    assert isinstance(choices, StudyResponse)
    assert isinstance(reason, StudyResponse)
    assert (nps.origin.format, nps.origin.line, nps.origin.path) == ("csv", 3, "Q1")
    assert (nps.question, nps.question_type, text(nps.response)) == ("How likely are you?", "NPS", "9")
    assert (choices.question, choices.question_type) == ("Which parts?", "MULTIPLESELECT")
    assert text(choices.response) == '["Reports","Sharing"]'
    assert (reason.question, reason.question_type, text(reason.response)) == ("Why?", "UNKNOWN", '"Fast"')
    assert all(isinstance(record, StudyResponse) and len(record.notes) == 1 for record in (nps, choices, reason))
    assert (nps.user_id, nps.email, nps.survey_id, nps.survey_name) == (
        "acct_88213",
        "mira@example.com",
        5002,
        "Autumn pulse",
    )
    assert text(nps.attributes) == '{"email":"mira@example.com","plan":"team"}'
    assert (nps.visitor_id, nps.old_visitor_id, nps.triggering_event) == (VISITOR, None, None)
    assert nps.answered_at == "2025-03-04T16:01:00.000Z"
    assert json.loads(choices.raw)["Q2_Choice_3"] == "Sharing"
    assert json.loads(nps.raw)["userId"].strip() == json.loads(choices.raw)["userId"].strip() == "acct_88213"
    assert not any(key.startswith("Q2") for key in json.loads(nps.raw))
    assert nps.paths["email"] == "Attribute email"


@pytest.mark.parametrize("cell", ["", "  ", "[skipped by user]", "[Skipped By User]"])
def test_skipped_csv_question_has_no_answer(read: Read, cell: str) -> None:
    records = read(export({"Q1_Response": cell}), "export.csv")
    assert [record.origin.path for record in records] == ["Q2", "Q10"]


def test_csv_row_without_answers_is_withheld(read: Read) -> None:
    nothing = dict.fromkeys([key for key in COLUMNS if key.startswith("Q")], "")
    (found,) = read(export(nothing), "export.csv")
    assert isinstance(found, Unsendable)
    assert (found.reason, found.survey_id, found.user_id) == (Reason.NOT_AN_ANSWER, "5002", "acct_88213")


@pytest.mark.parametrize(
    ("cell", "response"),
    [
        ("4", "4"),
        ("1.10", "1.10"),
        ("9007199254740993", "9007199254740993"),
        ("007", '"007"'),
        ("4 stars", '"4 stars"'),
    ],
)
def test_plain_csv_numbers_stay_numbers(read: Read, cell: str, response: str) -> None:
    found = read(export({"Q1_Response": cell}), "export.csv")[0]
    assert isinstance(found, StudyResponse)
    assert text(found.response) == response


def test_value_and_other_columns_replace_an_empty_response(read: Read) -> None:
    found = read(export({"Q10_Response": ""}), "export.csv")[2]
    assert isinstance(found, StudyResponse)
    assert (text(found.response), found.paths["response"]) == ("2", "Q10_Value")
    other = {"Q2_Response": "", "Q2_Choice_1": "", "Q2_Choice_3": ""}
    found = read(export(other), "export.csv")[1]
    assert isinstance(found, StudyResponse)
    assert (text(found.response), found.paths["response"]) == ('"Calendar"', "Q2_Response_Other")


def test_created_at_replaces_a_missing_completed_at(read: Read) -> None:
    found = read(export({"completedAt": "", "visitorId": "48211930", "userId": ""}), "export.csv")[0]
    assert isinstance(found, StudyResponse)
    assert (found.answered_at, found.paths["answered_at"]) == ("2025-03-04T16:00:00.000Z", "createdAt")
    assert (found.visitor_id, found.old_visitor_id, found.user_id) == (None, "48211930", None)


def test_csv_row_without_response_group_is_invalid(read: Read) -> None:
    (found,) = read(export({"responseGroupUid": " "}), "export.csv")
    assert isinstance(found, Unsendable)
    assert (found.reason, found.path) == (Reason.INVALID, "responseGroupUid")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_delimiters_and_encodings(read: Read, delimiter: str, encoding: str) -> None:
    content = export({"Q10_Response": "Größe 日本"}, delimiter=delimiter).decode().encode(encoding)
    found = read(content, "export.txt")[2]
    assert isinstance(found, StudyResponse)
    assert json.loads(text(found.response)) == "Größe 日本"


def test_export_without_attributes_or_labels(read: Read) -> None:
    columns = {key: value for key, value in COLUMNS.items() if not key.startswith("Attribute")}
    lines = export(columns=columns).splitlines(keepends=True)
    records = read(lines[0] + lines[2], "export.csv")
    assert [record.origin.path for record in records] == ["Q1", "Q2", "Q10"] or len(records) == 3
    first = records[0]
    assert isinstance(first, StudyResponse)
    assert first.attributes is UNSET


def test_line_breaks_and_quotes_in_csv_cells(read: Read) -> None:
    records = read(export({"Q10_Response": 'one\ntwo "three"\r\nfour'}, {"Q10_Response": "five"}), "export.csv")
    assert [record.origin.line for record in records] == [3, 3, 3, 6, 6, 6]
    third = records[2]
    assert isinstance(third, StudyResponse)
    assert json.loads(text(third.response)) == 'one\ntwo "three"\r\nfour'


def test_broken_csv_rows_do_not_affect_the_next_ones(read: Read) -> None:
    head, labels, row = export().splitlines(keepends=True)
    unclosed = row.replace(b"Fast", b'"Fast')
    wide = row.rstrip() + b",x,y\r\n"
    records = read(head + labels + unclosed + wide + row.replace(b"Fast", b"\xff") + row, "export.csv")
    faults = [(r.origin.line, r.detail) for r in records if isinstance(r, Unsendable)]
    assert [line for line, _ in faults] == [3, 4, 5]
    assert faults[0][1] == "a quote is not closed"
    assert faults[1][1] == f"{len(COLUMNS) + 2} columns where the keys row has {len(COLUMNS)}"
    assert faults[2][1].startswith("not valid UTF-8 at byte ")
    assert [r.origin.line for r in records if isinstance(r, StudyResponse)] == [6, 6, 6]


def test_short_csv_rows_are_padded(read: Read) -> None:
    head, labels, row = export().splitlines(keepends=True)
    short = b",".join(row.split(b",")[:14]) + b"\r\n"
    (found,) = read(head + labels + short, "export.csv")
    assert isinstance(found, StudyResponse)
    assert found.origin.path == "Q1"


def test_csv_cell_larger_than_the_default_field_limit(read: Read) -> None:
    found = read(export({"Q10_Response": "x" * 300_000}), "export.csv")[2]
    assert isinstance(found, StudyResponse)
    assert len(found.response) == 300_002


def test_csv_with_other_columns_is_rejected(read: Read) -> None:
    (found,) = read(b"user_id,email\nacct_1,mira@example.com\nacct_2,\n", "people.csv", force=True)
    assert isinstance(found, Unsendable)
    assert "responseGroupUid" in found.detail


def test_export_of_keys_and_labels_has_no_records(read: Read) -> None:
    lines = export().splitlines(keepends=True)
    assert read(lines[0], "export.csv") == []
    assert read(lines[0] + lines[1], "export.csv") == []


def test_csv_row_memory_grows_with_the_row(read: Read) -> None:
    """Not with its questions times the row: half a megabyte of answers once made four hundred."""
    numbers = range(1, 301)
    keys = ",".join(["responseGroupUid", "userId", *(f"Q{n}_Question_Text,Q{n}_Response" for n in numbers)])
    row = ",".join(["g", "acct_1", *(f"Question {n}?,{'x' * 500}" for n in numbers)])
    records = read(f"{keys}\nlabels\n{row}\n".encode(), "wide.csv")
    assert len(records) == 300
    assert sum(len(record.raw) for record in records) < 3 * len(row)
