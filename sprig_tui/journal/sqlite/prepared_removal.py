"""Prepared removal: deliveries of a stretch of ids whose tombstones are stored before they are removed.

Tombstones are in the order of hashes. By the order of the deliveries each row would write a page of its own; for many
at once in the order of the keys a page is written once.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import compress

import msgspec

from sprig_tui.journal.dedup import identity_key, own_keys
from sprig_tui.journal.maintenance import prune_result
from sprig_tui.journal.records import PruneResult
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.journal.sqlite import maintenance
from sprig_tui.journal.sqlite.identity_index import drop_identities
from sprig_tui.journal.sqlite.tables import decode_ids, encode_ids, execute_for_ids, update_counts
from sprig_tui.journal.sqlite.tombstone_records import make_records
from sprig_tui.journal.sqlite.tombstones import drop_tombstones
from sprig_tui.journal.tombstones import make_fingerprints

_decode_texts = msgspec.json.Decoder(list[str]).decode
_CODES = len(STATES_BY_CODE)


class PreparedRemoval:
    """What is to be removed of the ids from `first` to `last`."""

    def __init__(self, before: int, first: int, last: int) -> None:
        """`before`: the time, ms, before which a delivery must have ended."""
        self.before = before
        self.first = first
        self.last = last
        self.ids = array("q")
        """The deliveries to remove, ascending."""
        self._records: list[bytes] = []
        """Tombstones of most of them."""
        self._keys: dict[int, int] = {}
        """Keys of those that leave no tombstone, by delivery: they may be added again at once."""

    def add(self, connection: sqlite3.Connection, first: int, last: int) -> None:
        """Prepare the deliveries from `first` to `last`, in ascending stretches; to be called on a reader."""
        found = maintenance.ended_columns(connection, self.before, first, last)
        if found is None:
            return
        ids, numbers, states, leaves, minutes, updated = map(decode_ids, found[:6])
        message_ids, digests, question_ids, reasons = map(_decode_texts, found[6:])
        places = maintenance.read_places(connection)
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
        self.ids.extend(sorted(ids))
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

    def remove(self, connection: sqlite3.Connection, ids: Sequence[int]) -> PruneResult:
        """Remove those of these prepared deliveries that are still to be removed.

        Identities with a tombstone stay for now, as a key without a delivery is none.
        """
        if not ids:
            return PruneResult({}, 0)
        among = f"{maintenance.FROM_ENDED} AND {{among}}"
        numbers, size = execute_for_ids(
            connection,
            f"SELECT json_group_array(d.environment * {_CODES} + d.state), sum(d.size) {among}",
            (self.before,),
            ids,
            column="d.id",
        ).fetchone()
        gone = Counter({divmod(code, _CODES): -number for code, number in Counter(decode_ids(numbers)).items()})
        if not gone:
            return PruneResult({}, 0)
        if -gone.total() != len(ids):
            left = f"SELECT json_group_array(d.id) {among}"
            ids = sorted(
                decode_ids(execute_for_ids(connection, left, (self.before,), ids, column="d.id").fetchone()[0])
            )
        maintenance.delete_rows(connection, ids)
        update_counts(connection, gone)
        if keys := {one: self._keys[one] for one in ids if one in self._keys} if self._keys else {}:
            drop_identities(connection, list(keys.values()), list(keys))
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
