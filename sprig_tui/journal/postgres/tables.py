"""Small tables: environments, identity and positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.postgres.schema import MIN_IDENTITY_VERSION
from sprig_tui.journal.records import JournalIdentity


async def environment_number(connection: asyncpg.Connection, environment: str, endpoint: str) -> int:
    """The number of an environment and an endpoint (empty for its own); created on first use."""
    number: int = await connection.fetchval(
        "SELECT environment_number($1::text, $2::text)", sanitize_text(environment), sanitize_text(endpoint)
    )
    return number


async def read_identity(connection: asyncpg.Connection) -> JournalIdentity:
    """The identity of the journal."""
    row = await connection.fetchrow("SELECT uuid, since FROM identity")
    return JournalIdentity(uuid=row[0], older=row[1] < MIN_IDENTITY_VERSION)


async def read_positions(connection: asyncpg.Connection, kind: str) -> dict[str, bytes]:
    """Positions of a kind by key, ordered by key."""
    rows = await connection.fetch("SELECT key, value FROM positions WHERE kind = $1 ORDER BY key", kind)
    return {row[0]: bytes(row[1]) for row in rows}


async def save_positions(
    connection: asyncpg.Connection, kind: str, updates: Mapping[str, bytes], removed: Sequence[str]
) -> None:
    """Insert or replace positions, and delete the removed ones, in the caller's transaction."""
    await connection.executemany(
        "INSERT INTO positions(kind, key, value) VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO UPDATE SET value = $3",
        [(kind, sanitize_text(key), value) for key, value in updates.items()],
    )
    await connection.execute("DELETE FROM positions WHERE kind = $1 AND key = ANY ($2::text[])", kind, list(removed))
