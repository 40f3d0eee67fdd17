"""Format detection of broken and hostile records, each with its diagnosis."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.reasons import Reason
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.raw_json import MAX_NESTING_LEVELS, has_lone_surrogate, is_too_deep
from sprig_tui.sprig.records import Origin, Record, StudyResponse, Unsendable
from sprig_tui.sprig.unsendable import MAX_EXCERPT_BYTES

DEEP = 100_000
NO_RECORD = "not a record of Sprig's: it has none of eventType, questionText, question, responseGroupUid"


def parse(raw: bytes, **options: Any) -> list[Record]:
    return list(parse_document(raw, Origin("webhook"), **options))


def fault(raw: bytes) -> Unsendable:
    (record,) = parse(raw)
    assert isinstance(record, Unsendable), record
    assert record.reason is Reason.INVALID
    assert record.raw == raw.strip()[:MAX_EXCERPT_BYTES]
    return record


def with_response(webhook: dict[str, Any], response: bytes) -> bytes:
    return json.dumps(webhook | {"response": "@@"}).encode().replace(b'"@@"', response)


@pytest.mark.parametrize(
    ("response", "detail"),
    [
        (b"NaN", "not valid JSON at byte 348: NaN, which is no number in JSON"),
        (b"Infinity", "not valid JSON at byte 348: Infinity, which is no number in JSON"),
        (b"01", "not valid JSON: invalid number at byte "),
        (b"[1,]", "not valid JSON: trailing comma in array at byte "),
        (b'"a\x00b"', "not valid JSON at byte 350: a NUL character (U+0000), as padding"),
        (b'"a\tb"', "not valid JSON: invalid character at byte "),
        (rb'"\x"', "not valid JSON: "),
        (b'"\xff"', "not valid UTF-8 at byte "),
        (b'"\xed\xa0\x80"', "not valid UTF-8 at byte "),
        (rb'"\ud83d"', "not valid JSON: half of a surrogate pair"),
        (rb'"\ud83d and more text"', "not valid JSON: half of a surrogate pair"),
        (rb'"\ude00 and more text"', "not valid JSON: half of a surrogate pair"),
        (rb'{"\ud83d":1}', "not valid JSON: half of a surrogate pair"),
        (b"[" * DEEP + b"]" * DEEP, "nested deeper than 100 levels"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested deeper than 100 levels"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100 levels"),
    ],
)
def test_invalid_json_is_explained(webhook: dict[str, Any], response: bytes, detail: str) -> None:
    assert fault(with_response(webhook, response)).detail.startswith(detail)


@pytest.mark.parametrize(
    "response",
    [rb'"\ud83d\ude00"', rb'"\\ud83d"', rb'"\u0000"', b'"\x7f\xc2\x85"', '"日本👍🏽"'.encode()],
)
def test_unusual_text_is_accepted(webhook: dict[str, Any], response: bytes) -> None:
    (record,) = parse(with_response(webhook, response))
    assert isinstance(record, StudyResponse)
    assert bytes(record.response) == response


def test_deepest_allowed_nesting_is_read(webhook: dict[str, Any]) -> None:
    response = b"[" * MAX_NESTING_LEVELS + b"]" * MAX_NESTING_LEVELS
    (record,) = parse(with_response(webhook, response))
    assert isinstance(record, StudyResponse)


def test_deep_nesting_in_an_unsent_field_is_read(webhook: dict[str, Any]) -> None:
    raw = json.dumps(webhook | {"surprise": "@@"}).encode().replace(b'"@@"', b"[" * DEEP + b"]" * DEEP)
    assert fault(raw).detail == "nested deeper than 100 levels"


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"eventType":"ANSWER_SUBMITTED","response":', "not valid JSON: it ends too early"),
        (b'{"a":"b', "not valid JSON: it ends too early"),
        (b"{}", NO_RECORD),
        (b"7", "expected a JSON object, got a number"),
        (b'"text"', "expected a JSON object, got text"),
        (b"null", "expected a JSON object, got null"),
        (b"hello", "not valid JSON: invalid character at byte 1"),
        (
            b"\0\0\0",
            "not valid JSON at byte 1: a NUL character (U+0000), as padding and a writer that was cut off leave",
        ),
        (b'{"eventType":5}', "expected text, got a number"),
        (
            b'{"data":"none"}',
            NO_RECORD,
        ),
    ],
)
def test_values_that_are_not_records_are_invalid(raw: bytes, detail: str) -> None:
    assert fault(raw).detail == detail


@pytest.mark.parametrize("raw", [b"", b" \r\n\t "])
def test_blank_documents_have_no_records(raw: bytes) -> None:
    assert parse(raw) == []


def test_too_large_record_is_cut_and_named(webhook: dict[str, Any]) -> None:
    raw = with_response(webhook, b'"' + b"x" * 200_000 + b'"')
    (kept,) = parse(raw)
    assert isinstance(kept, StudyResponse)
    (record,) = parse(raw, max_record_bytes=100_000)
    assert isinstance(record, Unsendable)
    assert record.detail == "larger than 100,000 bytes"
    assert len(record.raw) == MAX_EXCERPT_BYTES


def test_list_may_mix_formats(webhook: dict[str, Any], rest: dict[str, Any], flat: dict[str, Any]) -> None:
    page = {"cursor": None, "data": [rest, rest]}
    records = parse(json.dumps([webhook, page, [flat], flat, None]).encode())
    assert [(record.origin.format, record.origin.path) for record in records] == [
        ("webhook", "[0]"),
        ("rest", "[1].data[0]"),
        ("rest", "[1].data[1]"),
        ("", "[2]"),
        ("flat", "[3]"),
        ("", "[4]"),
    ]


def test_last_of_two_equal_keys_wins(webhook: dict[str, Any]) -> None:
    raw = json.dumps(webhook).encode()[:-1] + b',"userId":"acct_2"}'
    (record,) = parse(raw)
    assert isinstance(record, StudyResponse)
    assert record.user_id == "acct_2"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    """eventType responseGroupUid responseGroupId question questionText questionType response userId attributes
    visitorSnapshot visitorId email surveyId createdAt environmentId theme data""".split()  # noqa: SIM905 - a list of 17
)


@given(st.dictionaries(names, json_values))
def test_any_object_is_one_record(fields: dict[str, Any]) -> None:
    raw = json.dumps(fields).encode()
    if isinstance(fields.get("data"), list) and next(iter(fields)) == "data":
        return
    (record,) = parse(raw)
    assert record.raw == raw


@given(st.binary(max_size=200))
def test_parse_document_never_raises_for_any_bytes(raw: bytes) -> None:
    for record in parse(raw):
        assert isinstance(record, Unsendable)


@given(response=json_values)
def test_any_response_value_is_kept(response: Any) -> None:
    body = {"eventType": "Answer Submitted", "responseGroupUid": "g", "question": "q", "questionType": "NEW"}
    (record,) = parse(json.dumps(body | {"response": response}, ensure_ascii=False).encode("utf-8", "replace"))
    assert isinstance(record, StudyResponse)
    replaced = json.loads(json.dumps(response, ensure_ascii=False).encode("utf-8", "replace"))
    assert json.loads(bytes(record.response)) == replaced


def test_depth_and_surrogate_checks_ignore_strings() -> None:
    assert not is_too_deep(b'["' + b"[" * 500 + b'"]')
    assert not is_too_deep(b'["\\"' + b"[" * 500 + b'"]')
    assert not has_lone_surrogate(rb"\\ud83d \ud83d\ude00 \u00e9")
    assert has_lone_surrogate(rb"\ud83d\\ude00")
    assert has_lone_surrogate(rb"\ud83d\ud83d\ude00")
