"""Codec of packs: the payloads of consecutive deliveries in one compressed blob with checksums."""

from __future__ import annotations

import sys
import threading
import zlib
from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sprig_tui.errors import JournalCorruptError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_PACK_ITEMS = 1_000
MAX_PACK_BYTES = 1_200_000
"""A pack ends at the first of these limits; reading one payload unpacks its whole pack."""
_MIN_COMPRESS_BYTES = 256
"""Smaller packs are not compressed: that would cost more than it saves."""
_MAX_UNPACKED_BYTES = 1 << 31
"""Maximum unpacked size; a pack that declares more is treated as damaged."""

_LEGACY_PLAIN_CODEC, _LEGACY_ZSTD_CODEC = 0x00, 0x01
"""Packs of versions before checksums."""
_PLAIN_CODEC, _ZSTD_CODEC = 0xA6, 0x5B
"""First byte of a pack; they differ in many bits, so that flipped bits do not turn one into the other."""

_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.window_log: 18,
    zstd.CompressionParameter.hash_log: 13,
    zstd.CompressionParameter.min_match: 7,
    zstd.CompressionParameter.checksum_flag: 1,
}
"""Level 1 with tables that fit the nearest cache: a fifth less CPU for usual answers, and as few bytes; for long texts
a tenth less CPU, and 3 % more bytes."""

_DAMAGE_ERRORS = (zstd.ZstdError, ValueError, IndexError, TypeError, MemoryError, OverflowError)
"""What unpacking a damaged blob raises."""


class _Compressor(threading.local):
    """A compressor per thread: a shared one would make threads wait for each other."""

    def __init__(self) -> None:
        compressor = zstd.ZstdCompressor(options=_OPTIONS)
        self.compress = partial(compressor.compress, mode=zstd.ZstdCompressor.FLUSH_FRAME)


_thread_compressor = _Compressor()


def owner_tag(environment: str, message_id: str) -> int:
    """32-bit checksum of a payload's owner, which detects a payload of another delivery or environment."""
    return zlib.crc32(_encode_text(message_id), zlib.crc32(_encode_text(environment)))


def owner_tags(names: Sequence[str], message_ids: Sequence[str]) -> list[int]:
    """The tag of each owner, given as environments and message ids; fast if all are of one environment."""
    different, joined = set(names), "\n".join(message_ids)
    if len(different) == 1 and joined.isascii() and "\0" not in joined and joined.count("\n") == len(names) - 1:
        return message_id_tags(names[0], joined.encode().split(b"\n"))
    seeds = {name: zlib.crc32(_encode_text(name)) for name in different}
    return [
        zlib.crc32(_encode_text(message_id), seeds[name]) for name, message_id in zip(names, message_ids, strict=True)
    ]


def _encode_text(text: str) -> bytes:
    """A text as both stores return it; see `sanitize_text` in postgres/connection.py."""
    encoded = text.encode("utf-8", "replace")
    return encoded.replace(b"\0", b"\xe2\x90\x80") if b"\0" in encoded else encoded


def pack(items: Sequence[bytes], tags: Sequence[int] = ()) -> bytes:
    """Items in one blob with a checksum over all of it.

    A codec byte, then the number of items, the number of tags, sizes, tags and data. From 256 bytes these are
    compressed, with zstd's checksum; smaller packs end with a CRC-32.
    """
    head = array("I", [len(items), len(tags), *map(len, items), *tags])
    plain = b"".join((head.tobytes(), *items))
    if len(plain) < _MIN_COMPRESS_BYTES:
        return bytes((_PLAIN_CODEC,)) + plain + zlib.crc32(plain).to_bytes(4, "little")
    return bytes((_ZSTD_CODEC,)) + _thread_compressor.compress(plain)


def unpack(blob: bytes, positions: Sequence[int] | None = None) -> tuple[list[bytes], list[int] | None]:
    """The items at these positions of a blob made by `pack`, and their tags; None for packs of versions without tags.

    Without positions all items. Only these items are copied; a range of positions is sliced at once. Raises ValueError,
    or an error of the decompressor, for a damaged blob.
    """
    codec = blob[0]
    if codec in (_LEGACY_PLAIN_CODEC, _LEGACY_ZSTD_CODEC):
        plain = _decompress(blob) if codec == _LEGACY_ZSTD_CODEC else blob[1:]
        count = array("I", plain[:4])[0]
        return _slice_items(plain, 4, count, range(count) if positions is None else positions), None
    if codec == _ZSTD_CODEC:
        plain = _decompress(blob)
    elif codec == _PLAIN_CODEC and zlib.crc32(blob[1:-4]) == int.from_bytes(blob[-4:], "little"):
        plain = blob[1:-4]
    else:
        msg = "its checksum is another"
        raise ValueError(msg)
    count, tagged = array("I", plain[:8])
    if positions is None:
        positions = range(count)
    items = _slice_items(plain, 8, count, positions, 4 * tagged)
    if not tagged:
        return items, None
    tags = array("I", plain[8 + 4 * count : 8 + 4 * count + 4 * tagged])
    if isinstance(positions, range) and positions.stop <= tagged:
        return items, tags[positions.start : positions.stop].tolist()
    return items, [tags[at] for at in positions]


def _decompress(blob: bytes) -> bytes:
    """The content of the one frame after the codec byte, which declares its size. Raises ZstdError or ValueError."""
    frame = memoryview(blob)[1:]
    size = zstd.get_frame_info(frame).decompressed_size
    if size is None or size > _MAX_UNPACKED_BYTES:
        msg = "its size is not declared, or too large"
        raise ValueError(msg)
    decompressor = zstd.ZstdDecompressor()
    plain = decompressor.decompress(frame, size)
    if not decompressor.eof or decompressor.unused_data:
        msg = "its frame does not end where it ends"
        raise ValueError(msg)
    return plain


