"""Payloads packed by stretch of ids and compressed, as every journal stores them."""

from __future__ import annotations

import threading
import zlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import msgspec
import zstandard
from msgspec import UNSET, Struct, UnsetType

from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.records import NewDelivery

MAX_PACK_ITEMS = 1_000
MAX_PACK_BYTES = 1_200_000
"""A pack ends at the first of these; reading one payload unpacks its whole pack."""
_MIN_COMPRESS_BYTES = 256
"""Bytes under which compressing costs more than it saves."""
_MAX_UNPACKED_BYTES = 1 << 31
"""No pack unpacks to more: what claims to is damaged."""

_LEGACY_PLAIN_CODEC, _LEGACY_ZSTD_CODEC = 0x00, 0x01
"""Packs of versions before checksums."""
_PLAIN_CODEC, _ZSTD_CODEC = 0xA6, 0x5B
"""First byte of a pack; no few flipped bits make one of another."""


class _Codec(threading.local):
    """A compressor and a decompressor for each thread: they may not be shared."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_thread_codec = _Codec()


def owner_tag(environment: str, message_id: str) -> int:
    """32 bits that say whose payload it is: what is sent is this delivery's own, and goes where it was to go."""
    return zlib.crc32(_encode_text(message_id), zlib.crc32(_encode_text(environment)))


def entry_tags(entries: Sequence[NewDelivery]) -> list[int]:
    """The tags of entries, most of which are of one environment."""
    names = {entry.environment for entry in entries}
    joined = "\n".join([entry.message_id for entry in entries])
    if len(names) == 1 and joined.isascii() and "\0" not in joined and joined.count("\n") == len(entries) - 1:
        return message_id_tags(names.pop(), joined.encode().split(b"\n"))
    seeds = {name: zlib.crc32(_encode_text(name)) for name in names}
    return [zlib.crc32(_encode_text(entry.message_id), seeds[entry.environment]) for entry in entries]


def _encode_text(text: str) -> bytes:
    """A text as every journal gives it back: see postgres/texts.py."""
    told = text.encode("utf-8", "replace")
    return told.replace(b"\0", b"\xe2\x90\x80") if b"\0" in told else told


def pack(items: Sequence[bytes], tags: Sequence[int] = ()) -> bytes:
    """Items in one blob with a checksum over all of it.

    A codec byte, then (compressed from 256 bytes on) the numbers of items and tags, sizes, tags and data. A small one
    ends in its CRC-32, a compressed one in zstd's own checksum.
    """
    head = array("I", [len(items), len(tags), *map(len, items), *tags])
    plain = head.tobytes() + b"".join(items)
    if len(plain) < _MIN_COMPRESS_BYTES:
        return bytes((_PLAIN_CODEC,)) + plain + zlib.crc32(plain).to_bytes(4, "little")
    return bytes((_ZSTD_CODEC,)) + _thread_codec.compress(plain)


def unpack(blob: bytes, positions: Sequence[int]) -> tuple[list[bytes], list[int] | None]:
    """The items at these positions of a blob made by `pack`, and their tags; None for those of a version without.

    A range of positions (by ones, from 0 on) is cut out at once. Only they are copied out of it. Raises ValueError, or
    what decompressing raises, for a blob that is not what it was.
    """
    codec = blob[0]
    if codec in (_LEGACY_PLAIN_CODEC, _LEGACY_ZSTD_CODEC):
        plain = _decompress(blob) if codec == _LEGACY_ZSTD_CODEC else blob[1:]
        return _slice_items(plain, 4, array("I", plain[:4])[0], positions), None
    if codec == _ZSTD_CODEC:
        plain = _decompress(blob)
    elif codec == _PLAIN_CODEC and zlib.crc32(blob[1:-4]) == int.from_bytes(blob[-4:], "little"):
        plain = blob[1:-4]
    else:
        msg = "its checksum is another"
        raise ValueError(msg)
    count, tagged = array("I", plain[:8])
    found = _slice_items(plain, 8, count, positions, 4 * tagged)
    if not tagged:
        return found, None
    tags = array("I", plain[8 + 4 * count : 8 + 4 * count + 4 * tagged])
    if isinstance(positions, range) and positions.stop <= tagged:
        return found, tags[positions.start : positions.stop].tolist()
    return found, [tags[at] for at in positions]


def _decompress(blob: bytes) -> bytes:
    plain: bytes = _thread_codec.decompress(
        memoryview(blob)[1:], max_output_size=_MAX_UNPACKED_BYTES, allow_extra_data=False
    )
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
    """Cut items of these sizes into packs: (start, end) positions."""
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
    """What is stored for `ids` is not what was stored for them; other deliveries are well."""

    def __init__(self, ids: Sequence[int]) -> None:
        several = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        super().__init__(
            f"the stored payload of delivery {ids[0]}{several} is damaged, and is not sent",
            hint="sprig-tui journal verify says what else is; send the file it came from again, once it is pruned",
        )
        self.ids = tuple(ids)


DAMAGED_ERROR = "damaged: its stored payload is not what was stored"
"""The error of a delivery that failed for that."""


class _Call(Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """The members that a track call has in every version that stored no checksum (see segment/track.py), no others."""

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

    `owners` are environment and message id of each, for packs of bodies: one that is another's, or of a version without
    checksums and no call of this delivery, is damaged too.
    """
    if any(delivery_id < first for delivery_id in ids):
        raise DamagedPayloadError(ids)
    try:
        found, tags = unpack(blob, [delivery_id - first for delivery_id in ids])
    except (zstandard.ZstdError, ValueError, IndexError, TypeError, MemoryError, OverflowError) as error:
        raise DamagedPayloadError(ids) from error
    if owners is not None:
        fits = [
            _is_body_of(item, owners[one][1]) if tags is None else tags[at] == owner_tag(*owners[one])
            for at, (one, item) in enumerate(zip(ids, found, strict=True))
        ]
        if not all(fits):
            raise DamagedPayloadError([one for one, fit in zip(ids, fits, strict=True) if not fit])
    return dict(zip(ids, found, strict=True))


def unpack_tagged_items(blob: bytes, ids: Sequence[int], first: int, tags: Sequence[int]) -> dict[int, bytes] | None:
    """As `unpack_items`, for ascending ids and by the tags that they have.

    None where these are not the tags of the pack, or it is of a version without: `unpack_items` says what is damaged.
    """
    if ids[0] < first:
        raise DamagedPayloadError(ids)
    start, end = ids[0] - first, ids[-1] - first + 1
    positions = range(start, end) if end - start == len(ids) else [delivery_id - first for delivery_id in ids]
    try:
        found, there = unpack(blob, positions)
    except (zstandard.ZstdError, ValueError, IndexError, TypeError, MemoryError, OverflowError) as error:
        raise DamagedPayloadError(ids) from error
    return dict(zip(ids, found, strict=True)) if there == tags else None


def message_id_tags(environment: str, message_ids: Sequence[bytes]) -> list[int]:
    """The tags of deliveries of one environment by their message ids, encoded as `owner_tag` does."""
    seed = zlib.crc32(_encode_text(environment))
    return [zlib.crc32(one, seed) for one in message_ids]


def _is_body_of(body: bytes, message_id: str) -> bool:
    """Whether it can be the body of this delivery, as far as that can be told without a checksum.

    Its members, its id and its encoding are looked at, and pack and zstd have looked at its length. A letter or a digit
    that became another within a value is not seen: nothing else that is stored says what it was.
    """
    if not body:
        return True
    try:
        body.decode()  # what is skipped while decoding JSON is not looked at
        return _encode_text(_call(body).message_id) == _encode_text(message_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
