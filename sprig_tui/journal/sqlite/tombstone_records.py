"""Tombstone records: many tombstones as bytes, which sort by their keys and which one statement stores.

A parameter for each value would cost half as much again.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable
from itertools import chain

from sprig_tui.journal.sqlite import tombstone_filter
from sprig_tui.journal.sqlite.tables import encode_ids

_RECORD = struct.Struct(">q20s15s")
"""Key; number of the environment and minute of the end, in ten digits each; fingerprint."""
RECORD_BYTES = _RECORD.size
_KEYS = struct.Struct(">q35x")
_STORE = f"""
INSERT INTO tombstones(key, environment, ended_at, fingerprint)
SELECT e.value, CAST(substr(:records, e.key * {RECORD_BYTES} + 9, 10) AS INTEGER),
  CAST(substr(:records, e.key * {RECORD_BYTES} + 19, 10) AS INTEGER), substr(:records, e.key * {RECORD_BYTES} + 29, 15)
FROM json_each(:keys) e WHERE true
ON CONFLICT(key) DO UPDATE SET environment = excluded.environment, ended_at = excluded.ended_at,
  fingerprint = excluded.fingerprint
"""


class _Ends(dict[tuple[int, int], bytes]):
    """Environment and minute as a record has them: deliveries that were sent together have the same."""

    def __missing__(self, end: tuple[int, int]) -> bytes:
        made = self[end] = b"%010d%010d" % end
        return made


def make_records(
    keys: Iterable[int], numbers: Iterable[int], minutes: Iterable[int], fingerprints: Iterable[bytes]
) -> list[bytes]:
    """The records of tombstones, given by their columns."""
    pack, ends = _RECORD.pack, _Ends()
    return [
        pack(key, ends[end], fingerprint)
        for key, end, fingerprint in zip(keys, zip(numbers, minutes, strict=True), fingerprints, strict=True)
    ]


def store_records(connection: sqlite3.Connection, records: bytes) -> None:
    """Store the tombstones of these records, which are in the order of their keys."""
    if not records:
        return
    keys = [*chain.from_iterable(_KEYS.iter_unpack(records))]
    connection.execute(_STORE, {"records": records, "keys": encode_ids(keys)})
    tombstone_filter.log_keys(connection, keys)
