"""Export formats: JSON loses nothing, CSV contains neither formulas nor control characters."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sprig_tui.errors import InputError
from sprig_tui.journal.export_format import (
    EXPORT_FIELDS,
    csv_cell,
    csv_lines,
    csv_page,
    encode_page,
    export_values,
    file_header,
    format_from_path,
    json_line,
)
from sprig_tui.journal.records import Delivery, State


def delivery(**fields) -> Delivery:
    made = dict.fromkeys(EXPORT_FIELDS, "") | {
        "id": 1,
        "state": State.FAILED,
        "survey_name": "Checkout effort",
        "answered_at": 0,
        "added_at": 1_790_000_000_220,
        "due_at": 0,
        "attempts": 2,
        "status": 400,
        "latency_ms": 38.04,
        "settled_at": 1_790_000_001_000,
        "line": 3,
        "leased": False,
        "size": 812,
        "edited": False,
        "replayed": False,
        "held": False,
        "content_dropped": False,
        "origin_id": 0,
    }
    return Delivery(**{**made, **fields})


def test_json_has_every_field_and_readable_times():
    told = json.loads(json_line(delivery()))
    assert tuple(told) == EXPORT_FIELDS
    assert told["added_at"] == "2026-09-21T14:13:20.220Z"
    assert told["answered_at"] is None
    assert (told["state"], told["latency_ms"], told["size"]) == ("failed", 38.0, 812)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_json_keeps_all_text_and_escapes_unprintable_characters(answer):
    line = json_line(delivery(answer=answer))
    assert line.isprintable()
    assert json.loads(line)["answer"] == answer


@pytest.mark.parametrize("answer", ["\x7f", "\x9b31m", "\u202eevil", "\U000e0041", "\u2028"])
def test_json_escapes_terminal_control_characters(answer):
    assert answer not in json_line(delivery(answer=answer))


def test_lone_surrogate_does_not_stop_an_export():
    assert json.loads(json_line(delivery(answer="a\ud800b")))["answer"] == "a?b"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 170", "'+49 170"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =cmd|' /C calc'!A0", "'  =cmd|' /C calc'!A0"),
        ("\t=1", "⇥=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-5", "-5"),
        ("+4.5", "+4.5"),
        ("4", "4"),
        ("a=b", "a=b"),
        ("two\nlines", "two⏎lines"),
        ("\x1b[31mred", "␛[31mred"),
        ("", ""),
        (None, ""),
        (True, "True"),
        (38.1, "38.1"),
        (-3, "-3"),
    ],
)
def test_csv_cells_are_one_line_and_no_formulas(value, cell):
    assert csv_cell(value) == cell


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_csv_rows_are_parsed_back_unchanged(values):
    assert list(csv.reader(io.StringIO(csv_lines([values])))) == [[csv_cell(value) for value in values]]


TRICKY_TEXTS = st.text(alphabet=st.sampled_from('ab ,"\\\n\r\t=+-@|%5]ü＝\x7f\x00\u2028\ud800'), max_size=6)  # noqa: RUF001


@given(st.lists(st.tuples(TRICKY_TEXTS, TRICKY_TEXTS, st.booleans()), max_size=4))
@example([("a\nb", "\n", False)])
@example([("a", "-b", True), ("b", " c", True)])
@example([("a", " c", True), ("b", "=c", True)])
def test_page_of_csv_is_what_its_cells_are(rows):
    deliveries = [delivery(user_id=user, answer=answer, held=held) for user, answer, held in rows]
    lines = csv_page(deliveries)
    assert lines == csv_lines(export_values(deliveries))
    assert list(csv.reader(io.StringIO(lines))) == [
        ["" if value is None else csv_cell(value) for value in values] for values in export_values(deliveries)
    ]


def test_csv_file_begins_with_a_byte_order_mark_and_titles():
    text = (file_header("csv") + encode_page([delivery(answer='say "no", twice')], "csv")).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["id"], row["state"], row["answer"]) == ("1", "failed", 'say "no", twice')


@pytest.mark.parametrize(
    ("name", "kind"), [("a.csv", "csv"), ("A.CSV", "csv"), ("a.jsonl", "jsonl"), ("b.ndjson", "jsonl")]
)
def test_format_is_taken_from_the_suffix(name, kind):
    assert format_from_path(Path(name)) == kind


@pytest.mark.parametrize("name", ["a", "a.xlsx", "a.csv.gz", ".csv"])
def test_unknown_suffix_is_rejected_with_a_hint(name):
    with pytest.raises(InputError, match="cannot tell the format") as caught:
        format_from_path(Path(name))
    assert ".jsonl" in caught.value.hint
