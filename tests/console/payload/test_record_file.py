import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.payload import indexed_file
from sprig_tui.console.payload.record_file import MAX_CACHED_RECORDS, RecordFile, StoppedError
from sprig_tui.errors import InputError, UnknownFormatError
from sprig_tui.sprig import stream
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Unsendable

GROUP = "9b7c6f6e-1111-4222-8333-{:012d}"


@pytest.fixture
def small_chunks(monkeypatch):
    """Marks as close as a real file's, in a file that is a thousand times smaller."""
    monkeypatch.setattr(indexed_file, "CHUNK_BYTES", 500)
    monkeypatch.setattr(indexed_file, "ROWS_PER_INDEX_ENTRY", 3)


def key(record):
    return record.raw, record.origin, getattr(record, "response_group_id", None)


def csv_text(rows, *, labels=True, newline="\n"):
    keys = "responseGroupUid,userId,surveyId,surveyName,completedAt,Q1_Type,Q1_Response,Q1_Question_Text,Attribute_1"
    lines = [keys]
    if labels:
        lines.append("Response Group,User,Survey,Name,Completed,Type,Response,Question,plan")
    lines += [
        f'{GROUP.format(number)},acct_{number},12,Checkout,2026-09-01T10:00:00Z,open,"{answer}",Why?,team'
        for number, answer in enumerate(rows)
    ]
    return newline.join(lines) + newline


def same_as_read(path, order):
    """Every record by number, in this order, is the one that reading from the start gives."""
    expected = [key(one) for one in read_responses([str(path)])]
    file = RecordFile([str(path)])
    file.count_on()
    assert (file.count, file.complete) == (len(expected), True)
    for number in order(len(expected)):
        assert key(file.read(number)) == expected[number], number
    assert file.read(len(expected)) is None


def backwards(count):
    return range(count - 1, -1, -1)


def test_record_is_read_by_number_without_earlier_ones(lines_file, small_chunks):
    file = RecordFile([str(lines_file(2_000))])
    file.count_on()
    assert (file.count, file.complete) == (2_000, True)
    assert file.read(1_999).user_id == "acct_1999"
    assert len(file._cached) < 10, "only from the last mark on"


def test_every_record_of_lines_backwards(lines_file, small_chunks, record):
    odd = [
        record(1),
        "",
        '{"broken": ',
        "   ",
        json.dumps({"data": [record(2), record(3)]}),
        record(4, question="é" * 300),
        "not json at all",
        json.dumps([record(5), record(6)]),
        record(7, response="x" * 3_000),
    ]
    same_as_read(lines_file(odd * 30), backwards)


def test_overlong_line_makes_no_wrong_index_entry(lines_file, small_chunks, monkeypatch, record):
    monkeypatch.setattr(indexed_file, "_MAX_RECORD_BYTES", 2_000)
    path = lines_file([record(1), record(2, response="x" * 9_000), record(3)] * 5)
    file = RecordFile([str(path)])
    file.count_on()
    assert file.count == 15
    found = [file.read(number) for number in backwards(15)]
    assert [isinstance(one, Unsendable) for one in found] == [False, True, False] * 5
    assert found[0].origin.line == 15


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_row_of_an_export_backwards(tmp_path, small_chunks, labels, newline):
    path = tmp_path / "export.csv"
    answers = ["fine", f"two{newline}lines", "", 'a ""quote""', "ü" * 200, "x,y"] * 12
    path.write_bytes(csv_text(answers, labels=labels, newline=newline).encode())
    assert RecordFile([str(path)])._files[0].seekable
    same_as_read(path, backwards)


def test_an_export_with_an_open_quote_backwards(tmp_path, small_chunks):
    path = tmp_path / "export.csv"
    text = csv_text(["fine"] * 40)
    broken = text.replace(
        'acct_20,12,Checkout,2026-09-01T10:00:00Z,open,"fine"', 'acct_20,12,"Checkout,2026,open,"fine"'
    )
    assert broken != text
    path.write_text(broken)
    same_as_read(path, backwards)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["ok", "two\nlines", "", "é" * 40, "a,b"]), max_size=40), st.booleans(), st.booleans())
