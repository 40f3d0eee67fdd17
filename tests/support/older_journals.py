"""Journal files of older versions, made of new ones: what later versions added is dropped."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_ADDED_IN = {
    6: [f"ALTER TABLE lanes DROP COLUMN {column}" for column in ("reason", "detail", "reason_epoch")],
    7: ["DROP TABLE tombstones", "DROP TABLE tombstone_filter"],
    8: [
        "DROP INDEX forgotten_rows",
        *(f"DROP TABLE {table}" for table in ("forgotten", "forget_state", "forget_receipts")),
    ],
    9: [f"DROP TABLE {table}" for table in ("kept_counts", "stale_counts", "counted_surveys")],
}


def make_older(path: str | Path, version: int) -> None:
    """Give a file the schema of an older version, from 5 on."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for added_in, statements in sorted(_ADDED_IN.items(), reverse=True):
            for statement in statements if added_in > version else ():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
