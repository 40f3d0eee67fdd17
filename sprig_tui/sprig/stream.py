"""Byte stream of an input: gzip and text encodings are recognised by content, and a buffer holds what is read."""

from __future__ import annotations

import codecs
import io
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from threading import Lock
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 262_144
_BULK_READ_THRESHOLD_BYTES = 262_144
"""Pending bytes from which `fill` reads more than one chunk."""
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_STEP_BYTES = 16_384
"""Compressed bytes per call of zlib, which copies the bytes after the end of a member each time."""
GZIP_CHECKPOINT_BYTES = 2_000_000
"""Content between two checkpoints of a gzip file, at first."""
MAX_GZIP_CHECKPOINTS = 200
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, ""),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ARCHIVE_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
)
_WORKBOOKS = (b"[Content_Types].xml", b"xl/", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
"""First bytes of the first entry of a zip archive that is a spreadsheet: two of Excel's, one of LibreOffice's."""
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENTRY_NAME_AT = 30
"""Offset of the name of a zip archive's first entry."""


class BrokenStreamError(Exception):
    """An error in the middle of a stream, such as a truncated gzip file; the text describes it."""


class ReadProgress:
    """Progress of reading; may be read from any thread."""

    def __init__(self, bytes_total: int = 0) -> None:
        self.bytes_total = bytes_total
        """Bytes on disk of all inputs; 0 if unknown (standard input)."""
        self.bytes_read = 0
        """Bytes read from disk so far, before decompression."""
        self.records = 0
        self.current_file = ""
        """The file that is being read."""


class StreamBuffer:
    """Bytes of a stream from `position` on; `line` is the 1-based line of `position`.

    A stream with an error ends there: everything before it is read, and `failure` holds the error.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.data = b""
        self.position = 0
        self.line = 1
        self.base = 0
        """Offset in the stream of the first byte of `data`."""
        self.searched = 0
        """Offset in the stream up to which a reader that looks ahead has searched for the end of a record."""
        self.ended = False
        self.failure = ""
        self.failure_reported = False
        """Whether a record already reports the early end of the stream."""

    def fill(self) -> bool:
        """Append the next chunk and drop the bytes before `position`, which becomes 0; False at the end.

        A long record grows by at least a quarter, so that appending to it stays linear.
        """
        pending = self.pending
        wanted = pending // 4 if pending >= _BULK_READ_THRESHOLD_BYTES else 1
        parts: list[bytes] = []
        while wanted > 0 and (chunk := self._next_chunk()) is not None:
            parts.append(chunk)
            wanted -= len(chunk)
        if not parts:
            return False
        self.base += self.position
        if pending:
            parts.insert(0, self.data[self.position :])
        self.data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.position = 0
        return True

    def _next_chunk(self) -> bytes | None:
        """The next chunk; None at the end of the stream and from then on."""
        chunk = None
        if not self.ended:
            try:
                chunk = next(self._chunks, None)
            except BrokenStreamError as error:
                self.failure = str(error)
        self.ended = chunk is None
        return chunk

    def advance_to(self, position: int) -> None:
        """Move `position` forward, and count the lines."""
        self.line += self.data.count(b"\n", self.position, position)
        self.position = position

    @property
    def pending(self) -> int:
        """Bytes in the buffer from `position` on."""
        return len(self.data) - self.position

    def line_end(self, limit: int) -> int:
        r"""Position of the next `\n`, after more reading if needed; -1 if the stream or `limit` bytes end before it."""
        searched = self.position
        while True:
            end = self.data.find(b"\n", searched)
            if end >= 0:
                return end
            if self.pending > limit:
                return -1
            searched = len(self.data) - self.position
            if not self.fill():
                return -1

    def skip_line(self) -> None:
        r"""Advance past this line and its `\n` without keeping it in memory."""
        while True:
            end = self.data.find(b"\n", self.position)
            if end >= 0:
                self.line += 1
                self.position = end + 1
                return
            self.position = len(self.data)
            if not self.fill():
                return


def _is_workbook(head: bytes) -> bool:
    """Whether these are the first bytes of a spreadsheet of Excel (old or new) or LibreOffice."""
    if head.startswith(_OLD_WORKBOOK):
        return True
    return head.startswith(b"PK\x03\x04") and head[_ENTRY_NAME_AT:].startswith(_WORKBOOKS)


def utf8_chunks(stream: BinaryIO, progress: ReadProgress) -> Iterator[bytes]:
    """The stream's content as UTF-8 without a byte order mark, in chunks of about 256 KB, or smaller from a pipe.

    Raises BrokenStreamError for a read error, an archive, or a stream that ends in the middle of a character.
    """
    head, rest = _split_head(_read_chunks(stream, progress))
    if head.startswith(_GZIP_MAGIC):
        head, rest = _split_head(_gunzip(head, rest))
    if _is_workbook(head):
        raise BrokenStreamError("this is a spreadsheet: save it as CSV, and give that file")
    for magic, name in _ARCHIVE_SIGNATURES:
        if head.startswith(magic):
            raise BrokenStreamError(f"this is {name}: unpack it first")
    mark, encoding = next(
        ((mark, name) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), (b"", _guess_utf16(head))
    )
    head = head[len(mark) :]
    if encoding:
        yield from _recode(head, rest, encoding)
        return
    if head:
        yield head
    yield from rest


def _read_chunks(stream: BinaryIO, progress: ReadProgress) -> Iterator[bytes]:
    read = stream.read1 if isinstance(stream, io.BufferedReader) else stream.read
    while True:
        try:
            chunk = read(CHUNK_BYTES)
        except OSError as error:
            raise BrokenStreamError(f"reading failed: {error.strerror or error}") from error
        if not chunk:
            return
        progress.bytes_read += len(chunk)
        yield chunk


def _split_head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, at least eight unless the stream is shorter, and the chunks after them."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 8:
            break
    return head, chunks


class GzipCheckpoint(NamedTuple):
    """The state in the middle of a gzip file, from which reading can start again."""

    compressed: int
    """Offset in the file."""
    content: int
    """Offset in its content."""
    inflate: zlib._Decompress | None = None
    """None between two members."""
    between: bytes = b""


class GzipIndex:
    """Checkpoints of a gzip file, some 40 KB each; there are few however large the file is. For any threads."""

    def __init__(self) -> None:
        self._points = [GzipCheckpoint(0, 0, zlib.decompressobj(wbits=31))]
        self._spacing = GZIP_CHECKPOINT_BYTES
        self._lock = Lock()

    def nearest(self, offset: int) -> GzipCheckpoint:
        """The last checkpoint at or before an offset of the content; its decompressor may be used."""
        with self._lock:
            point = self._points[bisect_right(self._points, offset, key=lambda point: point.content) - 1]
        return point._replace(inflate=point.inflate.copy() if point.inflate is not None else None)

    def wants(self, content: int) -> bool:
        """Whether a checkpoint at this offset of the content is far enough from the last one."""
        return content >= self._points[-1].content + self._spacing

    def add(self, point: GzipCheckpoint) -> None:
        """Add a checkpoint; where there are too many, every second one is dropped."""
        with self._lock:
            if self.wants(point.content):
                self._points.append(point)
            if len(self._points) > MAX_GZIP_CHECKPOINTS:
                del self._points[1::2]
                self._spacing *= 2


def gunzip_from(stream: BinaryIO, offset: int, index: GzipIndex) -> Iterator[bytes]:
    """The content of a gzip file from an offset on, in chunks; adds to the index. Raises BrokenStreamError."""
    start = index.nearest(offset)
    try:
        stream.seek(start.compressed)
    except OSError as error:
        raise BrokenStreamError(f"reading failed: {error.strerror or error}") from error
    skip = offset - start.content
    for chunk in _gunzip(b"", _read_chunks(stream, ReadProgress()), start, index):
        if skip < len(chunk):
            yield chunk[skip:] if skip else chunk
        skip = max(0, skip - len(chunk))


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins so is a gzip file."""
    return head.startswith(_GZIP_MAGIC)


def _gunzip(  # noqa: C901 - one loop over one state
    head: bytes, rest: Iterator[bytes], start: GzipCheckpoint | None = None, index: GzipIndex | None = None
) -> Iterator[bytes]:
    """The content of a gzip file, all members in a row; never more than two chunks are in memory.

    `start` is where `head` is in the file; it is the beginning where that is None.
    """
    compressed, produced, inflate, between = start or GzipCheckpoint(0, 0, zlib.decompressobj(wbits=31))
    ready: list[bytes] = []
    size = 0
    for chunk in chain((head,), rest):
        for at in range(0, len(chunk), _GZIP_STEP_BYTES):
            data = chunk[at : at + _GZIP_STEP_BYTES]
            if index is not None and index.wants(produced):
                copied = inflate.copy() if inflate is not None else None
                index.add(GzipCheckpoint(compressed, produced, copied, between))
            compressed += len(data)
            full = False
            while data or full:
                if inflate is None:
                    data = (between + data).lstrip(b"\0")
                    between = b""
                    if len(data) < len(_GZIP_MAGIC):
                        between, data = data, b""
                        continue
                    if not data.startswith(_GZIP_MAGIC):
                        yield b"".join(ready)
                        raise BrokenStreamError("the gzip data is followed by something else")
                    inflate = zlib.decompressobj(wbits=31)
                before = inflate.copy()
                try:
                    content = inflate.decompress(data, CHUNK_BYTES)
                except zlib.error as error:
                    yield b"".join((*ready, _inflate_until_damage(before, data)))
                    raise BrokenStreamError("the gzip data is damaged here") from error
                ready.append(content)
                size += len(content)
                produced += len(content)
                if size >= CHUNK_BYTES:
                    yield b"".join(ready)
                    ready.clear()
                    size = 0
                full = len(content) == CHUNK_BYTES and not inflate.eof
                data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                inflate = None if inflate.eof else inflate
        if size:
            yield b"".join(ready)  # a pipe may wait long before the next chunk
            ready.clear()
            size = 0
    if inflate is not None:
        raise BrokenStreamError("the gzip data ends too early: the file is truncated")


def _inflate_until_damage(inflate: zlib._Decompress, data: bytes) -> bytes:
    """The content of `data` up to the damage in it; zlib returns nothing from a call that fails."""
    content = b""
    size = len(data)
    while size and data and len(content) < CHUNK_BYTES:
        attempt = inflate.copy()
        try:
            content += attempt.decompress(data[:size], CHUNK_BYTES)
        except zlib.error:
            size //= 2
            continue
        inflate = attempt
        data = attempt.unconsumed_tail + data[size:]
    return content


def _guess_utf16(head: bytes) -> str:
    """The UTF-16 encoding of a stream without a mark; JSON and CSV begin with ASCII, so every second byte is zero."""
    if len(head) >= 4 and head[0] and head[2] and not head[1] and not head[3]:
        return "utf-16-le"
    if len(head) >= 4 and head[1] and head[3] and not head[0] and not head[2]:
        return "utf-16-be"
    return ""


def _recode(head: bytes, rest: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """UTF-16 or UTF-32 as UTF-8; half a surrogate pair stays invalid, so that only its record is rejected."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    try:
        yield decoder.decode(head).encode("utf-8", "surrogatepass")
        for chunk in rest:
            yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BrokenStreamError(f"the {encoding} text is damaged or ends in the middle of a character") from error
