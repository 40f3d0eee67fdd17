"""Record reader: files, folders, standard input, encodings, and errors in the middle."""

import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.errors import InputError
from sprig_tui.sprig.reader import ReadProgress, read_responses, total_size
from sprig_tui.sprig.records import Record, StudyResponse, Unsendable

Read = Callable[..., list[Record]]
SAMPLES = Path(__file__).parents[2] / "sample_payloads"


def line(record: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(record | changes).encode() + b"\n"


def kinds(records: list[Record]) -> list[str]:
    return ["answer" if isinstance(record, StudyResponse) else record.reason.value for record in records]


def test_json_lines_may_mix_formats(
    read: Read, webhook: dict[str, Any], rest: dict[str, Any], flat: dict[str, Any]
) -> None:
    page = {"cursor": None, "data": [rest, rest]}
    content = b"".join(
        [line(webhook), b"\r\n", line(rest).replace(b"\n", b"\r\n"), line(flat), line(page), line(webhook).strip() * 2]
    )
    records = read(content)
    assert [(record.origin.format, record.origin.line, record.origin.path) for record in records] == [
        ("webhook", 1, ""),
        ("rest", 3, ""),
        ("flat", 4, ""),
        ("rest", 5, "data[0]"),
        ("rest", 5, "data[1]"),
        ("webhook", 6, ""),
        ("webhook", 6, ""),
    ]
    assert records[0].origin.name.endswith("in.jsonl")
    assert records[1].raw == line(rest).strip()


def test_invalid_lines_do_not_affect_the_next_ones(read: Read, webhook: dict[str, Any]) -> None:
    bad = [b"{", b"not json", b'{"a":"\xff"}', line(webhook, response=None)[:-20], b"[", b"\0", b"]", b"}"]
    content = line(webhook) + b"".join(piece.strip() + b"\n" + line(webhook) for piece in bad)
    records = read(content)
    assert kinds(records) == ["answer"] + ["invalid", "answer"] * len(bad)
    assert [record.origin.line for record in records] == list(range(1, len(records) + 1))


def test_line_of_50_mb_is_cut(read: Read, webhook: dict[str, Any]) -> None:
    content = line(webhook) + line(webhook, response="x" * 50_000_000) + line(webhook)
    first, huge, last = read(content)
    assert kinds([first, huge, last]) == ["answer", "invalid", "answer"]
    assert isinstance(huge, Unsendable)
    assert (huge.detail, huge.origin.line, len(huge.raw)) == ("the line is larger than 10,000,000 bytes", 2, 65_536)
    assert last.origin.line == 3


def test_record_limit_is_exact(read: Read, webhook: dict[str, Any]) -> None:
    assert kinds(read([webhook, webhook | {"response": "x" * 5_000}, webhook], max_record_bytes=5_000)) == [
        "answer",
        "invalid",
        "answer",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("indent", [None, 2])
def test_text_encodings_are_recognised(read: Read, webhook: dict[str, Any], encoding: str, indent: int | None) -> None:
    text = json.dumps([webhook | {"response": "日本 👍🏽"}] * 2, indent=indent, ensure_ascii=False)
    records = read(text.encode(encoding), "in.json")
    assert kinds(records) == ["answer", "answer"]
    assert isinstance(records[1], StudyResponse)
    assert json.loads(bytes(records[1].response)) == "日本 👍🏽"


def test_lone_surrogate_in_utf16_invalidates_its_record_only(read: Read, webhook: dict[str, Any]) -> None:
    text = json.dumps(webhook) + "\n" + json.dumps(webhook | {"response": "~"}) + "\n" + json.dumps(webhook)
    content = "\ufeff".encode("utf-16-le") + text.replace("~", "\ud83d").encode("utf-16-le", "surrogatepass")
    assert kinds(read(content)) == ["answer", "invalid", "answer"]


def test_truncated_utf16_is_reported(read: Read, webhook: dict[str, Any]) -> None:
    records = read((json.dumps(webhook) + "\n").encode("utf-16") + b"\x20")
    assert kinds(records) == ["answer", "invalid"]


def test_gzip_is_recognised_by_content(read: Read, webhook: dict[str, Any]) -> None:
    content = line(webhook) * 3
    assert kinds(read(gzip.compress(content), "plain.jsonl")) == ["answer"] * 3
    assert kinds(read(content, "plain.jsonl.gz")) == ["answer"] * 3
    assert kinds(read(gzip.compress(content) + gzip.compress(content) + b"\0" * 20, "two.gz")) == ["answer"] * 6


def test_truncated_gzip_names_the_line_and_reading_continues(tmp_path: Path, webhook: dict[str, Any]) -> None:
    whole = gzip.compress(line(webhook) * 3, compresslevel=0)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:-200])
    (tmp_path / "b.jsonl").write_bytes(line(webhook))
    records = list(read_responses([tmp_path]))
    assert kinds(records) == ["answer", "answer", "invalid", "answer"]
    cut = records[2]
    assert isinstance(cut, Unsendable)
    assert (Path(cut.origin.name).name, cut.origin.line) == ("a.jsonl.gz", 3)
    assert cut.detail == "the gzip data ends too early: the file is truncated"
    assert cut.raw.startswith(b'{"id": 41207')