def test_any_export_backwards(tmp_path_factory, answers, labels, mark):
    path = tmp_path_factory.mktemp("export") / "export.csv"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + csv_text(answers, labels=labels).encode())
    same_as_read(path, backwards)


def test_file_without_index_is_read_from_its_start(tmp_path, record):
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([record(number) for number in range(50)], indent=1))
    zipped = tmp_path / "lines.jsonl.gz"
    zipped.write_bytes(gzip.compress("\n".join(json.dumps(record(number)) for number in range(50)).encode()))
    wide = tmp_path / "wide.jsonl"
    wide.write_bytes("\n".join(json.dumps(record(number)) for number in range(50)).encode("utf-16"))
    for path in (listed, zipped, wide):
        assert not RecordFile([str(path)])._files[0].seekable
        same_as_read(path, backwards)


def test_byte_order_mark_does_not_shift_index_offsets(tmp_path, small_chunks, record):
    path = tmp_path / "marked.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\n" + "\n".join(json.dumps(record(number)) for number in range(60)).encode())
    same_as_read(path, backwards)


def test_files_of_a_folder_are_one_after_the_other(lines_file, tmp_path, record):
    lines_file([record(1), record(2)], "a.jsonl")
    lines_file([record(3)], "b.jsonl")
    lines_file([record(4), record(5)], "c.jsonl")
    file = RecordFile([str(tmp_path)])
    assert [file.read(number).user_id for number in (4, 0, 2, 3, 1)] == [
        "acct_5",
        "acct_1",
        "acct_3",
        "acct_4",
        "acct_2",
    ]
    assert file.read(5) is None
    assert (file.count, file.complete) == (5, True)
    assert file.name == f"{tmp_path.name}/"
    assert [number for number, _ in file.each()] == [0, 1, 2, 3, 4]


def test_memory_keeps_a_bounded_number_of_records(lines_file):
    file = RecordFile([str(lines_file(MAX_CACHED_RECORDS + 500))])
    file.read(MAX_CACHED_RECORDS + 400)
    assert len(file._cached) <= MAX_CACHED_RECORDS
    assert file.cached(0) is None
    assert file.cached(MAX_CACHED_RECORDS + 400) is not None


def test_stopped_read_raises_stopped_error(lines_file):
    file = RecordFile([str(lines_file(2_000))])
    with pytest.raises(StoppedError):
        file.read(1_999, lambda: True)
    with pytest.raises(StoppedError):
        file.count_on(lambda: True)
    assert file.read(1_999).user_id == "acct_1999"


def test_changed_file_raises_input_error(lines_file, record):
    path = lines_file(3)
    file = RecordFile([str(path)])
    file.read(2)
    file._cached.clear()
    path.write_text(json.dumps(record(9)))
    with pytest.raises(InputError, match="has changed since it was opened"):
        file.read(0)


def test_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        RecordFile([str(tmp_path / "none.json")])
    with pytest.raises(InputError, match="no file to read in"):
        RecordFile([str(tmp_path)])
    import os

    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match="no regular file"):
        RecordFile([str(tmp_path / "pipe.json")])


@pytest.mark.parametrize("content", [b"\x00\x01\x02binary", b"{", b"[", b"null", b"a,b\n1,2\n", b"# Words\n" * 30])
def test_file_without_answers_is_not_opened(tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(UnknownFormatError, match="is not a file of answers"):
        RecordFile([str(path)])


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_indexed_file_reads_odd_content_like_the_reader(tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    same_as_read(path, backwards)


def test_the_chunk_size_is_that_of_the_reader():
    assert indexed_file.CHUNK_BYTES == stream.CHUNK_BYTES
