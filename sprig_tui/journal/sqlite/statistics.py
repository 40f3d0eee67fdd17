"""Statistics in the file: keeping counts of blocks, reading them, and counting those that have changed."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping

import msgspec

from sprig_tui.journal.block_counts import (
    BLOCK_IDS,
    MAX_STALE_BLOCKS,
    MAX_SURVEYS,
    PLACE,
    SURVEY,
    BlockTraits,
    RowCounts,
    Summary,
    encode_block,
    same_counts,
    user_marks,
)
from sprig_tui.journal.sqlite.tables import encode_ids
from sprig_tui.journal.statistics import Statistics, StatisticsRequest

_SELECT_CELLS = (
    # one row of JSON: each row would acquire the GIL
    "SELECT min(d.added_at), max(d.added_at), json_group_array(json_array("
    f"{PLACE.replace('::bigint', '')}, d.attempt, d.reason, {SURVEY})), max(d.attempts), max(d.size),"
    " json_group_array(CAST(d.user_id AS TEXT))"
    " FROM deliveries d WHERE d.id BETWEEN ? AND ?"
)
_SELECT_ATTEMPTS = (
    "SELECT id, status, endpoint, CAST(started_at + latency_ms AS INTEGER), CAST(latency_ms AS INTEGER) FROM attempts"
    " WHERE id IN (SELECT value FROM json_each(?))"
)
_SELECT_NAMES = (
    f"SELECT {SURVEY}, max(d.survey_name) FROM deliveries d WHERE d.id BETWEEN ? AND ?"
    " AND d.survey_id IN (SELECT value FROM json_each(?)) GROUP BY 1"
)
_SELECT_KEPT = "SELECT block, content FROM kept_counts ORDER BY block"
_users_decoder = msgspec.json.Decoder(list[str])
_cells_decoder = msgspec.json.Decoder(list[tuple[int, int | None, str, str]])


def count_block(connection: sqlite3.Connection, block: int, known: Mapping[str, int]) -> RowCounts:
    """The counts of a block's deliveries, and names of surveys that are not known."""
    ids = (block * BLOCK_IDS, (block + 1) * BLOCK_IDS - 1)
    first_at, last_at, rows, most_attempts, largest, users = connection.execute(_SELECT_CELLS, ids).fetchone()
    cells = Counter(_cells_decoder.decode(rows))
    sent = {attempt for _, attempt, _, _ in cells if attempt is not None}
    attempts = {row[0]: row[1:] for row in connection.execute(_SELECT_ATTEMPTS, (encode_ids(sent),)).fetchall()}
    new = {survey for _, _, _, survey in cells} - known.keys()
    names = {}
    if new:
        names = dict(connection.execute(_SELECT_NAMES, (*ids, json.dumps(sorted(new)))).fetchall())
    traits = BlockTraits(
        most_attempts or 0,
        largest or 0,
        max((request[3] for request in attempts.values()), default=0) + 1,  # they are rounded down
        sorted({request[0] for request in attempts.values()}),
        sorted({reason for _, _, reason, _ in cells}),
        user_marks({*_users_decoder.decode(users)}),
    )
    return RowCounts(first_at or 0, last_at or 0, cells, attempts, names, traits)


def stale_blocks(connection: sqlite3.Connection, spared: int = MAX_STALE_BLOCKS) -> list[tuple[int, int]]:
    """(block, mark) of stale blocks, oldest first, but not of the newest `spared` ones."""
    rows = connection.execute("SELECT block, mark FROM stale_counts ORDER BY block").fetchall()
    return rows[: max(0, len(rows) - spared)]


def count_stale(connection: sqlite3.Connection, block: int) -> tuple[int, RowCounts] | None:
    """Mark and counts of a block; None if it is not stale any more.

    To be called on a reader: a write transaction that reads damage cannot write any more.
    """
    row = connection.execute("SELECT mark FROM stale_counts WHERE block = ?", (block,)).fetchone()
    return None if row is None else (row[0], count_block(connection, block, _survey_numbers(connection)))


def store_counts(connection: sqlite3.Connection, block: int, found: tuple[int, RowCounts]) -> bool:
    """Keep the counts of a block; False if it has changed since it was counted."""
    mark, counts = found
    gone = connection.execute("DELETE FROM stale_counts WHERE block = ? AND mark = ?", (block, mark)).rowcount
    if not gone:
        return False
    if not counts.cells:
        connection.execute("DELETE FROM kept_counts WHERE block = ?", (block,))
        return True
    known = _survey_numbers(connection)
    for survey, name in counts.new_surveys(known).items():
        if len(known) < MAX_SURVEYS:
            cursor = connection.execute("INSERT INTO counted_surveys(survey, name) VALUES(?, ?)", (survey, name))
            known[survey] = int(cursor.lastrowid or 0)
    content = encode_block(counts.summed(known))
    connection.execute("INSERT OR REPLACE INTO kept_counts(block, content) VALUES(?, ?)", (block, content))
    return True


def _survey_numbers(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT survey, number FROM counted_surveys").fetchall())


def read_statistics(connection: sqlite3.Connection, request: StatisticsRequest, now: int) -> Statistics:
    """The counts of a request: those that are kept, and of blocks that have changed or are part of it new ones."""
    places = {
        number: (name, endpoint)
        for number, name, endpoint in connection.execute("SELECT id, name, endpoint FROM environments")
    }
    surveys = {
        number: (survey, name)
        for number, survey, name in connection.execute("SELECT number, survey, name FROM counted_surveys")
    }
    known = {survey: number for number, (survey, _) in surveys.items()}
    summary = Summary(request, now, places, surveys)
    stale = (block for block, _ in stale_blocks(connection, 0))
    for block, answers in summary.recounted_blocks(connection.execute(_SELECT_KEPT), stale):
        summary.add_counted(count_block(connection, block, known), answers=answers)
    return summary.result()


def wrong_blocks(connection: sqlite3.Connection) -> list[int]:
    """Blocks whose kept counts are not those of their rows."""
    known = _survey_numbers(connection)
    stale = {block for block, _ in stale_blocks(connection, 0)}
    wrong = []
    for block, content in connection.execute(_SELECT_KEPT).fetchall():
        if block not in stale and not same_counts(content, count_block(connection, block, known).summed(known)):
            wrong.append(block)
    return wrong
