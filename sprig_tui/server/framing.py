"""Request framing: the bytes of one connection parsed to one request at a time, by llhttp in its strict mode.

Ambiguous requests (RFC 9112, 11.2) are rejected: a length with a transfer coding, two lengths, folded headers, line
ends without CR, and codings other than `chunked`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import httptools
from msgspec import Struct

from sprig_tui.server.limits import ConnectionLimits

CHUNK_OVERHEAD_BYTES = 65_536
"""Bytes of chunk sizes, extensions and trailers, in addition to eight bytes for each byte of the body."""
_READ_BYTES = 16_384
"""Bytes of a chunked body that are parsed at a time."""
_END_OF_HEAD = b"\r\n\r\n"
_ABSOLUTE_URL = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)

Headers = Sequence[tuple[bytes, bytes]]


class FramingError(Exception):
    """Bytes that are not an acceptable request; the rest of the connection cannot be parsed either."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RequestHead(Struct, frozen=True):
    """Request line and headers."""

    method: str
    path: str
    """Decoded, without the host of an absolute target."""
    raw_path: bytes
    query: bytes
    authority: bytes | None
    """Host and port of an absolute target."""
    version: str
    """`1.0` or `1.1`."""
    headers: Headers
    """Names in lower case."""
    keep_alive: bool
    expects_continue: bool


class BodyPart(Struct, frozen=True):
    """Bytes of the body."""

    data: bytes


class RequestEnd(Struct, frozen=True):
    """The request is complete."""


FramingEvent = RequestHead | BodyPart | RequestEnd


