import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw
from rich.cells import cell_len

from sprig_tui.console.payload.views.base import chop, shorten, wrap
from sprig_tui.console.payload.views.fields import FieldsView, field_cells, field_columns, field_header, value_line
from sprig_tui.console.payload.views.json import JsonView, is_json
from sprig_tui.console.payload.views.text import CurlView, RawView, unescape_letters
from sprig_tui.mapping.records import FieldTrace
from sprig_tui.segment.curl import curl_lines, visible_json
from sprig_tui.text import printable


def text(view):
    return ["".join(span.text for span in view.line(index)) for index in range(len(view))]


def shaped(spans):
    return "".join(span.text.ljust(span.width)[: span.width] if span.width else span.text for span in spans).rstrip()


# -- fields -----------------------------------------------------------------------------------------------------------

CREATED = FieldTrace("properties.createdAt", UNSET, "surveyCreatedAt", "survey unknown", "warning")
SURVEY = FieldTrace("properties.surveyId", 12, "surveyId", "not a UUID; sent as Sprig gives it")


def test_a_wide_table_has_a_column_for_the_notes():
    assert re.split(r"  +", shaped(field_cells(CREATED, 130))) == [
        "! properties.createdAt",
        "(omitted)",
        "surveyCreatedAt",
        "survey unknown",
    ]
    assert field_header(130).split() == ["Segment", "field", "value", "from", "note"]


def test_narrow_field_table_shares_origin_and_note_column():
    assert re.split(r"  +", shaped(field_cells(CREATED, 80))) == [
        "! properties.createdAt",
        "(omitted)",
        "survey unknown",
    ]
    assert "surveyId · not a" in shaped(field_cells(SURVEY, 80))
    assert field_header(80).split() == ["Segment", "field", "value", "from"]


def test_very_narrow_field_table_shortens_paths_at_the_start():
    assert shaped(field_cells(SURVEY, 40)).split() == ["✓", ".surveyId", "12"]


@given(st.integers(1, 400))
def test_columns_fill_the_width(width):
    found = field_columns(width)
    assert sum(found) == max(width - 2, 12)
    assert min(found) >= 0


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("acct_1", "acct_1"),
        ("4", '"4"'),
        (4, "4"),
        ("null", '"null"'),
        (None, "null"),
        (UNSET, "(omitted)"),
        ("(omitted)", '"(omitted)"'),
        ("", '""'),
        (" x", '" x"'),
        ("[1]", '"[1]"'),
        (Raw(b"12345678901234567890123"), "12345678901234567890123"),
        (Raw(b'"4"'), '"4"'),
        (Raw(b'"\\u65e5\\u672c"'), "日本"),
        (Raw(b'["\\u65e5","\\u0007"]'), '["日","\\u0007"]'),
        ({"All": False}, '{"All":false}'),
        (Raw(b'"\\ud800"'), "\\ud800"),
        ("a\nb", "a b"),
    ],
)
def test_a_value_on_one_line(value, line):
    assert value_line(value, 60) == line


def test_a_nested_value_opens_in_place_and_closes():
    view = FieldsView(
        [SURVEY, FieldTrace("properties.attributes", Raw(b'{"plan":"team","seats":[1,2]}'), "attributes")]
    )
    view.resize(100)
    assert len(view) == 2
    assert "▸ {" in text(view)[1]
    assert view.toggle(1)
    assert [line.strip() for line in text(view)[2:]] == [
        "{",
        '"plan": "team",',
        '"seats": [',
        "1,",
        "2",
        "]",
        "}",
        "from: attributes",
    ]
    assert view.toggle(4)
    assert text(view)[4].strip() == '"seats": [1,2] 2 items'
    assert view.toggle(1)
    assert len(view) == 2


def test_long_text_opens_in_place_and_folds_its_rest():
    long = "word " * 40_000
    view = FieldsView([FieldTrace("properties.response", long, "response")])
    view.resize(100)
    assert view.toggle(0)
    first = len(view)
    assert 150 < first < 300
    assert "more characters, enter shows them" in text(view)[-2]
    assert view.toggle(first - 2)
    assert len(view) > 3 * first
    assert view.copy_line(0) == (long, "properties.response")
    assert view.copy_line(5).text == long


def test_an_omitted_field_opens_to_its_note():
    view = FieldsView([CREATED])
    assert view.toggle(0)
    assert [line.strip() for line in text(view)[1:]] == ["from: surveyCreatedAt", "note: survey unknown"]
    assert view.copy_line(0) is None


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_json_is_shown_as_it_is_written():
    body = b'{"n":12345678901234567890123,"f":1.10,"t":"\\u00e9\\n","e":{},"l":[],"x":null}'
    assert text(JsonView(body)) == [
        "{",
        '  "n": 12345678901234567890123,',
        '  "f": 1.10,',
        '  "t": "é\\n",',
        '  "e": {},',
        '  "l": [],',
        '  "x": null',
        "}",
    ]


def test_more_than_200_items_are_folded():
    view = JsonView(json.dumps({"list": list(range(1_000))}).encode())
    lines = text(view)
    assert len(lines) == 205
    assert lines[-3].strip() == "800 more, enter shows them"
    assert view.toggle(len(view) - 3)
    assert len(view) == 805
    assert view.copy_line(1).text == json.dumps(list(range(1_000)), indent=2)


