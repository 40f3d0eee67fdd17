"""Positions: which journal the file is, and how far inputs were read into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from sprig_tui.journal.records import JournalIdentity

MIN_IDENTITY_VERSION = 3
"""Schema version from which on a new file has one."""


def read_identity(connection: sqlite3.Connection) -> JournalIdentity:
    """Which journal this is."""
    uuid, since = connection.execute("SELECT uuid, since FROM identity").fetchone()
    return JournalIdentity(uuid=uuid, older=since < MIN_IDENTITY_VERSION)


def read_positions(connection: sqlite3.Connection, kind: str) -> dict[str, bytes]:
    """Positions of a kind by key, in the order of their keys."""
    return dict(connection.execute("SELECT key, value FROM positions WHERE kind = ? ORDER BY key", (kind,)).fetchall())


def save_positions(
    connection: sqlite3.Connection, kind: str, updates: Mapping[str, bytes], removed: Sequence[str]
) -> None:
    """Replace or add some, remove others."""
    connection.executemany(
        "INSERT OR REPLACE INTO positions(kind, key, value) VALUES(?, ?, ?)",
        [(kind, key, value) for key, value in updates.items()],
    )
    connection.executemany("DELETE FROM positions WHERE kind = ? AND key = ?", [(kind, key) for key in removed])