@pytest.mark.parametrize("keep", [1, 3, 9, 15])
def test_gzip_truncated_in_its_header_is_reported(read: Read, webhook: dict[str, Any], keep: int) -> None:
    assert kinds(read(gzip.compress(line(webhook))[:keep], "a.jsonl.gz", force=True)) == ["invalid"]


def test_damaged_gzip_is_reported(read: Read, webhook: dict[str, Any]) -> None:
    content = bytearray(gzip.compress(line(webhook) * 3))
    content[-6] ^= 0xFF
    assert kinds(read(bytes(content), "a.jsonl.gz")) == ["answer"] * 3 + ["invalid"]
    found = read(gzip.compress(line(webhook)) + b"trailing", "a.jsonl.gz")
    assert kinds(found) == ["answer", "invalid"]


def test_truncated_gzip_list_and_export_are_reported(read: Read, rest: dict[str, Any]) -> None:
    page = json.dumps({"cursor": None, "data": [rest] * 5}).encode()
    assert kinds(read(gzip.compress(page, compresslevel=0)[:-300], "p.json.gz")) == ["answer"] * 4 + ["invalid"]
    export = (SAMPLES / "export.csv").read_bytes()
    whole = read(export, "e.csv")
    cut = read(gzip.compress(export, compresslevel=0)[:-60], "e.csv.gz")
    assert kinds(cut)[-1] == "invalid"
    assert kinds(cut)[:-1] == kinds(whole)[: len(cut) - 1]
    assert isinstance(cut[-1], Unsendable)
    assert cut[-1].detail == "the gzip data ends too early: the file is truncated"


@pytest.mark.parametrize("content", [b"PK\x03\x04rest of a zip", b"\x28\xb5\x2f\xfdzstandard"])
def test_archives_are_rejected_by_name(read: Read, content: bytes) -> None:
    (found,) = read(content, "in.zip", force=True)
    assert isinstance(found, Unsendable)
    assert found.detail.endswith("unpack it first")