class RequestParser:
    """Parser of one connection: `receive` adds bytes, `next_event` returns events, `start_next` begins a request."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._data = b""
        self._position = 0
        """Offset in `_data` up to which bytes were parsed."""
        self._broken = self._overrun = False
        self._reset()

    def _reset(self) -> None:
        self._begun = False
        self._head_bytes = 0
        self._tail = b""
        self._method = self._version = ""
        self._keep_alive = False
        self._target: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._headers_done = False
        self._head_given = False
        self._body: list[bytes] = []
        self._remaining: int | None = 0
        """Bytes of the body still to come; None for a chunked body."""
        self._raw_bytes = self._body_bytes = 0
        self._complete = False
        self._end_given = False
        self._upgrade = False

    @property
    def pending(self) -> bool:
        """Whether there are bytes that were not parsed yet."""
        return self._position < len(self._data)

    @property
    def begun(self) -> bool:
        """Whether the first byte of the present request has arrived."""
        return self._begun

    @property
    def exhausted(self) -> bool:
        """Whether no further request can be parsed: one was invalid, or its end is ambiguous."""
        return self._broken or self._overrun

    def receive(self, data: bytes) -> None:
        """Add bytes from the client."""
        self._data = self._data[self._position :] + data if self.pending else data
        self._position = 0

    def start_next(self) -> None:
        """Begin the next request; the present one must be complete."""
        self._reset()

    def next_event(self) -> FramingEvent | None:
        """The next event of the present request; None while more bytes are needed. Raises FramingError."""
        if self._end_given or self._broken:
            return None
        try:
            return self._next()
        except FramingError:
            self._broken = True
            raise

    def _next(self) -> FramingEvent | None:
        if not self._headers_done and not self._read_head():
            return None
        if not self._head_given:
            self._head_given = True
            return self._head()
        while self.pending and not self._body and not self._complete:
            self._read_body()
        if self._body:
            data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
            return BodyPart(data)
        if self._complete:
            self._end_given = True
            return RequestEnd()
        return None

    # -- the head -------------------------------------------------------------------------------------------------

    def _read_head(self) -> bool:
        """Feed the parser up to the end of the headers and no further; whether the end was reached."""
        while self.pending and not self._headers_done:
            part = self._take_bytes(self._length_of_head())
            self._head_bytes += len(part)
            if self._head_bytes > self._limits.head_bytes:
                raise FramingError(431, f"the headers are longer than {self._limits.head_bytes:,} bytes")
            self._feed(part)
            if len(self._headers) > self._limits.head_fields:
                raise FramingError(431, f"there are more than {self._limits.head_fields} headers")
        return self._headers_done

    def _length_of_head(self) -> int:
        """Unparsed bytes up to the end of the headers, or all of them if the end has not arrived."""
        bound = self._position + self._limits.head_bytes + 1
        if self._tail:
            seam = self._tail + self._data[self._position : self._position + 3]
            if (end := seam.find(_END_OF_HEAD)) >= 0:
                return end + 4 - len(self._tail)
        end = self._data.find(_END_OF_HEAD, self._position, bound)
        return (end + 4 if end >= 0 else min(bound, len(self._data))) - self._position

    def _head(self) -> RequestHead:
        if self._version not in ("1.0", "1.1"):
            raise FramingError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        hosts = sum(name == b"host" for name, _ in self._headers)
        if hosts > 1 or (not hosts and self._version == "1.1"):
            raise FramingError(400, "one Host header is needed")
        expects = self._read_headers()
        raw_path, authority = b"".join(self._target), None
        if absolute := _ABSOLUTE_URL.match(raw_path):
            authority = absolute[1]
            raw_path = raw_path[absolute.end() :]
            if not raw_path.startswith(b"/"):
                raw_path = b"/" + raw_path
        raw_path, _, query = raw_path.partition(b"?")
        return RequestHead(
            method=self._method,
            path=unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            raw_path=raw_path,
            query=query,
            authority=authority,
            version=self._version,
            headers=self._headers,
            keep_alive=self._keep_alive,
            expects_continue=expects and not self._complete,
        )

    def _read_headers(self) -> bool:
        """Read the headers about the body; whether the client waits for `100 Continue`."""
        http10 = self._version == "1.0"
        expects, self._remaining = False, 0
        for name, value in self._headers:
            if name == b"content-length":
                self._remaining = int(value)
            elif name == b"transfer-encoding":
                if http10:
                    raise FramingError(400, "HTTP/1.0 has no transfer codings")
                if value.lower() != b"chunked":
                    raise FramingError(501, "the only transfer coding that is read is chunked")
                self._remaining = None
            elif name == b"expect":
                if value.lower() != b"100-continue":
                    raise FramingError(417, "nothing is expected here but 100-continue")
                expects = not http10
        if self._upgrade and self._remaining != 0:
            if self._remaining is None or self._method == "CONNECT":
                raise FramingError(501, "no other protocol is spoken here; send it without Upgrade")
            self._complete = False
        return expects

    # -- the body -------------------------------------------------------------------------------------------------

    def _read_body(self) -> None:
        part = self._take_bytes(_READ_BYTES if self._remaining is None else self._remaining)
        if self._remaining is not None:
            self._remaining -= len(part)
        if self._upgrade:
            self._body.append(part)
            self._complete = not self._remaining
            return
        self._raw_bytes += len(part)
        self._feed(part)
        if self._raw_bytes - self._body_bytes > CHUNK_OVERHEAD_BYTES + 8 * self._body_bytes:
            raise FramingError(400, "there is more around the chunks of the body than in them")

    # -- the parser -----------------------------------------------------------------------------------------------

    def _take_bytes(self, length: int) -> bytes:
        part = self._data[self._position : self._position + length]
        self._position += len(part)
        self._tail = b"" if part.endswith(_END_OF_HEAD) else (self._tail + part[-3:])[-3:]
        return part

    def _feed(self, part: bytes) -> None:
        try:
            self._parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            # An upgrade is only an offer, so the response is HTTP/1.1 (RFC 9110, 7.8). The parser treats the rest as
            # the other protocol, so the body is read without it.
            self._upgrade = True
            self._position -= len(part) - upgrade.args[0]
        except httptools.HttpParserError as error:
            if self._complete:
                self._overrun = True  # the error is in the bytes after the request
            else:
                raise FramingError(400, f"this is not an HTTP/1.1 request: {error}") from None

    def on_message_begin(self) -> None:
        """Parser callback: a request starts."""
        if self._complete:
            # the next request begins in the same bytes as the last chunk: it is not answered, and the connection ends
            self._overrun = True
        self._begun = True

    def on_url(self, part: bytes) -> None:
        """Parser callback: bytes of the target."""
        if not self._overrun:
            self._target.append(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback: one header; trailers of a chunked body are dropped."""
        if not self._headers_done:
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Parser callback: the headers end. The parser drops its values at the end of the request."""
        if self._headers_done:
            return
        self._headers_done = True
        self._method = self._parser.get_method().decode("ascii")
        self._version = self._parser.get_http_version()
        self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Parser callback: bytes of the body."""
        if not self._overrun:
            self._body_bytes += len(data)
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Parser callback: the request ends."""
        self._complete = True
