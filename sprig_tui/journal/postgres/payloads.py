"""Payloads in packs of consecutive deliveries, as on SQLite: `packs.first` is the id of the first one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import asyncpg

from sprig_tui.journal.content import without_items
from sprig_tui.journal.payload_codec import DamagedPayloadError, message_id_tags, unpack_items, unpack_tagged_items

# The pack in which each run of ids begins, and those that begin within it: a claim is mostly one run, and looking up
# each id separately costs as much as the claim.
_FROM_PACKS_OF_IDS = (
    " FROM packs WHERE first IN (SELECT (SELECT max(first) FROM packs WHERE first <= low) FROM unnest($1::bigint[]) low"
    " UNION ALL SELECT p.first FROM unnest($1::bigint[], $2::bigint[]) AS run(low, high)"
    " CROSS JOIN LATERAL (SELECT first FROM packs WHERE first > low AND first <= high ORDER BY first) p)"
)

# The owners are one more row without a pack, with the message ids in one text ordered by id: this needs no other round
# trip, and rows or arrays would cost as much as the rest of the claim. The name is NULL for several environments.
_BODIES_AND_OWNERS = (
    "SELECT first, bodies, NULL::text, NULL::text" + _FROM_PACKS_OF_IDS + " UNION ALL SELECT NULL, NULL, e.name, d.told"
    " FROM (SELECT string_agg(message_id, E'\\n' ORDER BY id) AS told, min(environment) AS low,"
    " max(environment) AS high FROM deliveries WHERE id = ANY ($3::bigint[])) d"
    " LEFT JOIN environments e ON e.id = d.low AND e.id = d.high"
)


async def read_bodies(connection: asyncpg.Connection, ids: Sequence[int]) -> list[bytes]:
    """The bodies of these deliveries, in the order of `ids`. Raises DamagedPayloadError with all damaged ones."""
    bodies = None
    try:
        rows = await connection.fetch(_BODIES_AND_OWNERS, *_id_runs(ids), list(ids))
    except asyncpg.InternalServerError:
        # a page of the server is damaged: read the packs one by one
        packs = await _read_intact_packs(connection, ids)
    else:
        packs = sorted((row[0], row[1]) for row in rows if row[0] is not None)
        name, message_ids = next((row[2], row[3]) for row in rows if row[0] is None)
        if name is not None:
            bodies = _tagged(packs, sorted(ids), message_id_tags(name, message_ids.encode().split(b"\n")))
    if bodies is None:
        bodies = _unpack_all(packs, ids, await _read_owners(connection, ids))
    return [bodies[delivery_id] for delivery_id in ids]


def _tagged(packs: list[tuple[int, bytes]], ids: list[int], tags: list[int]) -> dict[int, bytes] | None:
    """The bodies of these deliveries (all ascending) by their tags; None if they have to be checked one by one."""
    starts = [bisect_left(ids, first) for first, _ in packs]
    if len(tags) != len(ids) or not starts or starts[0]:
        return None
    bodies: dict[int, bytes] = {}
    for (first, blob), (start, end) in zip(packs, pairwise([*starts, len(ids)]), strict=True):
        if start == end:
            continue
        try:
            pack_bodies = unpack_tagged_items(blob, ids[start:end], first, tags[start:end])
        except DamagedPayloadError:
            return None
        if pack_bodies is None:
            return None
        bodies |= pack_bodies
    return bodies


async def _read_intact_packs(connection: asyncpg.Connection, ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """The readable packs of these deliveries, and an empty one in place of each other."""
    packs: dict[int, bytes] = {}
    for delivery_id in sorted(ids):
        try:
            rows = await connection.fetch("SELECT first, bodies" + _FROM_PACKS_OF_IDS, [delivery_id], [delivery_id])
        except asyncpg.InternalServerError:
            packs[delivery_id] = b""
        else:
            packs |= {row[0]: row[1] for row in rows}
    return list(packs.items())


async def read_payloads(connection: asyncpg.Connection, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """(raw, body) of these deliveries by id; each pack is unpacked once. Raises DamagedPayloadError."""
    owners = await _read_owners(connection, ids)
    packs = await connection.fetch("SELECT first, raws, bodies" + _FROM_PACKS_OF_IDS, *_id_runs(ids))
    raws = _unpack_all([(row[0], row[1]) for row in packs], ids, None)
    calls = _unpack_all([(row[0], row[2]) for row in packs], ids, owners)
    return {delivery_id: (raws[delivery_id], calls[delivery_id]) for delivery_id in ids}


async def pack_firsts(connection: asyncpg.Connection, first: int, last: int) -> list[int]:
    """First ids of the packs from the one of delivery `first` to the one of `last`."""
    rows = await connection.fetch(
        "SELECT first FROM packs WHERE first >= (SELECT coalesce(max(first), 0) FROM packs WHERE first <= $1)"
        " AND first <= $2 ORDER BY first",
        first,
        last,
    )
    return [row[0] for row in rows]


async def pack_end(connection: asyncpg.Connection, first: int) -> int:
    """The id after the last delivery of a pack."""
    end: int = await connection.fetchval(
        "SELECT coalesce((SELECT min(first) FROM packs WHERE first > $1), (SELECT max(id) + 1 FROM deliveries), $1)",
        first,
    )
    return end


async def blank(connection: asyncpg.Connection, first: int, gone: AbstractSet[int]) -> None:
    """Replace a pack by one without the payloads of these deliveries, and of those that have no row any more.

    Raises DamagedPayloadError.
    """
    stored = await connection.fetchrow("SELECT raws, bodies FROM packs WHERE first = $1 FOR UPDATE", first)
    if stored is None:
        return
    rows = await connection.fetch(
        "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
        " WHERE d.id >= $1 AND d.id < $2",
        first,
        await pack_end(connection, first),
    )
    owners = {row[0]: (row[1], row[2]) for row in rows}
    raws, bodies = without_items(stored[0], stored[1], first, gone, owners)
    await connection.execute("UPDATE packs SET raws = $2, bodies = $3 WHERE first = $1", first, raws, bodies)


async def _read_owners(connection: asyncpg.Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Environment and message id of each delivery."""
    rows = await connection.fetch(
        "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
        " WHERE d.id = ANY ($1::bigint[])",
        list(ids),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _id_runs(ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """First and last of each run of consecutive ids."""
    ordered = sorted(ids)
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):
        return [ordered[0]], [ordered[-1]]
    lows: list[int] = []
    highs: list[int] = []
    for delivery_id in ordered:
        if not highs or delivery_id > highs[-1] + 1:
            lows.append(delivery_id)
            highs.append(delivery_id)
        highs[-1] = delivery_id
    return lows, highs


def _unpack_all(
    packs: list[tuple[int, bytes]], ids: Sequence[int], owners: dict[int, tuple[str, str]] | None
) -> dict[int, bytes]:
    packs.sort()
    firsts = [first for first, _ in packs]
    ids_by_pack: dict[int, list[int]] = {}
    damaged: list[int] = []
    for delivery_id in ids:
        at = bisect_right(firsts, delivery_id) - 1
        if at < 0 or (owners is not None and delivery_id not in owners):
            damaged.append(delivery_id)
        else:
            ids_by_pack.setdefault(at, []).append(delivery_id)
    items: dict[int, bytes] = {}
    for at, pack_ids in ids_by_pack.items():
        first, blob = packs[at]
        try:
            items |= unpack_items(blob, pack_ids, first, owners)
        except DamagedPayloadError as error:
            damaged += error.ids
    if damaged:
        raise DamagedPayloadError(sorted(damaged))
    return items
