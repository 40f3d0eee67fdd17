"""Packets between the server and the process that draws a console, on that process's standard input and output.

One byte for the kind, four for the length, big-endian, then so many bytes: those of textual-serve. `D` is what a
terminal would carry, `M` a JSON object such as `{"type": "resize", "width": 80, "height": 24}`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

DATA = b"D"
META = b"M"
HEAD_BYTES = 5
MAX_PACKET_BYTES = 16_777_216
"""A longer packet is a fault of the other side."""


class PacketError(Exception):
    """Bytes that are no packet."""


def encode_data(data: bytes) -> bytes:
    """A packet of terminal bytes."""
    return DATA + len(data).to_bytes(4, "big") + data


def encode_meta(kind: str, **values: object) -> bytes:
    """A packet about the terminal, such as its new size."""
    body = msgspec.json.encode({"type": kind, **values})
    return META + len(body).to_bytes(4, "big") + body


class PacketReader:
    """Reads packets from bytes as they arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Kind and body of each packet that is complete now; raises PacketError."""
        self._buffer += data
        while len(self._buffer) >= HEAD_BYTES:
            kind, length = bytes(self._buffer[:1]), int.from_bytes(self._buffer[1:HEAD_BYTES], "big")
            if kind not in (DATA, META) or length > MAX_PACKET_BYTES:
                raise PacketError(f"a packet of kind {kind!r} and {length:,} bytes")
            if len(self._buffer) < HEAD_BYTES + length:
                return
            body = bytes(self._buffer[HEAD_BYTES : HEAD_BYTES + length])
            del self._buffer[: HEAD_BYTES + length]
            yield kind, body
