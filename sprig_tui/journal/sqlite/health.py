"""What monitors ask of the file: whether it takes writes, and how long the oldest delivery has waited."""

from __future__ import annotations

import sqlite3

from sprig_tui.journal.readiness import PROBE_WRITE_BYTES

_SELECT_OLDEST = (
    "SELECT added_at FROM deliveries INDEXED BY due WHERE environment = ? AND state = 0 AND lease IS NULL"
    " AND priority = ? AND due_at {} ORDER BY due_at, id LIMIT 1"
)
_OLDEST_QUERIES = tuple((_SELECT_OLDEST.format(due), priority) for due in ("= 0", "> 0") for priority in (0, 1))


def check_writable(connection: sqlite3.Connection) -> None:
    """A write that nobody sees and that needs all that a real one needs: the lock, the right, room for some pages."""
    connection.execute("INSERT OR REPLACE INTO probe(id, filler) VALUES(1, randomblob(?))", (PROBE_WRITE_BYTES,))


def oldest_queued(connection: sqlite3.Connection) -> dict[str, int]:
    """Arrival of the first delivery in each line to be claimed, by environment: a step into an index each."""
    oldest: dict[str, int] = {}
    for number, name in connection.execute("SELECT id, name FROM environments WHERE endpoint = ''").fetchall():
        for sql, priority in _OLDEST_QUERIES:
            row = connection.execute(sql, (number, priority)).fetchone()
            if row is not None:
                oldest[name] = min(row[0], oldest.get(name, row[0]))
    return oldest
