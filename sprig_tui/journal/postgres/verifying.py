"""Verifying what is ours in the database: every payload against its checksum and its owner, and the kept counts.

Whether pages are whole is PostgreSQL's own business (data checksums, amcheck); it raises where they are not.
"""

from __future__ import annotations

from collections import Counter

import asyncpg

from sprig_tui.journal.packing import DAMAGED_ERROR
from sprig_tui.journal.verifying import MAX_PROBLEMS, VerifyReport, check_pack


async def quick_check(connection: asyncpg.Connection) -> VerifyReport:
    """What was found damaged on the way."""
    found = await connection.fetchval("SELECT count(*) FROM deliveries WHERE state = 2 AND error = $1", DAMAGED_ERROR)
    problems = (f"{found:,} deliveries failed because their stored payload is damaged",) if found else ()
    return VerifyReport(problems=problems)


async def verify(connection: asyncpg.Connection) -> VerifyReport:
    """Everything; each pack in a statement of its own, so that nothing is held."""
    problems: list[str] = []
    deliveries = packs = at = 0
    while len(problems) < MAX_PROBLEMS:
        row = await connection.fetchrow(
            "SELECT first, raws, bodies, (SELECT min(n.first) FROM packs n WHERE n.first > p.first) FROM packs p"
            " WHERE first > $1 ORDER BY first LIMIT 1",
            at,
        )
        if row is None:
            break
        owned = await connection.fetch(
            "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
            " WHERE d.id >= $1 AND d.id < $2",
            row[0],
            row[3] if row[3] is not None else 1 << 62,
        )
        packs += 1
        deliveries += len(owned)
        problems += check_pack(row[0], row[1], row[2], {one[0]: (one[1], one[2]) for one in owned})
        at = row[0]
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        kept = Counter({row[:2]: row[2] for row in await connection.fetch("SELECT environment, state, n FROM counts")})
        there = Counter(
            {
                row[:2]: row[2]
                for row in await connection.fetch(
                    "SELECT environment, state, count(*) FROM deliveries GROUP BY environment, state"
                )
            }
        )
    if +kept != +there:
        problems.append("the kept counts are not what the deliveries come to")
    return VerifyReport(deliveries=deliveries, packs=packs, problems=tuple(problems[:MAX_PROBLEMS]))
