"""Payloads in packs of consecutive deliveries: `packs.first` is the id of the first one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.content import without_items
from sprig_tui.journal.payload_codec import (
    MAX_PACK_ITEMS,
    DamagedPayloadError,
    message_id_tags,
    unpack_items,
    unpack_tagged_items,
)
from sprig_tui.journal.sqlite.errors import is_damage
from sprig_tui.journal.sqlite.tables import JournalConnection, execute_for_ids

_decode_owners = msgspec.json.Decoder(list[tuple[int, str, str]]).decode


def read_bodies(connection: sqlite3.Connection, ids: Sequence[int], environment: str) -> list[bytes]:
    """The bodies of these deliveries of one environment, in the order of `ids`.

    Raises DamagedPayloadError with all damaged ones.
    """
    tags = _read_tags(connection, ids, environment)
    bodies: dict[int, bytes] = {}
    damaged: list[int] = []
    position = 0
    for pack_ids, pack in _iter_packs(connection, ids, "bodies", "NULL"):
        pack_tags = tags[position : position + len(pack_ids)]
        position += len(pack_ids)
        if pack is None:
            damaged += pack_ids
            continue
        try:
            pack_bodies = unpack_tagged_items(pack[1], pack_ids, pack[0], pack_tags) if pack_tags else None
            bodies |= (
                unpack_items(pack[1], pack_ids, pack[0], _read_owners(connection, pack_ids))
                if pack_bodies is None
                else pack_bodies
            )
        except DamagedPayloadError as error:
            damaged += error.ids
    if damaged:
        raise DamagedPayloadError(damaged)
    return [bodies[delivery_id] for delivery_id in ids]


def _read_tags(connection: sqlite3.Connection, ids: Sequence[int], environment: str) -> list[int]:
    """The tags of these deliveries in the order of their ids; empty if they have to be computed one by one.

    Without an index SQLite returns the rows by id. If it ever did not, the tags would not match and be computed one by
    one; a sorted subquery would take half as long again.
    """
    try:
        row = execute_for_ids(
            connection,
            "SELECT group_concat(message_id, '\n'), min(environment), max(environment) FROM deliveries NOT INDEXED"
            " WHERE {among}",
            (),
            ids,
        ).fetchone()
        name = connection.execute("SELECT name FROM environments WHERE id = ?", (row[1],)).fetchone()
        message_ids = row[0].encode().split(b"\n")
    except (sqlite3.DatabaseError, UnicodeError, AttributeError):
        return []
    if name is not None and name[0] != environment:
        raise DamagedPayloadError(ids)  # they would be sent to another environment
    if name is None or row[1] != row[2] or len(message_ids) != len(ids):
        return []
    return message_id_tags(environment, message_ids)


def read_payloads(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """(raw, body) of these deliveries by id; each pack is unpacked once. Raises DamagedPayloadError."""
    owners = _read_owners(connection, ids)
    payloads: dict[int, tuple[bytes, bytes]] = {}
    for pack_ids, pack in _iter_packs(connection, ids, "raws", "bodies"):
        if pack is None:
            raise DamagedPayloadError(pack_ids)
        first, raws, packed = pack
        bodies = unpack_items(packed, pack_ids, first, owners)
        payloads |= {
            delivery_id: (raw, bodies[delivery_id]) for delivery_id, raw in unpack_items(raws, pack_ids, first).items()
        }
    return payloads


def pack_firsts(connection: sqlite3.Connection, first: int, last: int) -> list[int]:
    """First ids of the packs from the one of delivery `first` to the one of `last`."""
    rows = connection.execute(
        "SELECT first FROM packs WHERE first >= (SELECT coalesce(max(first), 0) FROM packs WHERE first <= ?)"
        " AND first <= ? ORDER BY first",
        (first, last),
    ).fetchall()
    return [row[0] for row in rows]


def pack_end(connection: sqlite3.Connection, first: int) -> int:
    """The id after the last delivery of a pack."""
    row = connection.execute(
        "SELECT coalesce(min(first), (SELECT next_id FROM sequence)) FROM packs WHERE first > ?", (first,)
    ).fetchone()
    return int(row[0])


class BlankedPack(Struct, frozen=True):
    """A pack without some payloads, and what it was made of."""

    before: tuple[bytes, bytes] | None
    """Records and calls as they are stored; None where there is no pack."""
    with_rows: frozenset[int]
    """Deliveries of the pack that have a row."""
    gone: frozenset[int]
    after: tuple[bytes, bytes] = (b"", b"")


def blank_pack(
    connection: sqlite3.Connection, first: int, gone: AbstractSet[int], prepared: BlankedPack | None = None
) -> BlankedPack:
    """A pack without the payloads of these deliveries, and of those that have no row any more.

    `prepared` is returned if it is still right, which costs a reader's time and none under the lock. Raises
    DamagedPayloadError.
    """
    stored = connection.execute("SELECT raws, bodies FROM packs WHERE first = ?", (first,)).fetchone()
    end = pack_end(connection, first)
    ids = connection.execute("SELECT id FROM deliveries WHERE id >= ? AND id < ?", (first, end)).fetchall()
    with_rows = frozenset(row[0] for row in ids)
    made_of = BlankedPack(stored, with_rows, frozenset(gone))
    if stored is None or (prepared is not None and replace(prepared, after=(b"", b"")) == made_of):
        return prepared or made_of
    owners = {
        row[0]: (row[1], row[2])
        for row in connection.execute(
            "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
            " WHERE d.id >= ? AND d.id < ?",
            (first, end),
        ).fetchall()
    }
    return replace(made_of, after=without_items(stored[0], stored[1], first, gone, owners))


def blank(
    connection: sqlite3.Connection, first: int, gone: AbstractSet[int], prepared: BlankedPack | None = None
) -> None:
    """Store the pack that `blank_pack` returns. Raises DamagedPayloadError."""
    pack = blank_pack(connection, first, gone, prepared)
    if pack.before is not None and pack.after != pack.before:
        connection.execute("UPDATE packs SET raws = ?, bodies = ? WHERE first = ?", (*pack.after, first))


def read_payload(connection: sqlite3.Connection, delivery_id: int) -> tuple[bytes, bytes]:
    """(raw, body) of one delivery. Raises DamagedPayloadError."""
    return read_payloads(connection, [delivery_id])[delivery_id]


def _read_owners(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Environment and message id of each, fetched as one JSON value: each row would acquire the GIL."""
    if not ids:
        return {}
    try:
        owners = _owners_json(connection, ids)
    except sqlite3.DatabaseError as error:
        if not is_damage(error) or not isinstance(connection, JournalConnection):
            raise
        connection.is_damaged = True
        owners = _owners_json(connection, ids)
    try:
        return {row[0]: (row[1], row[2]) for row in _decode_owners(owners)}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedPayloadError(ids) from error


