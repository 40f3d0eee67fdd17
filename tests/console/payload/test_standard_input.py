"""Standard input opened in the console: usable as it comes, bounded, and kept in no file that has a name."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.console.payload import standard_input
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.standard_input import StandardInput
from sprig_tui.console.sending.actions import read_sources
from sprig_tui.errors import InputError
from sprig_tui.sprig.held_input import StoppedError
from sprig_tui.sprig.records import Unsendable

from .conftest import flat

CSV_HEAD = (
    "surveyId,surveyName,responseGroupUid,createdAt,completedAt,userId,How easy?\n"
    "Survey ID,Survey name,Response group,Created,Completed,User ID,How easy?\n"
)


class Producer:
    """The other end of the pipe."""

    def __init__(self, folder: Path) -> None:
        descriptor, self._end = os.pipe()
        self.folder = folder
        self.held = StandardInput(descriptor, folder)
        self.held.start()

    def write(self, data: bytes) -> None:
        """Write, and wait until it is taken."""
        size = self.held.size + len(data)
        while data:
            data = data[os.write(self._end, data) :]
        self.until(lambda: self.held.size == size)

    def end(self) -> None:
        os.close(self._end)
        self.until(lambda: self.held.ended)

    def until(self, holds: Callable[[], object]) -> None:
        # looked at often: what a reader made of the input is told to nobody
        with self.held._grown:
            assert any(self.held._grown.wait_for(holds, timeout=0.01) for _ in range(2000))


@pytest.fixture
def producer(tmp_path) -> Producer:
    return Producer(tmp_path / "state")


def line(number: int) -> bytes:
    return json.dumps(flat(number)).encode() + b"\n"


def write_on(descriptor: int) -> None:
    while True:
        os.write(descriptor, line(1))


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin; the result waits for the end."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised where it is asked for
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(20)
        assert results, "it does not end"
        return results[0]

    return result


def users(file: RecordFile) -> list[str]:
    return [getattr(record, "user_id", "?") for _, record in file.from_number(0)]


def test_records_are_there_as_they_come(producer):
    producer.write(line(0)[:40])
    opened = in_thread(lambda: RecordFile([producer.held]))
    producer.write(line(0)[40:] + line(1) + line(2)[:30])
    file = opened()
    assert (file.name, file.count, file.complete, file.awaits_more) == ("standard input", 1, False, True)
    assert file.read(0).origin.name == "stdin"
    counted = in_thread(file.count_on)
    searched = in_thread(lambda: [number for number, _ in file.each()])
    producer.until(lambda: file.is_drained)
    # the third is there in part: it is neither shown nor sent
    assert (file.count, users(file), file.read(2)) == (2, ["acct_0", "acct_1"], None)
    assert [record.user_id for record in read_sources([producer.held], file.count)] == ["acct_0", "acct_1"]
    producer.write(line(2)[30:])
    producer.until(lambda: file.is_drained and file.count == 3)
    assert file.read(2).user_id == "acct_2"
    producer.write(line(3)[:30])
    producer.end()
    counted()
    # a producer that is killed leaves half a record, which is told as in a file
    assert (file.count, file.complete, file.awaits_more) == (4, True, False)
    assert isinstance(file.read(3), Unsendable)
    assert searched() == [0, 1, 2, 3]
    assert list(producer.folder.glob("*")) == []


@pytest.mark.parametrize("form", ["lines", "list", "gzip", "utf-16", "csv"])
def test_every_form_is_read_as_from_a_file(producer, form):
    records = [flat(number) for number in range(400)]
    lines = b"".join(line(number) for number in range(400))
    rows = "\n".join(f"12,Checkout,g-{number},2026-09-01T10:00:00Z,,acct_{number},5" for number in range(400))
    data = {
        "lines": lines,
        "list": json.dumps(records).encode(),
        "gzip": gzip.compress(lines),
        "utf-16": lines.decode().encode("utf-16"),
        "csv": f"{CSV_HEAD}{rows}\n".encode(),
    }[form]
    opened = in_thread(lambda: RecordFile([producer.held]))
    for at in range(0, len(data), 20_000):
        producer.write(data[at : at + 20_000])
    producer.end()
    file = opened()
    file.count_on()
    assert file.complete
    assert users(file) == [f"acct_{number}" for number in range(400)]
    assert file.read(399).user_id == "acct_399"
    assert file.read(7).user_id == "acct_7"


def test_a_long_input_goes_to_a_file_without_a_name(producer, monkeypatch):
    monkeypatch.setattr(standard_input, "MAX_MEMORY_BYTES", 10_000)
    data = b"".join(line(number) for number in range(200))
    for at in range(0, len(data), 7_000):
        producer.write(data[at : at + 7_000])
    assert not producer.held._memory
    assert os.fstat(producer.held._file).st_nlink == 0
    assert list(producer.folder.glob("*")) == []
    producer.end()
    file = RecordFile([producer.held])
    assert users(file) == [f"acct_{number}" for number in range(200)]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"MAX_HELD_BYTES": 20_000}, "only the first 20.0 KB of standard input are kept: sprig-tui send -"),
        ({"MAX_MEMORY_BYTES": 20_000, "MIN_FREE_BYTES": 1 << 62}, "left\nsprig-tui send - takes"),
    ],
)
def test_what_is_not_kept_is_said(producer, monkeypatch, limits, why):
    for name, value in limits.items():
        monkeypatch.setattr(standard_input, name, value)
    producer.write(line(0) + line(1))
    with pytest.raises(BrokenPipeError):  # the producer learns that nobody reads on
        write_on(producer._end)
    producer.until(lambda: producer.held.ended)
    file = RecordFile([producer.held])
    file.count_on()
    assert why in file.shortfalls[0]
    assert 0 < producer.held.size <= 20_000
    assert users(file)[:2] == ["acct_0", "acct_1"]


def test_without_answers_it_is_not_opened_and_waiting_can_be_stopped(producer, tmp_path):
    stopping = threading.Event()
    opened = in_thread(lambda: RecordFile([producer.held], stopping.is_set))
    stopping.set()
    assert isinstance(opened(), StoppedError)
    producer.write(b"\x00\x01\x02binary\n" * 30)
    with pytest.raises(InputError, match="standard input holds no answers"):
        RecordFile([producer.held])
    producer.end()
    empty = Producer(tmp_path)
    empty.end()
    assert RecordFile([empty.held]).read(0) is None


def test_a_file_that_it_was_redirected_from_is_read_in_place(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(line(0) + line(1))
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, len(line(0)), os.SEEK_SET)
    held = StandardInput(descriptor, tmp_path / "state")
    held.start()
    assert held.ended
    assert users(RecordFile([held])) == ["acct_1"]
    os.close(descriptor)
