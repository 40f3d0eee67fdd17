"""Statistics in the database: keeping counts of blocks, reading them, and counting those that have changed."""

from __future__ import annotations

import asyncpg

from sprig_tui.journal.block_counts import (
    BLOCK_IDS,
    MAX_STALE_BLOCKS,
    MAX_SURVEYS,
    PLACE,
    SURVEY,
    RowCounts,
    Summary,
    encode_block,
    same_counts,
)
from sprig_tui.journal.statistics import Statistics, StatisticsRequest

_SELECT_CELLS = (
    f"SELECT {PLACE}, d.attempt, d.reason, {SURVEY}, count(*), min(d.added_at), max(d.added_at), max(d.survey_name)"
    " FROM deliveries d WHERE d.id BETWEEN $1 AND $2 GROUP BY 1, 2, 3, 4"
)
_SELECT_ATTEMPTS = (
    "SELECT id, status, endpoint, floor(started_at + latency_ms)::bigint, floor(latency_ms)::bigint FROM attempts"
    " WHERE id = ANY ($1::bigint[])"
)
_SELECT_KEPT = "SELECT block, content FROM kept_counts ORDER BY block"
MARK_ALL_STALE = (
    "INSERT INTO stale_counts(block, mark) SELECT block, (random() * 9e18)::bigint"
    f" FROM generate_series((SELECT min(id) / {BLOCK_IDS} FROM deliveries),"
    f" (SELECT max(id) / {BLOCK_IDS} FROM deliveries)) AS b(block)"
    " ON CONFLICT (block) DO UPDATE SET mark = excluded.mark"
)
"""Has all statistics counted again, block by block; until then they are counted from the rows."""


async def mark_all_stale(connection: asyncpg.Connection) -> None:
    """Have the statistics of all deliveries counted again."""
    await connection.execute(f"DELETE FROM kept_counts; {MARK_ALL_STALE}")


async def count_block(connection: asyncpg.Connection, block: int) -> RowCounts:
    """The counts of a block's deliveries."""
    rows = await connection.fetch(_SELECT_CELLS, block * BLOCK_IDS, (block + 1) * BLOCK_IDS - 1)
    sent = await connection.fetch(_SELECT_ATTEMPTS, list({row[1] for row in rows if row[1] is not None}))
    return RowCounts(
        min((row[5] for row in rows), default=0),
        max((row[6] for row in rows), default=0),
        {(row[0], row[1], row[2], row[3]): row[4] for row in rows},
        {row[0]: (row[1], row[2], row[3], row[4]) for row in sent},
        {row[3]: row[7] for row in rows},
    )


async def stale_blocks(connection: asyncpg.Connection, spared: int = MAX_STALE_BLOCKS) -> list[tuple[int, int]]:
    """(block, mark) of stale blocks, oldest first, but not of the newest `spared` ones."""
    rows = [(row[0], row[1]) for row in await connection.fetch("SELECT block, mark FROM stale_counts ORDER BY block")]
    return rows[: max(0, len(rows) - spared)]


async def count_stale(connection: asyncpg.Connection, block: int) -> tuple[int, RowCounts] | None:
    """Mark and counts of a block as of one moment; None if it is not stale any more."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        mark = await connection.fetchval("SELECT mark FROM stale_counts WHERE block = $1", block)
        return None if mark is None else (mark, await count_block(connection, block))


async def store_counts(connection: asyncpg.Connection, block: int, found: tuple[int, RowCounts]) -> bool:
    """Keep the counts of a block, in the caller's transaction; False if it has changed since it was counted."""
    mark, counts = found
    gone = await connection.fetchval(
        "DELETE FROM stale_counts WHERE block = $1 AND mark = $2 RETURNING block", block, mark
    )
    if gone is None:
        return False
    if not counts.cells:
        await connection.execute("DELETE FROM kept_counts WHERE block = $1", block)
        return True
    known = await _survey_numbers(connection)
    names = counts.new_surveys(known)
    new = list(names)[: max(0, MAX_SURVEYS - len(known))]
    if new:
        await connection.execute(
            "INSERT INTO counted_surveys(survey, name) SELECT * FROM unnest($1::text[], $2::text[]) AS u(survey, name)"
            " ORDER BY survey ON CONFLICT (survey) DO NOTHING",
            new,
            [names[survey] for survey in new],
        )
        known = await _survey_numbers(connection)
    content = encode_block(counts.summed(known))
    await connection.execute(
        "INSERT INTO kept_counts(block, content) VALUES ($1, $2)"
        " ON CONFLICT (block) DO UPDATE SET content = excluded.content",
        block,
        content,
    )
    return True


async def _survey_numbers(connection: asyncpg.Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.fetch("SELECT survey, number FROM counted_surveys")}


async def read_statistics(connection: asyncpg.Connection, request: StatisticsRequest, now: int) -> Statistics:
    """The counts of a request: those that are kept, and of blocks that have changed or are part of it new ones."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        places = {
            row[0]: (row[1], row[2]) for row in await connection.fetch("SELECT id, name, endpoint FROM environments")
        }
        surveys = {
            row[0]: (row[1], row[2])
            for row in await connection.fetch("SELECT number, survey, name FROM counted_surveys")
        }
        summary = Summary(request, now, places, surveys)
        stale = [block for block, _ in await stale_blocks(connection, 0)]
        kept = [(row[0], row[1]) for row in await connection.fetch(_SELECT_KEPT)]
        for block, answers in summary.recounted_blocks(kept, stale):
            summary.add_counted(await count_block(connection, block), answers=answers)
    return summary.result()


async def wrong_blocks(connection: asyncpg.Connection) -> list[int]:
    """Blocks whose kept counts are not those of their rows, in the caller's snapshot."""
    known = await _survey_numbers(connection)
    stale = {block for block, _ in await stale_blocks(connection, 0)}
    wrong = []
    for block, content in await connection.fetch(_SELECT_KEPT):
        if block not in stale and not same_counts(content, (await count_block(connection, block)).summed(known)):
            wrong.append(block)
    return wrong
