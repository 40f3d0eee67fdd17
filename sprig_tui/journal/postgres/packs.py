"""Payloads packed by stretch of ids, as on SQLite: `packs.first` is the id of the first, the rest follow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import asyncpg

from sprig_tui.journal.packing import DamagedPayloadError, items

_OF = (
    " FROM packs WHERE first IN (SELECT (SELECT max(first) FROM packs WHERE first <= id) FROM unnest($1::bigint[]) id)"
)


async def bodies(connection: asyncpg.Connection, ids: Sequence[int]) -> list[bytes]:
    """The bodies of these deliveries, in the order of `ids`. Raises DamagedPayloadError."""
    packs = await connection.fetch("SELECT first, bodies" + _OF, ids)
    found = _unpacked([(row[0], row[1]) for row in packs], ids)
    return [found[delivery_id] for delivery_id in ids]


async def payloads(connection: asyncpg.Connection, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """(raw, body) of these deliveries; each pack is unpacked once. Raises DamagedPayloadError."""
    packs = await connection.fetch("SELECT first, raws, bodies" + _OF, ids)
    raws = _unpacked([(row[0], row[1]) for row in packs], ids)
    calls = _unpacked([(row[0], row[2]) for row in packs], ids)
    return {delivery_id: (raws[delivery_id], calls[delivery_id]) for delivery_id in ids}


def _unpacked(packs: list[tuple[int, bytes]], ids: Sequence[int]) -> dict[int, bytes]:
    packs.sort()
    firsts = [first for first, _ in packs]
    wanted: dict[int, list[int]] = {}
    for delivery_id in ids:
        at = bisect_right(firsts, delivery_id) - 1
        if at < 0:
            raise DamagedPayloadError([delivery_id])
        wanted.setdefault(at, []).append(delivery_id)
    found: dict[int, bytes] = {}
    for at, there in wanted.items():
        first, blob = packs[at]
        found.update(zip(there, items(blob, there, first), strict=True))
    return found