def _owners_json(connection: sqlite3.Connection, ids: Sequence[int]) -> str:
    owners: str = execute_for_ids(
        connection,
        "SELECT json_group_array(json_array(id, name, message_id)) FROM (SELECT d.id, e.name, d.message_id"
        " FROM deliveries d JOIN environments e ON e.id = d.environment WHERE d.{among})",
        (),
        ids,
    ).fetchone()[0]
    return owners


def _iter_packs(
    connection: sqlite3.Connection, ids: Sequence[int], column: str, other_column: str
) -> Iterator[tuple[list[int], tuple[int, bytes, bytes] | None]]:
    """(ids in the pack, (its first id, one column, the other)) of each pack that contains some of these deliveries.

    None in place of a pack that is missing or damaged.
    """
    left = sorted(set(ids))
    at = 0
    while at < len(left):
        # the pack of a delivery is the one with the largest first id up to its own
        try:
            row = connection.execute(
                f"SELECT first, {column}, {other_column}, coalesce((SELECT min(after.first) FROM packs after"
                " WHERE after.first > packs.first), ?) FROM packs WHERE first <= ? ORDER BY first DESC LIMIT 1",
                (left[-1] + 1, left[at]),
            ).fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            row = None
        if row is None:
            yield left[at : at + 1], None
            at += 1
            continue
        pack_ids = [delivery_id for delivery_id in left[at : at + MAX_PACK_ITEMS] if delivery_id < row[3]]
        if not pack_ids:  # only in a damaged file
            yield left[at : at + 1], None
            at += 1
            continue
        yield pack_ids, (row[0], row[1], row[2])
        at += len(pack_ids)
