"""Positions: which journal the file is, and how far inputs were read into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from sprig_tui.journal.records import Identity

FIRST_WITH_IDENTITY = 3
"""Schema version from which on a new file has one."""


def identity(connection: sqlite3.Connection) -> Identity:
    """Which journal this is."""
    uuid, since = connection.execute("SELECT uuid, since FROM identity").fetchone()
    return Identity(uuid=uuid, older=since < FIRST_WITH_IDENTITY)


def positions(connection: sqlite3.Connection, kind: str) -> dict[str, bytes]:
    """Positions of a kind by key, in the order of their keys."""
    return dict(connection.execute("SELECT key, value FROM positions WHERE kind = ? ORDER BY key", (kind,)).fetchall())


def keep(connection: sqlite3.Connection, kind: str, kept: Mapping[str, bytes], forgotten: Sequence[str]) -> None:
    """Replace or add some, remove others."""
    connection.executemany(
        "INSERT OR REPLACE INTO positions(kind, key, value) VALUES(?, ?, ?)",
        [(kind, key, value) for key, value in kept.items()],
    )
    connection.executemany("DELETE FROM positions WHERE kind = ? AND key = ?", [(kind, key) for key in forgotten])
