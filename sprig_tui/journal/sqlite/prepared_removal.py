"""Prepared removal: deliveries of a stretch of ids whose tombstones are stored before they are removed.

Tombstones and identities are in the order of hashes. By the order of the deliveries each row would write a page of its
own; for many at once in the order of the keys a page is written once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.maintenance import prune_result
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.sqlite import maintenance
from sprig_tui.journal.sqlite.identity_index import drop_identities
from sprig_tui.journal.sqlite.tables import decode_ids, encode_ids, execute_for_ids, update_counts
from sprig_tui.journal.sqlite.tombstones import TombstoneRow, drop_tombstones, tombstone_row
from sprig_tui.journal.tombstones import removed_identity


class PreparedRemoval:
    """What is to be removed of the ids from `first` to `last`."""

    def __init__(self, before: int, first: int, last: int) -> None:
        """`before`: the time, ms, before which a delivery must have ended."""
        self.before = before
        self.first = first
        self.last = last
        self.ids: list[int] = []
        """The deliveries to remove, ascending."""
        self.tombstones: list[TombstoneRow] = []
        """Of most of them."""
        self._keys: dict[int, int] = {}
        """Keys of those that leave no tombstone, by delivery: they may be added again at once."""

    def add(self, connection: sqlite3.Connection, first: int, last: int) -> None:
        """Prepare the deliveries from `first` to `last`; to be called on a reader."""
        places = maintenance.read_places(connection)
        for row in maintenance.ended_rows(connection, self.before, first, last):
            name, endpoint = places[row[3]]
            self.ids.append(row[0])
            if row[5] and not endpoint:
                self.tombstones.append(tombstone_row(removed_identity(row[0], name, row[1], row[6:]), row[3], row[4]))
            else:
                self._keys[row[0]] = identity_key(name, row[6])

    def remove(self, connection: sqlite3.Connection, ids: Sequence[int]) -> PruneResult:
        """Remove those of these prepared deliveries that are still to be removed.

        Identities with a tombstone stay for now, as a key without a delivery is none.
        """
        if not ids:
            return PruneResult({}, 0)
        rows = execute_for_ids(
            connection,
            "SELECT d.environment, d.state, count(*), sum(d.size), json_group_array(d.id)"
            f" {maintenance.FROM_ENDED} AND {{among}} GROUP BY d.environment, d.state",
            (self.before,),
            ids,
            column="d.id",
        ).fetchall()
        if not rows:
            return PruneResult({}, 0)
        if sum(row[2] for row in rows) != len(ids):
            ids = sorted(delivery_id for row in rows for delivery_id in decode_ids(row[4]))
        maintenance.delete_rows(connection, ids)
        update_counts(connection, {(row[0], row[1]): -row[2] for row in rows})
        if keys := {one: self._keys[one] for one in ids if one in self._keys}:
            drop_identities(connection, list(keys.values()), list(keys))
        maintenance.blank_removed(connection, ids[0], ids[-1])
        return prune_result([row[1:] for row in rows])

    def drop_kept(self, connection: sqlite3.Connection) -> None:
        """Delete the tombstones of prepared deliveries that were not removed, such as those that were queued again.

        What another process removed meanwhile keeps its tombstone.
        """
        left = decode_ids(
            connection.execute(
                "SELECT json_group_array(id) FROM deliveries WHERE id BETWEEN ? AND ?", (self.first, self.last)
            ).fetchone()[0]
        )
        kept = sorted({*left}.intersection(self.ids) - self._keys.keys())
        if kept:
            rows = connection.execute(
                "SELECT e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                " WHERE d.id IN (SELECT value FROM json_each(?))",
                (encode_ids(kept),),
            ).fetchall()
            drop_tombstones(connection, [identity_key(*row) for row in rows])
