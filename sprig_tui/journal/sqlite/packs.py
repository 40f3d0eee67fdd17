"""Payloads packed by stretch of ids: `packs.first` is the id of the first, the rest follow without gaps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from sprig_tui.journal.packing import PACK_ITEMS, DamagedPayloadError, items


def bodies(connection: sqlite3.Connection, ids: Sequence[int]) -> list[bytes]:
    """The bodies of these deliveries, in the order of `ids`. Raises DamagedPayloadError."""
    found: dict[int, bytes] = {}
    for there, first, packed, _ in _packs(connection, ids, "bodies", "NULL"):
        found.update(zip(there, items(packed, there, first), strict=True))
    return [found[delivery_id] for delivery_id in ids]


def payloads(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """(raw, body) of these deliveries; each pack is unpacked once. Raises DamagedPayloadError."""
    found: dict[int, tuple[bytes, bytes]] = {}
    for there, first, raws, packed in _packs(connection, ids, "raws", "bodies"):
        pairs = zip(items(raws, there, first), items(packed, there, first), strict=True)
        found.update(zip(there, pairs, strict=True))
    return found


def payload(connection: sqlite3.Connection, delivery_id: int) -> tuple[bytes, bytes]:
    """(raw, body) of one delivery. Raises DamagedPayloadError."""
    return payloads(connection, [delivery_id])[delivery_id]


def _packs(
    connection: sqlite3.Connection, ids: Sequence[int], one: str, other: str
) -> Iterator[tuple[list[int], int, bytes, bytes]]:
    """(ids in it, its first id, one column, the other) of each pack that holds some of these."""
    left = sorted(set(ids))
    at = 0
    while at < len(left):
        # a delivery keeps its pack: the one that begins at it or nearest before it
        row = connection.execute(
            f"SELECT first, {one}, {other}, coalesce((SELECT min(after.first) FROM packs after"
            " WHERE after.first > packs.first), ?) FROM packs WHERE first <= ? ORDER BY first DESC LIMIT 1",
            (left[-1] + 1, left[at]),
        ).fetchone()
        if row is None:
            raise DamagedPayloadError(left[at : at + 1])
        there = [delivery_id for delivery_id in left[at : at + PACK_ITEMS] if delivery_id < row[3]]
        yield there, row[0], row[1], row[2]
        at += len(there)
