"""Filter of the tombstones: tells in memory that a key has none. Pure, shared by both stores.

A random key costs a page read in a large table, a third of the cost of adding an answer. So each store has, in one row
of `tombstone_filter`, a bitmap over the first bits of the keys, which are spread evenly as they are hashes; and in
further rows a log: the keys of tombstones since. Each process that adds reads the rows once, then those it has not
seen. Deleted tombstones stay in the bitmap until it is built anew, and cost a look-up.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec import Struct

_KEY_BITS = 63
_MIN_BITS = 16
_MIN_BITS_PER_KEY, _NEW_BITS_PER_KEY = 8, 12
"""With fewer than the first the bitmap is built anew with the second or more: then one new key in twelve is looked up,
later one in eight."""
_DIRECT_LOOKUPS = 4_000
"""Keys that a process looks up without the filter: fewer cost less than to read it (16 MB for 10,000,000)."""
_LOG_KEYS = 16_384, 262_144
"""Keys in the log at which it joins the bitmap: at least, and at most. Between them, a quarter of its keys."""
SCAN_KEYS = 100_000
"""Tombstones read in one step to build a bitmap."""

FILTER_COLUMNS = "seq, bits, n, checksum, content"
"""`seq` grows by random steps: a row with the last one that a process has read tells that it has read all before it,
and not those of another history, such as that of a restored backup. `bits` is 0 for a row of the log."""
FilterRow = Sequence[Any]
"""Values of FILTER_COLUMNS."""
_ANY = -1
"""In place of the bits: the filter was lost, any key may have a tombstone."""


class Bitmap:
    """The bitmap of 2 ** bits places."""

    def __init__(self, bits: int, content: bytes = b"") -> None:
        self.bits = bits
        self.content = bytearray(content) if content else bytearray(1 << (bits - 3))

    @classmethod
    def for_keys(cls, number: int) -> Bitmap:
        """An empty one for so many keys."""
        return cls(max(_MIN_BITS, (_NEW_BITS_PER_KEY * number).bit_length()))

    def add(self, keys: Iterable[int]) -> None:
        """Set the bits of these keys."""
        content, shift = self.content, _KEY_BITS - self.bits
        for key in keys:
            place = key >> shift
            content[place >> 3] |= 1 << (place & 7)

    def candidates(self, keys: Iterable[int]) -> list[int]:
        """Those keys whose bit is set."""
        content, shift = self.content, _KEY_BITS - self.bits
        byte = shift + 3
        return [key for key in keys if content[key >> byte] >> (key >> shift & 7) & 1]


class TombstoneFilter:
    """The filter as one process has read it so far."""

    def __init__(self) -> None:
        self.seq = 0
        """The last `seq` that was read; 0 for none."""
        self._bitmap: Bitmap | None = None
        self._is_lost = False
        self._direct = _DIRECT_LOOKUPS

    def is_wanted(self, number: int) -> bool:
        """Whether the filter is worth reading for so many more keys."""
        if self._bitmap is None and self._direct >= number:
            self._direct -= number
            return False
        return True

    def candidates(self, keys: Collection[int]) -> Collection[int]:
        """Those keys that may have a tombstone."""
        return keys if self._bitmap is None or self._is_lost else self._bitmap.candidates(keys)

    def follow(self, rows: Sequence[FilterRow], since: int) -> bool:
        """Apply the rows with a `seq` of `since` or more, in its order, if `since` still is `self.seq`.

        Returns False if they do not follow what was read before: then all rows are to be applied, since 0.
        """
        if since != self.seq:
            return True  # another task has read on meanwhile
        if since and not (rows and (rows[0][0] == self.seq or rows[0][1] != 0)):
            self.seq, self._bitmap, self._is_lost = 0, None, False
            return False
        new = [row for row in rows if row[0] != self.seq]
        bitmap = self._bitmap
        for row in new:
            if row[1] > 0:
                bitmap = _bitmap(row)
                self._is_lost = bitmap is None
            elif row[1] == _ANY:
                self._is_lost = True
        bitmap = bitmap or Bitmap.for_keys(sum(row[2] for row in new))
        for row in new:
            if row[1] == 0:
                keys = _logged_keys(row)
                self._is_lost = self._is_lost or keys is None
                bitmap.add(keys or ())
        self._bitmap = bitmap
        if new:
            self.seq = new[-1][0]
        return True


class FilterState(Struct, frozen=True):
    """What the rows hold."""

    seq: int
    bits: int
    """0 for no bitmap."""
    keys: int
    """In the bitmap."""
    logged: int

    @property
    def is_due(self) -> bool:
        """Whether the log should join the bitmap, or a lost filter be built."""
        least, most = _LOG_KEYS
        return self.bits == _ANY or self.logged >= min(max(least, self.keys // 4), most)

    @property
    def is_too_small(self) -> bool:
        """Whether the bitmap has to be built anew for it."""
        return self.bits <= 0 or self.keys + self.logged > (1 << self.bits) // _MIN_BITS_PER_KEY


def filter_state(rows: Sequence[Sequence[Any]]) -> FilterState | None:
    """The state of rows of (seq, bits, n), in the order of `seq`; None for none."""
    if not rows:
        return None
    lost = any(row[1] == _ANY for row in rows)
    return FilterState(
        rows[-1][0],
        _ANY if lost else max(row[1] for row in rows),
        sum(row[2] for row in rows if row[1] > 0),
        sum(row[2] for row in rows if row[1] == 0),
    )


def log_row(last_seq: int, keys: Sequence[int]) -> FilterRow:
    """The row that tells of new tombstones, after the last one."""
    return _row(last_seq, 0, len(keys), struct.pack(f"<{len(keys)}q", *keys))


def lost_row(last_seq: int) -> FilterRow:
    """The row that tells that the filter was lost."""
    return _row(last_seq, _ANY, 0, b"")


def bitmap_row(last_seq: int, bitmap: Bitmap, keys: int) -> FilterRow:
    """The row that takes the place of all others."""
    return _row(last_seq, bitmap.bits, keys, bytes(bitmap.content))


def joined_row(rows: Sequence[FilterRow]) -> FilterRow | None:
    """The bitmap of these rows with the keys of their log; None if one of them is damaged."""
    bitmap = next((_bitmap(row) for row in rows if row[1] > 0), None)
    if bitmap is None or not _add_logged(bitmap, [row for row in rows if row[1] <= 0]):
        return None
    return bitmap_row(rows[-1][0], bitmap, sum(row[2] for row in rows))


def installed_row(bitmap: Bitmap, keys: int, later: Sequence[FilterRow], since: int) -> FilterRow | None:
    """A new bitmap with the log of the rows since its scan began, when `since` was the last `seq`.

    None if they are not only a log: another bitmap was installed meanwhile.
    """
    if not _add_logged(bitmap, later):
        return None
    return bitmap_row(later[-1][0] if later else since, bitmap, keys + sum(row[2] for row in later))


def _add_logged(bitmap: Bitmap, rows: Iterable[FilterRow]) -> bool:
    for row in rows:
        if row[1] or (keys := _logged_keys(row)) is None:
            return False
        bitmap.add(keys)
    return True


def _row(last_seq: int, bits: int, keys: int, content: bytes) -> FilterRow:
    return last_seq + 1 + secrets.randbits(31), bits, keys, zlib.crc32(content), content


def _bitmap(row: FilterRow) -> Bitmap | None:
    """The bitmap in a row; None if it is not what was stored."""
    _, bits, _, checksum, content = row
    return Bitmap(bits, content) if zlib.crc32(content) == checksum and len(content) == 1 << (bits - 3) else None


def _logged_keys(row: FilterRow) -> tuple[int, ...] | None:
    """The keys in a row of the log; None if they are not what was stored."""
    _, _, number, checksum, content = row
    if zlib.crc32(content) != checksum or len(content) != 8 * number:
        return None
    return struct.unpack(f"<{number}q", content)