def test_binary_files_are_one_invalid_record(read: Read, webhook: dict[str, Any]) -> None:
    assert kinds(read(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\nmore\nand more\n", "in.json", force=True)) == ["invalid"]
    assert kinds(read(b"\0" * 500 + b"\n" + line(webhook))) == ["invalid", "answer"]


@pytest.mark.parametrize("content", [b"", b"\n\n \r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_empty_files_have_no_records(read: Read, content: bytes) -> None:
    assert read(content) == []


def test_folders_are_read_in_order_without_hidden_files(tmp_path: Path, webhook: dict[str, Any]) -> None:
    names = ["b.jsonl", "a/z.JSON", "a/y.ndjson", "c.csv.gz", ".hidden.json", ".git/x.json", "notes.txt", "d.jsonl.gz"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(line(webhook))
    found = [Path(record.origin.name).relative_to(tmp_path).as_posix() for record in read_responses([tmp_path])]
    assert found == ["a/y.ndjson", "a/z.JSON", "b.jsonl", "c.csv.gz", "d.jsonl.gz"]


def test_missing_file_raises_before_anything_is_read(tmp_path: Path, webhook: dict[str, Any]) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(webhook))
    with pytest.raises(InputError, match=r"there is no file .*missing\.jsonl"):
        read_responses([tmp_path / "a.jsonl", tmp_path / "missing.jsonl"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file to read in"):
        read_responses([tmp_path / "empty"])
    with pytest.raises(InputError, match="cannot open"):
        read_responses(["a\0b"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_raises(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch(mode=0)
    with pytest.raises(InputError, match="cannot open"):
        read_responses([tmp_path / "a.jsonl"])


def test_file_deleted_after_the_check_is_reported(tmp_path: Path, webhook: dict[str, Any]) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(webhook))
    (tmp_path / "b.jsonl").write_bytes(line(webhook))
    records = read_responses([tmp_path])
    (tmp_path / "a.jsonl").unlink()
    assert kinds(list(records)) == ["invalid", "answer"]


def test_read_error_is_reported_after_the_records(webhook: dict[str, Any]) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise OSError(5, "Input/output error")
            return data

    records = list(read_responses(["-"], stdin=Failing(line(webhook) + b'{"cut')))
    assert kinds(records) == ["answer", "invalid"]
    assert isinstance(records[1], Unsendable)
    assert records[1].detail == "reading failed: Input/output error"
    assert records[1].origin.name == "stdin"


def test_named_pipe_is_opened_once(tmp_path: Path, webhook: dict[str, Any]) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    code = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    writer = subprocess.Popen([sys.executable, "-c", code, pipe], stdin=subprocess.PIPE)
    assert writer.stdin is not None
    writer.stdin.write(line(webhook) * 2)
    writer.stdin.close()
    assert kinds(list(read_responses([pipe]))) == ["answer", "answer"]
    assert writer.wait() == 0


def test_lines_of_a_pipe_are_read_as_they_are_written(webhook: dict[str, Any]) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as pipe:
        records = read_responses(["-"], stdin=stdin)
        for number in range(3):
            pipe.write(line(webhook, userId=f"acct_{number}"))
            record = next(records)
            assert isinstance(record, StudyResponse)
            assert (record.user_id, record.origin.line) == (f"acct_{number}", number + 1)


def test_progress_counts_bytes_and_records(tmp_path: Path, webhook: dict[str, Any]) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(webhook) * 3)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(line(webhook)))
    progress = ReadProgress()
    records = read_responses([tmp_path], progress=progress)
    assert progress.bytes_total == total_size([tmp_path]) == sum(f.stat().st_size for f in tmp_path.iterdir())
    next(records)
    assert (progress.records, Path(progress.current_file).name) == (1, "a.jsonl")
    assert len(list(records)) == 3
    assert (progress.records, progress.bytes_read) == (4, progress.bytes_total)
    assert total_size(["-", tmp_path]) == 0


@pytest.mark.parametrize("layout", ["lines", "list", "page", "bomb", "csv"])
def test_memory_does_not_grow_with_the_file_size(tmp_path: Path, webhook: dict[str, Any], layout: str) -> None:
    one = json.dumps(webhook).encode()
    count = 6_000
    path = tmp_path / "in"
    if layout == "csv":
        head, labels, *rows = (SAMPLES / "export.csv").read_bytes().split(b"\r\n")
        path.write_bytes(b"\r\n".join([head, labels, *[rows[1]] * 4_500]))
        count = 4_500 * len(list(read_responses([SAMPLES / "export.csv"])))
    else:
        joined = (b"\n" if layout in ("lines", "bomb") else b",\n").join([one] * count)
        whole = {"list": b"[%b]", "page": b'{"cursor":null,"data":[%b]}'}.get(layout, b"%b") % joined
        path.write_bytes(gzip.compress(whole) if layout == "bomb" else whole)
        del joined, whole
    tracemalloc.start()
    found = sum(1 for _ in read_responses([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == count or layout == "csv"
    assert found >= 6_000
    assert peak < 2_500_000


def test_sample_payloads_hold_every_format_and_reason() -> None:
    records = list(read_responses([SAMPLES]))
    answers = [record for record in records if isinstance(record, StudyResponse)]
    assert {record.origin.format for record in answers} == {"webhook", "rest", "flat", "csv"}
    assert {record.reason.value for record in records if isinstance(record, Unsendable)} == {
        "invalid",
        "not-an-answer",
        "test-webhook",
    }
    assert {record.question_type for record in answers} >= {
        "LIKERT", "NPS", "OPEN", "MULTIPLECHOICE", "MULTIPLESELECT", "MATRIX", "RANKORDER", "MAXDIFF",
        "CONSENTLEGAL", "TEXTURLPROMPT", "VIDEOVOICE", "RECORDEDTASK",
    }  # fmt: skip
    assert {record.environment_id for record in answers} == {None, "QmK7x2dTfa", "Zb81hQe0Rc", "Wx00Unknwn"}
    assert any(len(record.raw) > 32_768 for record in answers)
    assert any(record.deleted_at for record in answers)
    assert any(record.user_id is None for record in answers)


def test_peeked_records_are_read_once(tmp_path: Path, webhook: dict[str, Any]) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b"".join(line(webhook, userId=f"acct_{number}") for number in range(6)))
    responses = read_responses([path])
    looked = responses.peek()
    assert next(looked) == next(responses.peek())
    next(looked)
    assert responses.repeatable
    taken = [next(responses)]
    for record in responses:
        taken.append(record)
        if len(taken) == 3:
            break
    taken += responses
    assert [record.user_id for record in taken] == [f"acct_{number}" for number in range(6)]
    assert not responses.repeatable
