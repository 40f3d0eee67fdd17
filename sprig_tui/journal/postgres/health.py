"""What monitors ask of the server: whether it takes writes, and how long the oldest delivery has waited."""

from __future__ import annotations

import secrets

import asyncpg

from sprig_tui.journal.postgres.schema import LOCK_NAMESPACE
from sprig_tui.journal.readiness import PROBE_WRITE_BYTES

_WRITTEN_TABLES = ("environments", "deliveries", "ids", "counts", "changes")
_PROBE_WRITE = f"""
SET LOCAL lock_timeout = 2500;
SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 1);
INSERT INTO packs(first, raws, bodies) VALUES ({{place}}, decode(repeat(md5(random()::text), {{size}}), 'hex'), '');
DELETE FROM packs WHERE first = {{place}};
{" ".join(f"DELETE FROM {table} WHERE false;" for table in _WRITTEN_TABLES)}
SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 2);
"""


async def check_writable(connection: asyncpg.Connection) -> None:
    """A write that nobody sees and that needs all that a real one needs, in the caller's transaction.

    The right, a primary, room for some pages and in the log, and each table and lock that adding takes.
    """
    place = -1 - secrets.randbits(62)
    await connection.execute(_PROBE_WRITE.format(place=place, size=PROBE_WRITE_BYTES // 16))


async def durability_warnings(connection: asyncpg.Connection) -> tuple[str, ...]:
    """Settings of the server under which what was acknowledged may be lost in a power cut, in words."""
    told = {
        "synchronous_commit": "commits do not wait for the disk",
        "fsync": "nothing is made to reach the disk",
        "full_page_writes": "pages may be torn in a crash",
    }
    found = await connection.fetch(
        "SELECT name FROM pg_settings WHERE name = ANY ($1::text[]) AND setting = 'off' ORDER BY name", list(told)
    )
    return tuple(f"{row[0]} is off: {told[row[0]]}" for row in found)


async def oldest_queued(connection: asyncpg.Connection) -> dict[str, int]:
    """Arrival of the first delivery in each line to be claimed, by environment: a step into an index each."""
    oldest: dict[str, int] = {}
    for number, name in await connection.fetch("SELECT id, name FROM environments WHERE endpoint = ''"):
        for due in ("= 0", "> 0"):
            for priority in (0, 1):
                added_at = await connection.fetchval(
                    "SELECT added_at FROM deliveries WHERE environment = $1 AND state = 0 AND lease IS NULL"
                    f" AND priority = $2 AND due_at {due} ORDER BY due_at, id LIMIT 1",
                    number,
                    priority,
                )
                if added_at is not None:
                    oldest[name] = min(added_at, oldest.get(name, added_at))
    return oldest
