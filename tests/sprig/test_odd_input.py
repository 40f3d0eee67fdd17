"""Odd input of other programs: marks, separators, huge numbers, epoch times, placeholder ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import Mapping, Rules
from sprig_tui.reasons import Reason
from sprig_tui.segment.placeholder_ids import is_placeholder_user_id
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, Record, StudyResponse, Unsendable, note_text

Read = Callable[..., list[Record]]
NOW = 1_800_000_000_000


def mapped(record: Record) -> Mapping:
    assert isinstance(record, StudyResponse), record
    return Mapper(Rules()).map(record, environment="production", now_ms=NOW)


# -- characters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mark", "named"), [("\ufeff", "byte-order mark (U+FEFF)"), ("\x1e", "separator (U+001E)")])
@pytest.mark.parametrize("form", ["webhook", "rest", "flat"])
def test_mark_before_a_record_is_skipped_with_a_note(
    read: Read, request: pytest.FixtureRequest, mark: str, named: str, form: str
) -> None:
    record = request.getfixturevalue(form)
    plain, marked = read((json.dumps(record) + "\n" + mark + json.dumps(record) + "\n").encode())
    assert mapped(plain).message_id == mapped(marked).message_id
    assert isinstance(marked, StudyResponse)
    assert (marked.origin.line, marked.raw[:1]) == (2, b"{")
    assert named in note_text(marked.notes[-1])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"response": NaN}', "NaN, which is no number in JSON (Python and pandas write it)"),
        ('{"response": -Infinity}', "Infinity, which is no number in JSON"),
        ('{"response": Infinity}', "Infinity, which is no number in JSON"),
        ('{"response": None}', "None instead of null, as Python prints it"),
        ('{"response": True}', "True instead of true"),
        ('{"response": undefined}', "undefined, which is JavaScript's"),
        ("{'response': 1}", "a single quote"),
        ('{"response": \u201c1\u201d}', "a curly quote (U+201C)"),
        ('{"response":\u00a01}', "a no-break space (U+00A0)"),
        ("\0\0\0\0", "a NUL character (U+0000), as padding"),
        ('{"response": 1}\0\0', "a NUL character (U+0000), as padding"),
        ('{"a":1,\ufeff"response": 1}', "a byte-order mark (U+FEFF), as files that were joined have"),
        ('{"a":1,\x1e"response": 1}', "a record separator (U+001E)"),
        ('{"response": 1}\x1a', "a control-Z (U+001A)"),
    ],
)
def test_foreign_syntax_is_named_with_its_usual_source(read: Read, flat: dict[str, Any], line: str, said: str) -> None:
    *_, found = read((json.dumps(flat) + "\n" + line + "\n").encode())
    assert isinstance(found, Unsendable)
    assert (found.reason, found.origin.line) == (Reason.INVALID, 2)
    assert said in found.detail
    assert "at byte" in found.detail


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_any_bytes_have_a_diagnosis(data: bytes) -> None:
    for start in (b"\x1e", b"\xef\xbb\xbf", b"\xef", b"{"):
        for record in parse_document(start + data, Origin("webhook")):
            assert isinstance(record, StudyResponse) or record.detail


# -- times ---------------------------------------------------------------------------------------------------------

TIMES = {
    "webhook": ("createdAt", "timestamp", "updatedAt"),
    "rest": ("createdAt", "updatedAt"),
    "flat": ("respondedAt", "timestamp", "updatedAt", "surveyCreatedAt", "createdAt"),
}


@pytest.mark.parametrize(("form", "field"), [(form, field) for form, fields in TIMES.items() for field in fields])
@pytest.mark.parametrize("moment", [1741105269, 1741105269114])
def test_epoch_times_may_be_numbers_or_text(
    read: Read, request: pytest.FixtureRequest, form: str, field: str, moment: int
) -> None:
    record = request.getfixturevalue(form)
    number, text = read([record | {field: moment}, record | {field: str(moment)}])
    assert mapped(number).body == mapped(text).body
    assert mapped(number).updated_ms == mapped(text).updated_ms
    assert mapped(number).withheld is None
    assert b'"17411' not in mapped(number).body


@pytest.mark.parametrize("moment", [174110526, 17411052691, 174110526911400])
def test_numbers_of_other_lengths_are_not_times(read: Read, webhook: dict[str, Any], moment: int) -> None:
    for written in (moment, str(moment)):
        (found,) = read([webhook | {"createdAt": written}])
        assert mapped(found).withheld is Reason.INVALID
        assert mapped(found).detail.startswith("timestamp: neither an ISO-8601 time nor 10 or 13 digits")


# -- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("attributes", '{"seats": 1e999}', "properties.attributes.seats: 1e999 is"),
        ("attributes", '{"a": {"b": [1, {"c": -1E+400}]}}', "properties.attributes.a.b[1].c: -1E+400 is"),
        ("attributes", '{"a": 9' + "0" * 308 + "}", "properties.attributes.a: a number of 309 digits is"),
        ("response", "1e309", "properties.response: 1e309 is"),
        ("response", '["x", 1e309]', "properties.response[1]: 1e309 is"),
        ("surveyId", "1" + "0" * 320, "properties.surveyId: a number of 321 digits is"),
    ],
)
def test_number_beyond_a_double_is_withheld_with_its_path(
    read: Read, webhook: dict[str, Any], field: str, value: str, path: str
) -> None:
    line = json.dumps(webhook | {field: "VALUE"}).replace('"VALUE"', value)
    (found,) = read(line.encode() + b"\n")
    mapping = mapped(found)
    assert mapping.withheld is Reason.INVALID
    assert mapping.detail.startswith(path)
    assert [one.path for one in mapping.fields if one.level == "error"] == [f"properties.{field}"]


@pytest.mark.parametrize("value", ['"1e999"', "1e308", "1e-999", "0.0000001e0100", '{"1e999": "12e999"}', "9" * 308])
def test_numbers_within_a_double_are_sent(read: Read, webhook: dict[str, Any], value: str) -> None:
    line = json.dumps(webhook | {"response": "VALUE"}).replace('"VALUE"', value)
    (found,) = read(line.encode() + b"\n")
    assert mapped(found).withheld is None


# -- people --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user_id",
    [
        *("null", "NULL", "undefined", "N/A", "#REF!", "1.23457E+17", "1,23457E+17", "\u200b", "NaN", "none", "-", "?"),
        *(
            "{{user.id}}",
            "${userId}",
            "[object Object]",
            "00000000-0000-0000-0000-000000000000",
            "\u200b\ufeff",
            "0",
            "\u3164",
        ),
    ],
)
def test_placeholder_user_id_is_noted_and_sent(read: Read, webhook: dict[str, Any], user_id: str) -> None:
    (found,) = read([webhook | {"userId": user_id}])
    mapping = mapped(found)
    assert mapping.withheld is None
    (row,) = [one for one in mapping.fields if one.path == "userId"]
    assert (row.level, "is it really this person's id?" in row.note) == ("warning", True)


@pytest.mark.parametrize("user_id", ["acct_88213", "nullable", "12e45", "1e5", "007", "Ünal", "田中", "n@example.com"])
def test_real_user_id_has_no_note(user_id: str) -> None:
    assert not is_placeholder_user_id(user_id)
