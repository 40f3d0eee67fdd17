"""JSON streams in every layout, cut into chunks anywhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.sprig.json_stream import RawRecord, is_json_lines, read_line_blocks, split_documents
from sprig_tui.sprig.stream import BrokenStreamError, StreamBuffer

LIMIT = 10_000


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def split(data: bytes, size: int = 1 << 20, limit: int = LIMIT) -> list[RawRecord]:
    return list(split_documents(StreamBuffer(chunked(data, size)), limit))


def laid_out(data: bytes, size: int = 1 << 20) -> str:
    return "lines" if is_json_lines(StreamBuffer(chunked(data, size)), LIMIT) else "documents"


texts = st.text(st.characters(codec="utf-8"), max_size=8)
objects = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(st.lists(objects, max_size=5), st.sampled_from([None, 1, 2]), st.integers(1, 40), st.booleans())
def test_lists_and_pages_are_split_with_any_chunks(
    records: list[Any], indent: int | None, size: int, as_page: bool
) -> None:
    records = [{"id": 1, **record} for record in records]
    value = {"cursor": 'a"\\', "data": records, "more": [{}]} if as_page else records
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    pieces = split(text.encode(), size)
    assert [json.loads(piece.raw) for piece in pieces] == records
    prefix = "data" if as_page else ""
    assert [piece.path for piece in pieces] == [f"{prefix}[{index}]" for index in range(len(records))]
    if indent is not None:
        opening = " " * indent * (2 if as_page else 1) + "{"
        starts = [number for number, line in enumerate(text.split("\n"), 1) if line == opening]
        assert [piece.line for piece in pieces] == starts[: len(pieces)]
    assert all(piece.fault == "" for piece in pieces)


@given(st.lists(objects, min_size=1, max_size=4), st.sampled_from(["", "\n", " \r\n\n"]), st.integers(1, 40))
def test_documents_in_a_row_are_split(records: list[Any], between: str, size: int) -> None:
    records = [{"id": 1, **record} for record in records]
    text = between.join(json.dumps(record, indent=1) for record in records)
    assert [json.loads(piece.raw) for piece in split(text.encode(), size)] == records


@given(st.binary(max_size=300), st.integers(1, 50))
def test_split_documents_never_raises_for_any_bytes(data: bytes, size: int) -> None:
    split(data, size, 50)
    list(read_line_blocks(StreamBuffer(chunked(data, size)), 50))


@pytest.mark.parametrize(
    ("data", "layout"),
    [
        (b'{"a":1}\n{"a":2}\n', "lines"),
        (b'{"a":1}{"a":2}\n', "lines"),
        (b'{"a":1}', "documents"),
        (b'{\n"a":1}\n', "documents"),
        (b'{"a":1,\n"b":2}\n', "documents"),
        (b'{"a":1\n,"b":2}\n', "documents"),
        (b'{"cursor":null,"data":[\n{"a":1},\n{"a":2}]}\n', "documents"),
        (b'{"cursor":null,"data":\n[{"a":1}]}\n', "documents"),
        (b'[{"a":1},\n{"a":2}]', "documents"),
        (b'{"a":"cut off\n{"a":2}\n', "lines"),
        (b'{"a":1,\n{"a":2}\n', "lines"),
        (b'{"a":[1}\n{"a":2}\n', "lines"),
        (b'{"a":{"b":1}\n\n{"a":2}\n', "lines"),
        (b'broken\n{"a":2}\n', "lines"),
    ],
)
def test_json_lines_are_recognised_by_content(data: bytes, layout: str) -> None:
    assert laid_out(data) == layout
    assert laid_out(data, 3) == layout


def test_broken_element_does_not_affect_the_next_ones() -> None:
    pieces = split(b'[{"a":tru},{"a":[1},{"a":2},{"a":"x\ny"},{"a":3}]')
    assert [(piece.path, piece.raw, bool(piece.fault)) for piece in pieces] == [
        ("[0]", b'{"a":tru}', False),
        ("[1]", b'{"a":[1}', True),
        ("[2]", b'{"a":2}', False),
        ("[3]", b'{"a":"x\ny"}', True),
        ("[4]", b'{"a":3}', False),
    ]


def test_broken_element_of_an_indented_list_is_skipped() -> None:
    text = json.dumps([{"a": 1, "b": [{"c": 2}]}, {"a": 2}, {"a": 3}], indent=2).replace('"a": 1,', '"a: 1,')
    pieces = split(text.encode())
    assert [bool(piece.fault) for piece in pieces] == [True, False, False]
    assert [json.loads(piece.raw) for piece in pieces[1:]] == [{"a": 2}, {"a": 3}]
    assert pieces[1].line == text[: text.index('"a": 2')].count("\n")


def test_scalars_in_a_list_have_their_path() -> None:
    assert [(piece.raw, piece.path) for piece in split(b'[1, "x" ,null,{"a":1} ]')] == [
        (b"1", "[0]"),
        (b'"x"', "[1]"),
        (b"null", "[2]"),
        (b'{"a":1}', "[3]"),
    ]


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b'[{"a":1},', ["", "the list does not end: the file may be cut off"]),
        (b'[{"a":1},{"b"', ["", "not valid JSON: it ends too early"]),
        (b'{"cursor":null,"data":[{"a":1}', ["", "the list does not end: the file may be cut off"]),
        (b'{"cursor":null,"data":[{"a":1}]', ["", "the page does not end: the file may be cut off"]),
        (b"[", ["the list does not end: the file may be cut off"]),
    ],
)
def test_truncated_document_is_reported_once(data: bytes, faults: list[str]) -> None:
    assert [piece.fault for piece in split(data, 2)] == faults


def test_stream_error_is_reported_once_after_the_records() -> None:
    def failing(data: bytes) -> Iterator[bytes]:
        yield data
        raise BrokenStreamError("the disk went away")

    cut = list(split_documents(StreamBuffer(failing(b'[{"a":1},\n{"b":')), LIMIT))
    assert [(piece.raw, piece.line, piece.fault) for piece in cut] == [
        (b'{"a":1}', 1, ""),
        (b'{"b":', 2, "the disk went away"),
    ]
    between = list(split_documents(StreamBuffer(failing(b'[{"a":1},\n')), LIMIT))
    assert [piece.fault for piece in between] == ["", "the disk went away"]
    lines = list(read_line_blocks(StreamBuffer(failing(b'{"a":1}\n{"b":')), LIMIT))
    assert lines == [(1, [b'{"a":1}']), RawRecord(b'{"b":', 2, "", "the disk went away")]


@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_records_over_the_limit_are_cut_and_skipped(size: int) -> None:
    long = b'{"a":"' + b"x" * 30_000 + b'"}'
    documents = split(b'[{"a":1},' + long + b',{"a":2}]', size)
    assert [(piece.raw[:7], piece.path, piece.fault) for piece in documents] == [
        (b'{"a":1}', "[0]", ""),
        (b'{"a":"x', "[1]", "larger than 10,000 bytes"),
        (b'{"a":2}', "[2]", ""),
    ]


def test_brackets_in_strings_are_text() -> None:
    assert len(split(b'[{"a":"}]\\"],{"},{"b":"{[\\\\"}]', 1)) == 2


def test_buffer_holds_no_more_than_a_record() -> None:
    element = b'{"a":"' + b"x" * 100 + b'"},'
    window = StreamBuffer(iter([b"[", *[element * 10] * 500, b"{}]"]))
    largest = 0
    count = 0
    for _ in split_documents(window, LIMIT):
        count += 1
        largest = max(largest, len(window.data))
    assert count == 5_001
    assert largest < 6_000