def _slice_items(plain: bytes, head: int, count: int, positions: Sequence[int], between: int = 0) -> list[bytes]:
    sizes = array("I", plain[head : head + 4 * count])
    starts = list(accumulate(sizes, initial=head + 4 * count + between))
    if len(sizes) != count or starts[-1] != len(plain):
        msg = "its sizes do not add up"
        raise ValueError(msg)
    if isinstance(positions, range) and positions.stop <= count:
        return [plain[start:end] for start, end in pairwise(starts[positions.start : positions.stop + 1])]
    return [plain[starts[at] : starts[at + 1]] for at in positions]


def split_into_packs(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Split items of these sizes into packs: (start, end) positions."""
    cuts = []
    start = total = 0
    for position, size in enumerate(sizes):
        if position > start and (position - start == MAX_PACK_ITEMS or total + size > MAX_PACK_BYTES):
            cuts.append((start, position))
            start, total = position, 0
        total += size
    if start < len(sizes):
        cuts.append((start, len(sizes)))
    return cuts


class DamagedPayloadError(JournalCorruptError):
    """The stored payloads of `ids` are damaged; other deliveries are intact."""

    def __init__(self, ids: Sequence[int]) -> None:
        several = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        super().__init__(
            f"the stored payload of delivery {ids[0]}{several} is damaged, and is not sent",
            hint="sprig-tui journal verify says what else is; send the file it came from again, once it is pruned",
        )
        self.ids = tuple(ids)

    def parts_to_retry(self, ids: Sequence[int]) -> list[list[int]]:
        """What may be intact of the deliveries whose reading this ended, in parts to read one by one.

        Each named one is a part of its own: one whose pack is gone is looked for in the pack before, whose own
        deliveries are intact. Nothing is left of a single delivery.
        """
        if len(ids) == 1:
            return []
        named = [[delivery_id] for delivery_id in ids if delivery_id in self.ids]
        others = [delivery_id for delivery_id in ids if delivery_id not in self.ids]
        return [*named, others] if named and others else named


DAMAGED_ERROR = "damaged: its stored payload is not what was stored"
"""The error of a delivery that failed because of that."""


class _Call(Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """The members of a track call in versions that stored no checksum (see segment/track.py)."""

    message_id: str
    event: str
    type: Literal["track"] = "track"
    user_id: str | UnsetType = UNSET
    properties: msgspec.Raw | UnsetType = UNSET
    context: msgspec.Raw | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    integrations: msgspec.Raw | UnsetType = UNSET


_call = msgspec.json.Decoder(_Call).decode


def unpack_items(
    blob: bytes, ids: Sequence[int], first: int, owners: Mapping[int, tuple[str, str]] | None = None
) -> dict[int, bytes]:
    """The items of these deliveries in the pack that begins with delivery `first`. Raises DamagedPayloadError.

    `owners` are environment and message id of each, for packs of bodies: a body that belongs to another delivery is
    damaged too.
    """
    if any(delivery_id < first for delivery_id in ids):
        raise DamagedPayloadError(ids)
    try:
        items, tags = unpack(blob, [delivery_id - first for delivery_id in ids])
    except _DAMAGE_ERRORS as error:
        raise DamagedPayloadError(ids) from error
    if owners is not None:
        fits = [
            _is_body_of(item, owners[delivery_id][1]) if tags is None else tags[at] == owner_tag(*owners[delivery_id])
            for at, (delivery_id, item) in enumerate(zip(ids, items, strict=True))
        ]
        if not all(fits):
            raise DamagedPayloadError(
                [delivery_id for delivery_id, fits_owner in zip(ids, fits, strict=True) if not fits_owner]
            )
    return dict(zip(ids, items, strict=True))


def unpack_every(blob: bytes, first: int) -> tuple[list[bytes], list[int] | None]:
    """All items of the pack that begins with delivery `first`, and their tags. Raises DamagedPayloadError."""
    try:
        return unpack(blob)
    except _DAMAGE_ERRORS as error:
        raise DamagedPayloadError([first]) from error


def unpack_tagged_items(blob: bytes, ids: Sequence[int], first: int, tags: Sequence[int]) -> dict[int, bytes] | None:
    """As `unpack_items`, for ascending ids whose tags are known.

    None if the tags of the pack differ or are missing: `unpack_items` then finds the damaged ones.
    """
    if ids[0] < first:
        raise DamagedPayloadError(ids)
    start, end = ids[0] - first, ids[-1] - first + 1
    positions = range(start, end) if end - start == len(ids) else [delivery_id - first for delivery_id in ids]
    try:
        items, stored_tags = unpack(blob, positions)
    except _DAMAGE_ERRORS as error:
        raise DamagedPayloadError(ids) from error
    return dict(zip(ids, items, strict=True)) if stored_tags == tags else None


def message_id_tags(environment: str, message_ids: Sequence[bytes]) -> list[int]:
    """The tags of deliveries of one environment by their message ids, encoded as `owner_tag` does."""
    seed = zlib.crc32(_encode_text(environment))
    return [zlib.crc32(message_id, seed) for message_id in message_ids]


def _is_body_of(body: bytes, message_id: str) -> bool:
    """Whether this can be the body of the delivery, as far as that can be checked without a checksum.

    Checks its members, its message id and its encoding; pack and zstd have checked its length. A changed letter or
    digit within a value is not detected.
    """
    if not body:
        return True
    try:
        body.decode()  # msgspec does not check the encoding of what it skips
        return _encode_text(_call(body).message_id) == _encode_text(message_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
