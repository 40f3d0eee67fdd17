import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.payload import indexed_file
from sprig_tui.console.payload.record_file import MAX_CACHED_RECORDS, RecordFile
from sprig_tui.errors import InputError, UnknownFormatError
from sprig_tui.sprig import stream
from sprig_tui.sprig.held_input import StoppedError
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


def json_texts(record):
    """Lists, pages and documents in a row, whole and damaged, by name."""
    records = [record(number, response="é" * (number % 50)) for number in range(40)]
    compact = json.dumps(records)
    page = {"cursor": "next", "data": records, "more": True}
    return {
        "list": json.dumps(records, indent=1),
        "compact list": compact,
        "list with faults": compact.replace('"group-7"', "nonsense").replace('"group-9",', '"group-9"', 1)
        + "\nstray text\n"
        + json.dumps(records[:9]),
        "indented list with an open quote": json.dumps(records, indent=2).replace('"acct_11"', '"acct_11', 1),
        "list that does not end": compact[:-200],
        "scalars in a list": json.dumps([*records[:20], 1, "two", None, *records[20:]]),
        "page": json.dumps(page, indent=2),
        "pages in a row": "\n".join(json.dumps(page, indent=1) for _ in range(3)),
        "page that does not end": json.dumps(page)[:-9],
        "list of pages": json.dumps([page, *records, page]),
        "documents in a row": "\n".join(json.dumps(one, indent=1) for one in records),
    }


def test_lists_pages_and_documents_backwards(tmp_path, small_chunks, record):
    for name, text in json_texts(record).items():
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        same_as_read(path, backwards)
        file = RecordFile([str(path)])
        file.count_on()
        assert file.seekable
        assert len(file._files[0]._index) > 5 or name == "list of pages", name


def test_gzip_files_backwards(tmp_path, small_chunks, monkeypatch, record):
    monkeypatch.setattr(stream, "_GZIP_STEP_BYTES", 100)
    monkeypatch.setattr(stream, "GZIP_CHECKPOINT_BYTES", 2_000)
    monkeypatch.setattr(stream, "MAX_GZIP_CHECKPOINTS", 8)
    lines = [json.dumps(record(number, response="x" * (number * 37 % 90))) + "\n" for number in range(150)]
    whole = gzip.compress("".join(lines).encode())
    members = b"".join(gzip.compress("".join(lines[at : at + 40]).encode()) + b"\0" * at for at in range(0, 150, 40))
    contents = {
        "lines.jsonl.gz": whole,
        "members.jsonl.gz": members,
        "cut.jsonl.gz": whole[:-300],
        "damaged.jsonl.gz": whole[:1_200] + b"\0" * 40 + whole[1_240:],
        "trailing.jsonl.gz": whole + b"something else",
        "export.csv.gz": gzip.compress(csv_text(["fine", "two\nlines"] * 60).encode()),
        "list.json.gz": gzip.compress(json.dumps([json.loads(line) for line in lines], indent=1).encode()),
        "marked.jsonl.gz": gzip.compress(b"\xef\xbb\xbf" + "".join(lines).encode()),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        same_as_read(path, backwards)
        file = RecordFile([str(path)])
        file.count_on()
        assert file.seekable
        assert 1 < len(file._files[0]._gzip._points) <= 8, name


def test_other_encodings_are_read_from_the_start(tmp_path, record):
    text = "\n".join(json.dumps(record(number)) for number in range(50))
    for name, content in (
        ("wide.jsonl", text.encode("utf-16")),
        ("wide.jsonl.gz", gzip.compress(text.encode("utf-16"))),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert not RecordFile([str(path)]).seekable
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


def test_long_reads_wait_while_keys_are_pressed(lines_file):
    file = RecordFile([str(lines_file(200))])
    asked = []

    def stop():
        # keys are pressed all the time; the file is closed meanwhile
        file.give_way()
        asked.append(file.count)
        return len(asked) > 1

    with pytest.raises(StoppedError):
        file.count_on(stop)
    assert asked == [1, 1], "the second question comes while it waits at the first record"
