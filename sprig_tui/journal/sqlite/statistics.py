"""Statistics in the file: keeping counts of blocks, reading them, and counting those that have changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sprig_tui.journal.block_counts import (
    BLOCK_IDS,
    MAX_STALE_BLOCKS,
    MAX_SURVEYS,
    BlockCounts,
    RawCounts,
    Summary,
    count_statements,
    decode_block,
    encode_block,
    raw_counts,
    same_counts,
)
from sprig_tui.journal.statistics import Statistics, StatisticsRequest

_SELECT_SURVEYS = "SELECT number, survey, name FROM counted_surveys"
_ANY_TIME = (-(1 << 63), (1 << 63) - 1)
_STATEMENTS = count_statements(
    "d.id BETWEEN :first AND :last", "d.added_at >= :since AND d.added_at < :until", "CAST({} AS INTEGER)"
)


def count_block(connection: sqlite3.Connection, block: int, period: tuple[int, int] = _ANY_TIME) -> RawCounts:
    """The counts of a block's deliveries; those of answers are of all, the others of what arrived in the period."""
    values = {
        "first": block * BLOCK_IDS,
        "last": (block + 1) * BLOCK_IDS - 1,
        "since": period[0],
        "until": period[1],
    }
    return raw_counts([connection.execute(statement, values).fetchall() for statement in _STATEMENTS])


def stale_blocks(connection: sqlite3.Connection, spared: int = MAX_STALE_BLOCKS) -> list[tuple[int, int]]:
    """(block, mark) of stale blocks, oldest first, but not of the newest `spared` ones."""
    rows = connection.execute("SELECT block, mark FROM stale_counts ORDER BY block").fetchall()
    return rows[: max(0, len(rows) - spared)]


def count_stale(connection: sqlite3.Connection, block: int) -> tuple[int, RawCounts] | None:
    """Mark and counts of a block; None if it is not stale any more.

    To be called on a reader: a write transaction that reads damage cannot write any more.
    """
    row = connection.execute("SELECT mark FROM stale_counts WHERE block = ?", (block,)).fetchone()
    return None if row is None else (row[0], count_block(connection, block))


def store_counts(connection: sqlite3.Connection, block: int, found: tuple[int, RawCounts]) -> bool:
    """Keep the counts of a block; False if it has changed since it was counted."""
    mark, counts = found
    gone = connection.execute("DELETE FROM stale_counts WHERE block = ? AND mark = ?", (block, mark)).rowcount
    if not gone:
        return False
    if not counts.arrivals:
        connection.execute("DELETE FROM kept_counts WHERE block = ?", (block,))
        return True
    content = encode_block(counts.numbered(_number_surveys(connection, counts.survey_names())))
    connection.execute("INSERT OR REPLACE INTO kept_counts(block, content) VALUES(?, ?)", (block, content))
    return True


def _number_surveys(connection: sqlite3.Connection, names: dict[str, str]) -> dict[str, int]:
    """The numbers of these surveys; those without one get it while there are fewer than MAX_SURVEYS."""
    known = {survey: number for number, survey in connection.execute("SELECT number, survey FROM counted_surveys")}
    for survey, name in names.items():
        if survey not in known and len(known) < MAX_SURVEYS:
            cursor = connection.execute("INSERT INTO counted_surveys(survey, name) VALUES(?, ?)", (survey, name))
            known[survey] = int(cursor.lastrowid or 0)
    return known


def read_statistics(connection: sqlite3.Connection, request: StatisticsRequest, now: int) -> Statistics:
    """The counts of a request: those that are kept, and of blocks that have changed or are part of it new ones."""
    places = {
        number: (name, endpoint)
        for number, name, endpoint in connection.execute("SELECT id, name, endpoint FROM environments")
    }
    surveys = {row[0]: (row[1], row[2]) for row in connection.execute(_SELECT_SURVEYS)}
    summary = Summary(request, now, places, surveys)
    period = (summary.since, summary.until)
    stale = {block for block, _ in stale_blocks(connection, 0)}
    divided = [
        block for block, counts in _kept_blocks(connection) if block not in stale and not summary.add_kept(counts)
    ]
    for block in sorted(stale):
        summary.add_counted(count_block(connection, block, period), answers=True)
    for block in divided:
        summary.add_counted(count_block(connection, block, period), answers=False)
    return summary.result()


def _kept_blocks(connection: sqlite3.Connection) -> Iterator[tuple[int, BlockCounts]]:
    for block, content in connection.execute("SELECT block, content FROM kept_counts ORDER BY block"):
        yield block, decode_block(content)


def wrong_blocks(connection: sqlite3.Connection) -> list[int]:
    """Blocks whose kept counts are not those of their rows."""
    known = {survey: number for number, survey in connection.execute("SELECT number, survey FROM counted_surveys")}
    stale = {block for block, _ in stale_blocks(connection, 0)}
    wrong = []
    for block, content in connection.execute("SELECT block, content FROM kept_counts ORDER BY block").fetchall():
        if block not in stale and not same_counts(content, count_block(connection, block).numbered(known)):
            wrong.append(block)
    return wrong
