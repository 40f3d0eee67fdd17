"""Which delivery stands for an identity: two tables of 64-bit keys, the smaller merged into the larger in key order."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from itertools import chain, count

from sprig_tui.journal.identity import KNOWN, MASK, Known, key_of, known_of
from sprig_tui.journal.records import Entry
from sprig_tui.journal.sqlite.rows import insert, numbers_text

_MERGE_AT = 65_536
"""Keys in `recent_ids` at which it is merged: its B-tree then still fits few pages."""


def lookup(connection: sqlite3.Connection, keys: Collection[int]) -> dict[int, Known]:
    """What stands at these keys."""
    wanted = numbers_text(sorted(keys))
    found = connection.execute(
        "SELECT key, delivery FROM recent_ids WHERE key IN (SELECT value FROM json_each(?1)) "
        "UNION ALL SELECT key, delivery FROM ids WHERE key IN (SELECT value FROM json_each(?1))",
        (wanted,),
    ).fetchall()
    known = {}
    for key, delivery_id in found:
        row = connection.execute(
            f"SELECT {KNOWN} FROM deliveries d JOIN environments e ON e.id = d.environment WHERE d.id = ?",
            (delivery_id,),
        ).fetchone()
        if row is not None:
            known[key] = known_of(row)
    return known


class Identities:
    """The identities that one `add` asks for, with what it adds itself on top of what is stored."""

    def __init__(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        self._connection = connection
        self._keys = [key_of(entry.environment, entry.message_id) for entry in entries]
        self._asked = set(self._keys)
        self._known = lookup(connection, self._asked)
        self._fresh: dict[int, int] = {}
        self._moved: dict[int, int] = {}
        self.all_new = not self._known and len(self._asked) == len(self._keys)
        """Whether none is stored and none is asked for twice: then nothing needs deciding."""

    def put_all(self, first_id: int) -> None:
        """With `all_new`: they are stood for by the deliveries from `first_id` on, in order."""
        self._fresh = dict(zip(self._keys, count(first_id), strict=False))

    def find(self, environment: str, message_id: str) -> Known | None:
        """The delivery that stands for this identity."""
        return self._known.get(self._probe(environment, message_id))

    def put(self, known: Known) -> None:
        """This delivery stands for its identity from now on."""
        key = self._probe(known.environment, known.message_id)
        if key in self._known and key not in self._fresh:
            self._moved[key] = known.id
        else:
            self._fresh[key] = known.id
        self._known[key] = known

    def _probe(self, environment: str, message_id: str) -> int:
        key = key_of(environment, message_id)
        while True:
            if key not in self._asked:
                self._asked.add(key)
                self._known.update(lookup(self._connection, [key]))
            there = self._known.get(key)
            if there is None or (there.message_id == message_id and there.environment == environment):
                return key
            key = (key + 1) & MASK

    def save(self) -> None:
        """Write what was put."""
        # in key order, so that each page of the table is come to once
        insert(self._connection, "recent_ids", "(?, ?)", list(chain.from_iterable(sorted(self._fresh.items()))))
        for key, delivery_id in self._moved.items():
            for table in ("recent_ids", "ids"):
                self._connection.execute(
                    f"UPDATE {table} SET delivery = ? WHERE key = ?",
                    (delivery_id, key),
                )


def merge(connection: sqlite3.Connection, *, at: int = _MERGE_AT) -> None:
    """Move `recent_ids` into `ids` once it has `at` keys."""
    if connection.execute("SELECT count(*) FROM recent_ids").fetchone()[0] >= at:
        connection.execute("INSERT INTO ids SELECT key, delivery FROM recent_ids ORDER BY key")
        connection.execute("DELETE FROM recent_ids")