def test_view_builds_only_shown_lines_of_a_megabyte():
    wide = json.dumps({"list": [{"a": number, "b": "x" * 20} for number in range(25_000)]}).encode()
    long = json.dumps({"text": "x" * 1_000_000}).encode()
    deep = b'{"a":' + b"[" * 90 + b'"' + b"y" * 1_000_000 + b'"' + b"]" * 90 + b"}"
    for body in (wide, long, deep):
        view = JsonView(body)
        view.resize(100)
        text(view)
        assert len(view) <= 1_200


def test_a_value_is_copied_as_itself():
    view = JsonView(b'{"a":"x\\ny","b":{"c":1.50}}')
    assert view.copy_line(1) == ("x\ny", "a")
    assert view.copy_line(2) == ('{\n  "c": 1.50\n}', "b")
    assert view.copy_line(3).text == "1.50"


def test_is_json_rejects_other_bytes():
    assert is_json(b' {"a":1} ')
    for data in (b"", b"{", b'{"a":1}x', b'"\xff"', b"[" * 100_000):
        assert not is_json(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@settings(deadline=None)
@given(JSON, st.integers(20, 120))
def test_any_json_fits_and_means_the_same(value, width):
    body = json.dumps(value).encode()
    view = JsonView(body)
    view.resize(width)
    lines = text(view)
    assert all(len(line) < width + 80 for line in lines)
    if all("…" not in line and "more" not in line and "items" not in line for line in lines) and width == 120:
        assert json.loads("\n".join(lines)) == value


@given(st.text())
def test_readable_json_means_the_same(value):
    written = json.dumps(value)
    assert json.loads(unescape_letters(written)) == value


# -- raw --------------------------------------------------------------------------------------------------------------


def test_text_is_folded_line_by_line():
    view = RawView(b'{"a": 1,\r\n "b": "' + b"x" * 30 + b'"}\n')
    view.resize(20)
    assert text(view) == ['{"a": 1,␍', ' "b": "xxxxxxxxxxxxx', 'xxxxxxxxxxxxxxxxx"}']


def test_bytes_that_are_no_text_are_escaped():
    view = RawView(b'{"name": "caf\xe9", "x": 1, "note": "and more"}')
    view.resize(60)
    assert text(view) == ['{"name": "caf\\xe9", "x": 1, "note": "and more"}']
    assert [span.role for span in view.line(0)] == ["", "bad", ""]


def test_binary_payload_is_shown_as_hex_dump():
    view = RawView(bytes(range(20)))
    view.resize(100)
    assert text(view)[1].startswith("00000010  10 11 12 13 ")


def test_a_large_record_is_shown_in_part_and_opens():
    view = RawView(b"x" * 1_000_000)
    view.resize(100)
    assert text(view)[-1] == "934,464 more bytes, enter shows them"
    before = len(view)
    assert view.toggle(before - 1)
    assert len(view) > 3 * before
    assert not view.toggle(0)
    assert len(view.copy_line(0).text) == 1_000_000


@given(st.binary(max_size=300), st.integers(4, 60))
def test_no_line_is_wider_than_the_view(data, width):
    view = RawView(data)
    view.resize(width)
    if width >= 44:
        assert all(cell_len(line) <= max(width, 44) for line in text(view))


@given(st.text(max_size=300) | st.text("e\u0301✌\ufe0f日👩\u200d ", max_size=60), st.integers(3, 40))
def test_folding_loses_nothing(value, width):
    shown = printable(value)
    assert "".join(chop(shown, width)) == shown
    assert all(cell_len(part) <= width for part in chop(shown, width))
    assert all(cell_len(line) <= width for line in wrap(value, width))


# -- curl -------------------------------------------------------------------------------------------------------------


def test_a_curl_command_is_folded_but_copied_whole():
    lines = curl_lines("https://api.segment.io", b'{"event":"it\'s"}')
    view = CurlView(lines)
    view.resize(30)
    assert view.copy_line(0).text.split("\n") == [
        "curl https://api.segment.io/v1/track \\",
        "  -u \"$SEGMENT_WRITE_KEY:\" -H 'Content-Type: application/json' \\",
        '  --data-raw \'{"event":"it\'"\'"\'s"}\'',
    ]
    assert all(len(line) <= 30 for line in text(view))


@given(st.text())
def test_visible_json_in_curl_keeps_its_meaning(value):
    body = msgspec.json.encode({"response": value}) if value.isprintable() else json.dumps({"response": value}).encode()
    shown = visible_json(body)
    assert printable(shown) == shown
    assert json.loads(shown) == {"response": value}


@given(st.text(max_size=60) | st.text("e\u0301✌\ufe0f日👩\u200d ", max_size=60), st.integers(3, 40), st.booleans())
def test_shorten_fits_the_width(value, width, keep_start):
    shown = printable(value)
    cut = shorten(shown, width, keep_start=keep_start)
    assert cell_len(cut) <= width
    assert cut == shown or "…" in cut
