"""Request framing: ambiguous requests are rejected, and chunking makes no difference."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.server.framing import BodyPart, FramingError, RequestEnd, RequestHead, RequestParser
from sprig_tui.server.limits import ConnectionLimits

HEAD = b"POST /w HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*parts: bytes, limits: ConnectionLimits | None = None) -> list[tuple[str, str, bytes]]:
    """Method, path and body of each complete request."""
    framing, requests = RequestParser(limits or ConnectionLimits()), []
    head, body = None, b""
    for part in parts:
        framing.receive(part)
        while (event := framing.next_event()) is not None:
            if isinstance(event, RequestHead):
                head, body = event, b""
            elif isinstance(event, BodyPart):
                body += event.data
            else:
                assert isinstance(event, RequestEnd)
                requests.append((head.method, head.path, body))
                if framing.exhausted:
                    break
                framing.start_next()
    return requests


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        HEAD + b"Content-Length: 1, 1\r\n\r\na",
        HEAD + b"Content-Length: +1\r\n\r\na",
        HEAD + b"Content-Length: 0x1\r\n\r\na",
        HEAD + b"Content-Length : 1\r\n\r\na",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\na",
        b"POST /w HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
        HEAD + b"A: b\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 0\r\n\n",
        HEAD + b"A: b\rC: d\r\n\r\n",
        HEAD + b"A: b\r\n c\r\n\r\n",
        HEAD + b"A:\r\n\tc\r\n\r\n",
        b"POST /w HTTP/1.1\r\n Host: x\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: identity\r\n\r\n",
        b"POST /w HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"1\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\n0\r\n\r\n",
        CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1;" + b"x" * 200_000 + b"\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\r\n0\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        HEAD + b"A: b\x00c\r\n\r\n",
        HEAD + b": c\r\n\r\n",
        HEAD + b"abc\r\n\r\n",
        HEAD + b"Host: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD + b"X: a\r\n" * 101 + b"\r\n",
        CHUNKED.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost") + b"1\r\na\r\n0\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
        HEAD + b"Expect: the unexpected\r\n\r\n",
    ],
)
def test_ambiguous_requests_are_rejected(raw):
    with pytest.raises(FramingError):
        read(raw)
    with pytest.raises(FramingError):
        read(*(raw[at : at + 1] for at in range(len(raw))))


@pytest.mark.parametrize(("fields", "length", "status"), [(101, 1, 431), (1, 17_000, 431), (99, 1, 0)])
def test_headers_are_limited_in_number_and_bytes(fields, length, status):
    raw = HEAD + b"".join(b"X: %b\r\n" % (b"a" * length) for _ in range(fields)) + b"\r\n"
    if not status:
        assert len(read(raw)) == 1
        return
    with pytest.raises(FramingError) as raised:
        read(raw)
    assert raised.value.status == status


MANY = (
    b"\r\n" + HEAD + b"Content-Length: 3\r\n\r\nabc"
    b"GET http://example.org:80/a%2Fb?q HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi" + CHUNKED
)
LAST = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
READ = [("POST", "/w", b"abc"), ("GET", "/a/b", b""), ("POST", "/up", b"hi"), ("POST", "/w", b"abcde")]


@given(st.lists(st.integers(0, len(MANY + LAST)), max_size=12))
def test_events_do_not_depend_on_the_chunks(cuts):
    raw, places = MANY + LAST, sorted({0, *cuts, len(MANY + LAST)})
    assert read(*(raw[start:end] for start, end in pairwise(places))) == READ


def test_bytes_after_a_chunked_body_are_not_a_request():
    framing = RequestParser(ConnectionLimits())
    framing.receive(CHUNKED + LAST + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    events = [framing.next_event() for _ in range(4)]
    assert [type(event) for event in events] == [RequestHead, BodyPart, RequestEnd, type(None)]
    assert framing.exhausted
