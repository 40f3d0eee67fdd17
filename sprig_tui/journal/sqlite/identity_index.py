"""Identity index: two tables of 64-bit keys; the smaller one is merged into the larger one in key order."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, count

from sprig_tui.journal.dedup import (
    IDENTITY_COLUMNS,
    KEY_MASK,
    StoredIdentity,
    identity_from_row,
    identity_key,
    identity_keys,
)
from sprig_tui.journal.records import NewDelivery
from sprig_tui.journal.sqlite.tables import JournalConnection, encode_ids, insert_rows
from sprig_tui.journal.sqlite.tombstones import find_tombstones
from sprig_tui.journal.tombstones import Tombstone

_MERGE_AT_KEYS = 65_536
"""Number of keys in `recent_ids` at which it is merged, while its B-tree has few pages."""
_MERGE_PARTS = 16
"""Transactions of a merge."""


_FIND_KEYS = (
    "WITH wanted AS (SELECT value FROM json_each(?))"
    " SELECT key, delivery FROM wanted CROSS JOIN recent_ids ON key = value"
    " UNION ALL SELECT key, delivery FROM wanted CROSS JOIN ids ON key = value"
)
"""The keys are decoded once for both tables, and looked up in their order."""

_FIND_MERGED = (
    "WITH wanted AS (SELECT value FROM json_each(?)) SELECT 1 FROM wanted CROSS JOIN ids ON key = value LIMIT 1"
)


def _are_merged(connection: sqlite3.Connection, keys: Collection[int]) -> bool:
    """Whether one of these keys is in `ids`."""
    if connection.execute("SELECT 1 FROM ids LIMIT 1").fetchone() is None:
        return False
    return connection.execute(_FIND_MERGED, (encode_ids(sorted(keys)),)).fetchone() is not None


_REPLACE = " ON CONFLICT(key) DO UPDATE SET delivery = excluded.delivery"
"""A key of a removed delivery, which a killed prune left, is replaced."""


def find_identities(connection: sqlite3.Connection, keys: Collection[int]) -> dict[int, StoredIdentity]:
    """The stored identities with these keys."""
    rows = connection.execute(_FIND_KEYS, (encode_ids(sorted(keys)),)).fetchall()
    identities = {}
    for key, delivery_id in rows:
        row = connection.execute(
            f"SELECT {IDENTITY_COLUMNS} FROM deliveries d JOIN environments e ON e.id = d.environment WHERE d.id = ?",
            (delivery_id,),
        ).fetchone()
        if row is not None:
            identities[key] = identity_from_row(row)
    return identities


class IdentityIndex:
    """Identities that one `add` looks up, including those that it adds itself."""

    def __init__(self, connection: sqlite3.Connection, entries: Sequence[NewDelivery]) -> None:
        self._connection = connection
        self._keys = identity_keys(entries)
        self._looked_up: set[int] = set()
        self._stored: dict[int, StoredIdentity | Tombstone] = {}
        self._new: dict[int, int] = {}
        self._taken_over: dict[int, int] = {}

    def add_all_new(self, first_id: int) -> bool:
        """Store the identities for the deliveries from `first_id` on, in order, if all are new.

        False if one is stored or occurs twice; then all are looked up. `recent_ids` is not searched first: inserting
        tells as much. Those that were inserted belong to new entries, for which `save` stores them again.
        """
        connection, keys = self._connection, self._keys
        unique = set(keys)
        if len(unique) == len(keys) and not _are_merged(connection, keys) and not find_tombstones(connection, unique):
            values = list(chain.from_iterable(sorted(zip(keys, count(first_id), strict=False))))
            added = insert_rows(connection, "recent_ids(key, delivery)", "(?, ?)", values, " ON CONFLICT DO NOTHING")
            if added == len(keys):
                return True
        self._looked_up = unique
        self._look_up(unique)
        return False

    def find(self, environment: str, message_id: str, entry: NewDelivery | None = None) -> StoredIdentity | None:
        """The delivery that holds this identity, or held it and was removed; compared with an entry of its own."""
        stored = self._stored.get(self._probe_key(environment, message_id))
        return stored.identity(environment, message_id, entry) if isinstance(stored, Tombstone) else stored

    def put(self, identity: StoredIdentity) -> None:
        """Let this delivery hold its identity."""
        key = self._probe_key(identity.environment, identity.message_id)
        if key not in self._new and isinstance(self._stored.get(key), StoredIdentity):
            self._taken_over[key] = identity.id
        else:
            self._new[key] = identity.id
        self._stored[key] = identity

    def _probe_key(self, environment: str, message_id: str) -> int:
        key = identity_key(environment, message_id)
        while True:
            if key not in self._looked_up:
                self._looked_up.add(key)
                self._look_up({key})
            stored = self._stored.get(key)
            # a tombstone takes no place: of two removed identities with one key, the later one stays known
            if not isinstance(stored, StoredIdentity):
                return key
            if stored.message_id == message_id and stored.environment == environment:
                return key
            key = (key + 1) & KEY_MASK

    def _look_up(self, keys: AbstractSet[int]) -> None:
        held = find_identities(self._connection, keys)
        self._stored.update(find_tombstones(self._connection, keys - held.keys() if held else keys))
        self._stored.update(held)

    def save(self) -> None:
        """Store the new and the changed identities."""
        # in key order, so that each page of the table is written once
        values = list(chain.from_iterable(sorted(self._new.items())))
        insert_rows(self._connection, "recent_ids(key, delivery)", "(?, ?)", values, _REPLACE)
        for key, delivery_id in self._taken_over.items():
            for table in ("recent_ids", "ids"):
                self._connection.execute(
                    f"UPDATE {table} SET delivery = ? WHERE key = ?",
                    (delivery_id, key),
                )


def drop_identities(connection: sqlite3.Connection, keys: Sequence[int], ids: Sequence[int]) -> None:
    """Delete the identities with these keys that these removed deliveries hold."""
    values = (encode_ids(keys), encode_ids(ids))
    among = "IN (SELECT value FROM json_each(?))"
    for table in ("recent_ids", "ids"):
        # by key and by delivery: an identity that another delivery took over is kept
        connection.execute(f"DELETE FROM {table} WHERE key {among} AND delivery {among}", values)


_IS_REMOVED = "delivery <= ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = delivery)"
"""Condition on an identity of one of these deliveries, which another one has not taken over."""


def drop_recent_removed(connection: sqlite3.Connection, last: int) -> None:
    """Delete identities of removed deliveries up to `last` that are not merged yet."""
    connection.execute(f"DELETE FROM recent_ids WHERE {_IS_REMOVED}", (last,))


def find_merged_removed(connection: sqlite3.Connection, after: int, number: int, last: int) -> tuple[int, bool]:
    """The last of the next merged keys above `after` (-1: none), and whether any is of a removed delivery up to `last`.

    Reads at most `number` keys.
    """
    end = connection.execute(
        "SELECT max(key) FROM (SELECT key FROM ids WHERE key > ? ORDER BY key LIMIT ?)", (after, number)
    ).fetchone()[0]
    if end is None:
        return -1, False
    found = f"SELECT EXISTS(SELECT 1 FROM ids WHERE key > ? AND key <= ? AND {_IS_REMOVED})"
    return end, bool(connection.execute(found, (after, end, last)).fetchone()[0])


def drop_merged_removed(connection: sqlite3.Connection, after: int, end: int, last: int) -> None:
    """Delete the merged identities with keys above `after` up to `end` that are of removed deliveries up to `last`."""
    connection.execute(f"DELETE FROM ids WHERE key > ? AND key <= ? AND {_IS_REMOVED}", (after, end, last))


def merge_recent_ids(connection: sqlite3.Connection, *, at: int = _MERGE_AT_KEYS, parts: int = _MERGE_PARTS) -> None:
    """Move a part of `recent_ids` into `ids` once it has `at` keys, and the other parts with the next calls.

    They are of equal stretches of keys, so that together they write each page of `ids` once, as one merge would: in a
    journal of millions that is every page, and others wait for as long.
    """
    left = connection.unmerged_parts if isinstance(connection, JournalConnection) else []
    if not left:
        if connection.execute("SELECT count(*) FROM recent_ids").fetchone()[0] < at:
            return
        left.extend(range(parts))
        # processes that add once each would always merge the same part
        random.shuffle(left)
    width = -(-(KEY_MASK + 1) // parts)
    first = left.pop() * width
    stretch = first, min(first + width - 1, KEY_MASK)
    # a prune leaves keys of removed deliveries for a while
    connection.execute(
        "INSERT OR REPLACE INTO ids SELECT key, delivery FROM recent_ids WHERE key BETWEEN ? AND ? ORDER BY key",
        stretch,
    )
    connection.execute("DELETE FROM recent_ids WHERE key BETWEEN ? AND ?", stretch)
