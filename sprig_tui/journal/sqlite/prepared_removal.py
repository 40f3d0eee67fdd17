"""Prepared removal: deliveries of a stretch of ids whose tombstones are stored before they are removed.

Tombstones are in the order of hashes. By the order of the deliveries each row would write a page of its own; for many
at once in the order of the keys a page is written once.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from itertools import compress

import msgspec

from sprig_tui.journal.dedup import identity_key, own_keys
from sprig_tui.journal.maintenance import prune_result
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.sqlite import maintenance
from sprig_tui.journal.sqlite.identity_index import drop_identities
from sprig_tui.journal.sqlite.tables import decode_ids, encode_ids, execute_for_ids, update_counts
from sprig_tui.journal.sqlite.tombstone_records import make_records
from sprig_tui.journal.sqlite.tombstones import drop_left_by_killed, drop_tombstones
from sprig_tui.journal.tombstones import make_fingerprints

_decode_texts = msgspec.json.Decoder(list[str]).decode


class PreparedRemoval:
    """What is to be removed of the ids from `first` to `last`."""

    def __init__(self, before: int, first: int, last: int) -> None:
        """`before`: the time, ms, before which a delivery must have ended."""
        self.before = before
        self.first = first
        self.last = last
        self.ids = array("q")
        """The deliveries to remove, ascending."""
        self._standings = array("q")
        """The standing of each when it was prepared."""
        self._records: list[bytes] = []
        """Tombstones of most of them."""
        self._keys: dict[int, int] = {}
        """Keys of those that leave no tombstone, by delivery: they may be added again at once."""

    def add(self, connection: sqlite3.Connection, first: int, last: int) -> None:
        """Prepare the deliveries from `first` to `last`, in ascending stretches; to be called on a reader."""
        found = maintenance.ended_columns(connection, self.before, first, last)
        if found is None:
            return
        ids, standings, leaves, minutes, updated = map(decode_ids, found[:5])
        message_ids, digests, question_ids, reasons = map(_decode_texts, found[5:])
        places = maintenance.read_places(connection)
        ends = {standing: maintenance.place_and_state(standing) for standing in set(standings)}
        numbers, states = [ends[one][0] for one in standings], [ends[one][1] for one in standings]
        names = [places[number][0] for number in numbers]
        keys = own_keys(message_ids) or [*map(identity_key, names, message_ids)]
        elsewhere = {number for number, (_, endpoint) in places.items() if endpoint}
        stay = [leave and number not in elsewhere for leave, number in zip(leaves, numbers, strict=True)]
        fingerprints = make_fingerprints(
            compress(names, stay),
            compress(message_ids, stay),
            compress(digests, stay),
            compress(question_ids, stay),
            compress(updated, stay),
            compress(zip(states, reasons, strict=True), stay),
        )
        if (in_order := sorted(ids)) != ids:
            standing_of = dict(zip(ids, standings, strict=True))
            standings = [standing_of[one] for one in in_order]
        self.ids.extend(in_order)
        self._standings.extend(standings)
        self._records += make_records(
            compress(keys, stay), compress(numbers, stay), compress(minutes, stay), fingerprints
        )
        if len(fingerprints) < len(ids):
            none_left = [not one for one in stay]
            self._keys.update(zip(compress(ids, none_left), compress(keys, none_left), strict=True))

    def take_tombstones(self) -> bytes:
        """Their records in the order of the keys; they are held no longer."""
        records, self._records = self._records, []
        records.sort()
        return b"".join(records)

    def remove(self, connection: sqlite3.Connection, start: int, end: int) -> PruneResult:
        """Remove those of the deliveries at these positions of `ids` that are what they were when they were prepared.

        Identities with a tombstone stay for now, as a key without a delivery is none.
        """
        ids, prepared = self.ids[start:end], self._standings[start:end]
        among = f"{maintenance.FROM_ENDED} AND {{among}}"
        standings, size = execute_for_ids(
            connection,
            f"SELECT json_group_array({maintenance.STANDING}), sum(d.size) {among}",
            (self.before,),
            ids,
            column="d.id",
        ).fetchone()
        found = Counter(decode_ids(standings))
        if found != Counter(prepared):
            rows = execute_for_ids(
                connection,
                f"SELECT d.id, {maintenance.STANDING}, d.size {among}",
                (self.before,),
                ids,
                column="d.id",
            ).fetchall()
            was = dict(zip(ids, prepared, strict=True))
            rows = sorted(row for row in rows if was[row[0]] == row[1])
            ids, size = array("q", [row[0] for row in rows]), sum(row[2] for row in rows)
            found = Counter(row[1] for row in rows)
        if not ids:
            return PruneResult({}, 0)
        keys = {one: self._keys[one] for one in ids if one in self._keys} if self._keys else {}
        if keys:
            drop_left_by_killed(connection, keys.values(), keys)
            drop_identities(connection, list(keys.values()), list(keys))
        maintenance.delete_rows(connection, ids)
        gone: Counter[tuple[int, int]] = Counter()
        for standing, number in found.items():
            gone[maintenance.place_and_state(standing)] -= number
        update_counts(connection, gone)
        maintenance.blank_removed(connection, ids[0], ids[-1])
        result = prune_result([(state, -number, 0) for (_, state), number in gone.items()])
        return PruneResult(result.by_state, int(size))

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
