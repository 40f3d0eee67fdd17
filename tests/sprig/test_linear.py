"""Linear time of reading: twice the input takes twice the steps."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.reading_steps import STEPS, Counted, CountedWindow, counting

from sprig_tui.sprig import stream
from sprig_tui.sprig.api import parse_response_page
from sprig_tui.sprig.formats.detect import parse_document, try_parse_record
from sprig_tui.sprig.reader import _read_stream
from sprig_tui.sprig.records import Origin
from sprig_tui.sprig.stream import ReadProgress, StreamBuffer, utf8_chunks

__all__ = ["counting"]

Count = Callable[[Callable[[], Any]], int]
EXAMPLES = int(os.environ.get("SPRIG_TUI_LINEAR_EXAMPLES", "5"))
SIZE = 450
"""Bytes of the shorter input."""
LIMIT = 1_000_000
ROW = b"surveyId,responseGroupUid,userId,Q1_Question_Text,Q1_Response,Q1_Choice_1\n"
HEADS = [
    b"",
    b"[",
    b"x",
    b'{"data":[',
    b'{"a":',
    b"[" * 120,
    b"{" * 101 + b'"',
    ROW,
    ROW + b'"',
    b"\x1e",
    b"\xef\xbb\xbf",
]
ANSWER = b'{"question":"q","questionType":"OPEN","response":1,"responseGroupId":"g","userId":"u"}'
PIECES = [
    *(bytes((one,)) for one in b'{}[]",:\\\n\r 0x;\x00\x1e'),
    b'\\"',
    b"{}",
    b"},{",
    b"}\n{",
    b'{"cursor":"',
    b'"data":[',
    b'{"cursor":null,"data":[{}]}',
    b"null",
    b'"\n',
    b"\\ud800",
    b'"attributes":{',
    b"\xc3\xa9",
    b"\xff",
    b"NaN",
    b",,,,,",
    b'""',
    b"[skipped by user]",
    ANSWER,
    ANSWER + b"\n",
]


class Stream:
    """Counted bytes, read at once."""

    def __init__(self, data: bytes) -> None:
        self._left = [Counted(data)]

    def read(self, _size: int) -> bytes:
        return self._left.pop() if self._left else b""


def as_file(data: bytes) -> None:
    for _ in _read_stream(Stream(data), "in.json", LIMIT, ReadProgress(), try_parse_record):
        pass


def as_webhook(data: bytes) -> None:
    for _ in parse_document(Counted(data), Origin("webhook")):
        pass


def as_page(data: bytes) -> None:
    parse_response_page(Counted(data))


@pytest.mark.parametrize("read", [as_file, as_webhook, as_page])
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(HEADS), st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.sampled_from(PIECES))
@example(b"x" + b"{" * 101 + b'"', [b'\\"'], b"x")
@example(b"[", [b"{}"], b"]")
@example(b"[", [b"{}"], b",{}]")
@example(b"", [b"{}"], b"\n")
@example(b"[", [b"{", b"]"], b",{}]")
@example(b'[{"cursor":"', [b"\\", b'"'], b"]")
@example(ROW, [b'"', b"\n"], b"x")
def test_reading_takes_linear_time(
    counting: Count, read: Callable[[bytes], None], head: bytes, unit: list[bytes], tail: bytes
) -> None:
    part = b"".join(unit)
    times = max(1, SIZE // len(part))
    once = counting(lambda: read(head + part * times + tail))
    twice = counting(lambda: read(head + part * (2 * times) + tail))
    assert twice <= 2.7 * once + 2_000, (once, twice)


def test_step_counter_detects_a_quadratic_pattern(counting: Count) -> None:
    from support.reading_steps import _Re

    found = _Re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
    once, twice = (counting(lambda n=n: list(found.finditer(b'"' + b'\\"' * n))) for n in (60, 120))
    assert twice > 3.5 * once


def test_long_record_in_small_chunks_takes_linear_time(counting: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BULK_READ_THRESHOLD_BYTES", 64)

    def grow(parts: int) -> None:
        opened = CountedWindow(iter([b"x" * 16] * parts))
        assert opened.line_end(LIMIT) == -1

    once, twice = (counting(lambda n=n: grow(n)) for n in (300, 600))
    assert twice <= 2.7 * once


def test_gzip_of_many_members_takes_linear_time(counting: Count) -> None:
    member = gzip.compress(b"x")

    def unfold(members: int) -> int:
        chunks = list(utf8_chunks(Stream(member * members), ReadProgress()))  # type: ignore[arg-type]
        assert sum(map(len, chunks)) == members
        return len(chunks)

    assert unfold(2_000) <= 4
    once, twice = (counting(lambda n=n: unfold(n)) for n in (2_000, 4_000))
    assert twice <= 2.2 * once


def test_deep_brackets_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept but its beginning; real ones unfold to gigabytes."""
    held = 0
    real = StreamBuffer.fill

    def more(self: StreamBuffer) -> bool:
        nonlocal held
        grown = real(self)
        held = max(held, len(self.data))
        return grown

    monkeypatch.setattr(StreamBuffer, "fill", more)
    monkeypatch.setattr(stream, "CHUNK_BYTES", 4_096)
    deep = zlib.compressobj(wbits=31)
    bomb = deep.compress(b'[{"a":' * 100_000) + deep.flush()
    (found,) = _read_stream(Stream(bomb), "in.json.gz", 50_000, ReadProgress(), try_parse_record)  # type: ignore[arg-type]
    assert found.detail == "not valid JSON: it ends too early"  # type: ignore[union-attr]
    assert held < 80_000


def test_brackets_beyond_the_tracked_depth_are_counted() -> None:
    from sprig_tui.sprig.json_stream import BracketScanner, ScanState

    structure = BracketScanner()
    assert structure.scan(b"[" * 100_000, 0) == (ScanState.MORE, 100_000)
    assert len(structure.opened) <= 1_000
    assert structure.scan(b"]" * 100_000 + b"x", 0) == (ScanState.END, 100_000)


def test_step_counter_counts_the_bytes_read(counting: Count) -> None:
    data = json.dumps([json.loads(ANSWER)] * 3).encode()
    counting(lambda: as_file(data))
    assert STEPS.taken > len(data)
