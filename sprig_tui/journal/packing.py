"""Payloads packed by stretch of ids and compressed, as every journal stores them."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from itertools import accumulate

import zstandard

from sprig_tui.errors import JournalCorruptError

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


def unpack(blob: bytes, positions: Sequence[int]) -> list[bytes]:
    """The items at these positions of a blob made by `pack`; only they are copied out of it."""
    plain = _codec.decompress(memoryview(blob)[1:], max_output_size=_LIMIT) if blob[0] else blob[1:]
    count = array("I", plain[:4])[0]
    starts = list(accumulate(array("I", plain[4 : 4 + 4 * count]), initial=4 + 4 * count))
    if starts[-1] != len(plain):
        msg = "its sizes do not add up"
        raise ValueError(msg)
    return [plain[starts[at] : starts[at + 1]] for at in positions]


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


class DamagedPayloadError(JournalCorruptError):
    """What is stored for `ids` cannot be read; other deliveries are well."""

    def __init__(self, ids: Sequence[int]) -> None:
        several = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        super().__init__(
            f"the stored payload of delivery {ids[0]}{several} is damaged",
            hint="send the file it came from again, once the delivery is pruned",
        )
        self.ids = tuple(ids)


def items(blob: bytes, ids: Sequence[int], first: int) -> list[bytes]:
    """The items of these deliveries in the pack that begins with delivery `first`. Raises DamagedPayloadError."""
    try:
        return unpack(blob, [delivery_id - first for delivery_id in ids])
    except (zstandard.ZstdError, ValueError, IndexError, TypeError, MemoryError) as error:
        raise DamagedPayloadError(ids) from error
