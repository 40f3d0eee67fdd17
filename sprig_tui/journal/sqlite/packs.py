"""Payloads packed by stretch of ids: `packs.first` is the id of the first, the rest follow without gaps."""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Sequence

import zstandard

PACK_ITEMS = 1_000
PACK_BYTES = 1_200_000
"""A pack ends at the first of these; reading one payload unpacks its whole pack."""
_PLAIN_BELOW = 256
"""Bytes under which compressing costs more than it saves."""
_LIMIT = 1 << 31
"""No pack unpacks to more: what claims to is damaged."""


class _Codec(threading.local):
    """A compressor and a decompressor for each thread: they may not be shared."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_codec = _Codec()


def pack(items: Sequence[bytes]) -> bytes:
    """Sizes and bytes of `items` in one blob: a codec byte, then (compressed from 256 bytes on) count, sizes, data."""
    plain = array("I", [len(items), *map(len, items)]).tobytes() + b"".join(items)
    if len(plain) < _PLAIN_BELOW:
        return b"\x00" + plain
    return b"\x01" + _codec.compress(plain)


def unpack(blob: bytes) -> list[bytes]:
    """The items of a blob made by `pack`."""
    plain = _codec.decompress(memoryview(blob)[1:], max_output_size=_LIMIT) if blob[0] else blob[1:]
    count = array("I", plain[:4])[0]
    at = 4 + 4 * count
    items = []
    for size in array("I", plain[4:at]):
        items.append(plain[at : at + size])
        at += size
    return items


def stretches(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cut items of these sizes into packs: (start, end) positions."""
    cuts = []
    start = total = 0
    for position, size in enumerate(sizes):
        if position > start and (position - start == PACK_ITEMS or total + size > PACK_BYTES):
            cuts.append((start, position))
            start, total = position, 0
        total += size
    if start < len(sizes):
        cuts.append((start, len(sizes)))
    return cuts


def bodies(connection: sqlite3.Connection, ids: Sequence[int]) -> list[bytes]:
    """The bodies of these deliveries, in the order of `ids`."""
    found: dict[int, bytes] = {}
    for delivery_id in sorted(ids):
        if delivery_id in found:
            continue
        first, blob = connection.execute(
            "SELECT first, bodies FROM packs WHERE first <= ? ORDER BY first DESC LIMIT 1", (delivery_id,)
        ).fetchone()
        found.update(enumerate(unpack(blob), first))
    return [found[delivery_id] for delivery_id in ids]


def payload(connection: sqlite3.Connection, delivery_id: int) -> tuple[bytes, bytes]:
    """(raw, body) of one delivery."""
    first, raws, packed = connection.execute(
        "SELECT first, raws, bodies FROM packs WHERE first <= ? ORDER BY first DESC LIMIT 1", (delivery_id,)
    ).fetchone()
    at = delivery_id - first
    return unpack(raws)[at], unpack(packed)[at]
