"""Records of other programs: missing and misspelt fields, and files that hold no answers."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.errors import UnknownFormatError
from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.missing_fields import MINIMAL_RECORD
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Record, StudyResponse, Unsendable

Read = Callable[..., list[Record]]


def without(record: dict[str, Any], *names: str, **others: Any) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names} | others


def test_minimal_record_is_sent() -> None:
    (found,) = read_responses(["-"], stdin=io.BytesIO(MINIMAL_RECORD.encode()))
    assert isinstance(found, StudyResponse)
    mapping = Mapper(Rules()).map(found, environment="production", now_ms=1_800_000_000_000)
    assert mapping.withheld is None
    assert not mapping.lints
    for name in json.loads(MINIMAL_RECORD):
        less = json.dumps(without(json.loads(MINIMAL_RECORD), name)).encode()
        (found,) = read_responses(["-"], stdin=io.BytesIO(less), force=True)
        if isinstance(found, StudyResponse):
            assert Mapper(Rules()).map(found, environment="production", now_ms=1_800_000_000_000).withheld


@pytest.mark.parametrize(
    ("record", "path", "said"),
    [
        (
            {"user_id": "a", "answer": 4, "question_text": "q", "type": "NPS"},
            "",
            (
                "not a record of Sprig's: these fields are missing: responseGroupId, question (the record has"
                " question_text), questionType (the record has type), response (the record has answer), userId (the"
                " record has user_id) and respondedAt"
            ),
        ),
        (
            {"userId": "a", "question": "q", "response": 4, "responseGroupId": "x", "respondedAt": "2025-03-04"},
            "questionType",
            "is missing",
        ),
        (
            {
                "userId": "a",
                "question": "q",
                "response": 4,
                "responseGroupId": "x",
                "timestamp": "",
                "questiontype": "",
            },
            "questionType",
            "is missing (the record has questiontype)",
        ),
        (
            {"externalUserId": "a", "questionText": "q", "createdAt": "", "Response": 4, "response_group_uid": "x"},
            "",
            (
                "these fields are missing: responseGroupUid (the record has response_group_uid), questionType and"
                " response (the record has Response)"
            ),
        ),
    ],
)
def test_missing_and_misspelt_fields_are_one_sentence(
    read: Read, flat: dict[str, Any], record: dict[str, Any], path: str, said: str
) -> None:
    _, found = read([flat, record])
    assert isinstance(found, Unsendable)
    assert (found.path, found.detail) == (path, said)


@pytest.mark.parametrize(
    ("missing", "own", "said"),
    [
        ("userId", "user_id", "userId: no User ID in the record; the record has user_id, which is not read: call it"),
        (
            "respondedAt",
            "answered_at",
            "answered_at, which is not read as the time of the answer: call it",
        ),
    ],
)
def test_misspelt_field_needed_to_send_is_named(
    read: Read, flat: dict[str, Any], missing: str, own: str, said: str
) -> None:
    (found,) = read([without(flat, missing) | {own: "x"}])
    assert isinstance(found, StudyResponse)
    assert said in Mapper(Rules()).map(found, environment="production", now_ms=0).detail


# -- files that are none of answers --------------------------------------------------------------------------------

README = b"# A project\n\nWords about it.\n" * 40
OTHERS = {
    "README.md": README,
    "notes.json": b'{"name": "package", "version": 1}',
    "other.csv": b"name,age\nMira,33\n",
    "labels.csv": b"Survey ID,Survey Name,Response Group,Created,Completed,User ID\n5002,Pulse,x,y,z,u\n",
    "README.md.gz": gzip.compress(README),
    "picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "list.json": b"[1, 2, 3]",
    "archive.zip": b"PK\x03\x04 and more",
}


@pytest.mark.parametrize("name", OTHERS)
def test_file_of_unknown_format_raises_before_reading(read: Read, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownFormatError, match=r"is not a file of answers: .*of Sprig's"):
        read(OTHERS[name], name)
    forced = list(read_responses([tmp_path / name], force=True))
    assert forced
    assert all(isinstance(one, Unsendable) for one in forced)


def test_stdin_of_unknown_format_raises_after_its_first_records(tmp_path: Path) -> None:
    responses = read_responses(["-"], stdin=io.BytesIO(README))
    with pytest.raises(UnknownFormatError, match="stdin is not a file of answers: none of its first 20 records"):
        next(responses)
    reading, writing = os.pipe()
    os.write(writing, README)
    os.close(writing)
    with pytest.raises(UnknownFormatError, match="none of its first 20"):
        list(read_responses([f"/dev/fd/{reading}"]))
    os.close(reading)


def test_one_known_record_of_the_first_twenty_is_enough(read: Read, flat: dict[str, Any]) -> None:
    line = json.dumps(flat).encode() + b"\n"
    assert len(read(b"x\n" * 19 + line)) == 20
    with pytest.raises(UnknownFormatError):
        read(b"x\n" * 20 + line)
    assert read(b"") == []
    assert len(read([{"eventType": "STUDY_SENT"}])) == 1


def test_known_record_of_a_stream_is_returned_immediately(flat: dict[str, Any]) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        os.write(writing, json.dumps(flat).encode() + b"\n" + b'{"half')
        assert isinstance(next(read_responses(["-"], stdin=stream)), StudyResponse)
        os.close(writing)


# -- exports that passed through other programs --------------------------------------------------------------------

EXPORT = (
    "surveyId,responseGroupUid,completedAt,userId,Attribute_1,Q1_Question_Text,Q1_Response,Q1_Response_NPSCategory,Q2_Question_Text,Q2_Choice_1\n"
    "Survey ID,Response Group,Completed,User ID,email,Likely?,Likely?,Category,Which?,Reports\n"
    "5002,0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11,2025-03-04T17:21:27.889Z,u_1,x@example.org,Likely?,9,promoter,Which?,1\n"
)


def shown(records: list[Record]) -> list[tuple[Any, ...]]:
    found = []
    for one in records:
        assert isinstance(one, StudyResponse), one
        found.append((one.question, one.question_type, bytes(one.response), one.user_id, one.email, one.raw))
    return found


@pytest.mark.parametrize(
    "changed",
    [
        "sep=,\r\n" + EXPORT,
        '"sep=,"\n' + EXPORT,
        "SEP=;\n" + EXPORT.replace(",", ";"),
        "sep=|\n" + EXPORT.replace(",", "|"),
        EXPORT.replace("\n", "\r"),
        "sep=,\r" + EXPORT.replace("\n", "\r"),
        EXPORT.split("\n", 1)[0].upper() + "\n" + EXPORT.split("\n", 1)[1],
        ", ".join(f" {key.lower()} " for key in EXPORT.split("\n", 1)[0].split(",")) + "\n" + EXPORT.split("\n", 1)[1],
        "\ufeff" + EXPORT,
    ],
)
def test_export_saved_by_a_spreadsheet_is_read(read: Read, changed: str) -> None:
    plain = shown(read(EXPORT.encode(), "plain.csv"))
    assert len(plain) == 2
    assert shown(read(changed.encode(), "changed.csv")) == plain


def test_export_with_cr_line_ends_is_read(read: Read) -> None:
    assert [one.origin.line for one in read(EXPORT.replace("\n", "\r").encode(), "cr.csv")] == [3, 3]


def test_export_without_its_keys_row_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(OTHERS["labels.csv"])
    with pytest.raises(
        UnknownFormatError, match=r"the keys row above it is missing: .*begins with surveyId,surveyName"
    ):
        read_responses([file])


def test_too_wide_header_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text("responseGroupUid" + ",x" * 16_384 + "\na\nb\n")
    (found,) = read_responses([file])
    assert isinstance(found, Unsendable)
    assert found.detail == "16,385 columns, and at most 16,384 are read"
