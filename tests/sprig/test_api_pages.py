"""Pages of Sprig's API: everything readable is read, and nothing raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import sprig_samples

from sprig_tui.sprig.api import ListedSurvey, parse_response_page, parse_survey_page
from sprig_tui.sprig.records import StudyResponse, Unsendable


def page(*records: Any, **changed: Any) -> bytes:
    return json.dumps({"cursor": None, "data": list(records), **changed}).encode()


def test_page_records_keep_bytes_and_path() -> None:
    raw = b'{"data":[{"a":1}, {"surveyId":12345678901234567890,"questionText":"Q","questionType":"OPEN","response":'
    raw += b'1.50,"responseGroupUid":"g","externalUserId":"u"} ],"total":2,"cursor":"YQ=="}'
    found = parse_response_page(raw)
    assert found.cursor == "YQ=="
    assert found.fault == ""
    bad, good = found.records
    assert isinstance(bad, Unsendable)
    assert isinstance(good, StudyResponse)
    assert good.survey_id == 12345678901234567890
    assert bytes(good.response) == b"1.50"
    assert (good.origin.name, good.origin.path) == ("api", "data[1]")


@pytest.mark.parametrize("number", range(10))
def test_documented_question_types_are_read(number: int) -> None:
    (record,) = parse_response_page(page(sprig_samples.response(number))).records
    assert isinstance(record, StudyResponse)
    assert json.loads(bytes(record.response)) == sprig_samples.response(number)["response"]


def test_invalid_text_in_one_record_does_not_affect_others() -> None:
    whole = page(sprig_samples.response(1), sprig_samples.response(2, questionText="PLACE"), sprig_samples.response(3))
    found = parse_response_page(whole.replace(b"PLACE", b"\xff\xfe"))
    assert [type(record) for record in found.records] == [StudyResponse, Unsendable, StudyResponse]
    assert "not valid UTF-8" in found.records[1].detail  # type: ignore[union-attr]  # checked above
    assert found.fault == ""


def test_too_large_record_of_a_page_is_named() -> None:
    found = parse_response_page(page(sprig_samples.response(1, response="x" * 10_500_000), sprig_samples.response(2)))
    large, good = found.records
    assert isinstance(large, Unsendable)
    assert "larger than 10,000,000 bytes" in large.detail
    assert len(large.raw) <= 65_536
    assert isinstance(good, StudyResponse)


def test_list_of_lists_has_no_answers() -> None:
    found = parse_response_page(page([[1]], "text", None, 5, True))
    assert len(found.records) == 5
    assert all(isinstance(record, Unsendable) for record in found.records)


def test_readable_surveys_of_a_page_are_returned() -> None:
    body = page(
        {"id": 5120, "name": "Checkout effort", "createdAt": "2026-02-01T09:00:00.000Z", "status": "PAUSED"},
        {"id": "uuid-like"},
        {"id": 7, "name": None},
        {"id": 8, "name": 9},
        {"name": "no id"},
        "text",
    )
    found = parse_survey_page(body)
    assert found.surveys == [
        ListedSurvey(5120, "Checkout effort", "2026-02-01T09:00:00.000Z"),
        ListedSurvey("uuid-like"),
        ListedSurvey(7),
    ]
    assert found.unreadable == 3


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_page_reader_never_raises_for_any_bytes(body: bytes) -> None:
    assert isinstance(parse_response_page(body).fault, str)
    parse_survey_page(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(_json, _json)
def test_page_reader_accounts_for_every_element(data: Any, cursor: Any) -> None:
    found = parse_response_page(json.dumps({"cursor": cursor, "data": data}).encode())
    parse_survey_page(json.dumps({"cursor": cursor, "data": data}).encode())
    if isinstance(data, list):
        assert len(found.records) == len(data) + bool(found.fault)
    else:
        assert found.fault
    assert (cursor is None or isinstance(cursor, str)) or found.fault


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_truncated_page_loses_no_whole_record(data: st.DataObject) -> None:
    record = {"questionText": "Q", "questionType": "OPEN", "response": "é}]", "externalUserId": "u"}
    whole = json.dumps(
        {"cursor": None, "data": [{**record, "responseGroupUid": f"g{n}"} for n in range(6)]}, ensure_ascii=False
    ).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    found = parse_response_page(whole[:at])
    assert found.fault
    groups = [one.response_group_id for one in found.records if isinstance(one, StudyResponse)]
    complete = whole[:at].count(b'"}')
    assert groups == [f"g{n}" for n in range(complete)]
    assert isinstance(found.records[-1], Unsendable)
