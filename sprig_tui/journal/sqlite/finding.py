"""Finding deliveries: ids alone for lists that show a few of many, and rows by their ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from time import monotonic

from sprig_tui.journal.columns import SELECT_DELIVERY, delivery_from_row
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Delivery, IdPage
from sprig_tui.journal.sqlite.rows import decode_ids, encode_ids
from sprig_tui.journal.sqlite.where import sqlite_condition

_MIN_WINDOW_IDS, _MAX_WINDOW_IDS = 1_000, 100_000
"""Ids looked through between two looks at the clock: at first, some 3 ms of the dearest filter; at most, where an index
answers."""
_JOIN_ENVIRONMENTS = "JOIN environments e ON e.id = d.environment"


def read_ids(
    connection: sqlite3.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> IdPage:
    """Ids by keyset.

    SQLite gathers them into one value: a step per row would let go of the interpreter's lock, and wait for it again, at
    each of them.
    """
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    window = _MIN_WINDOW_IDS if budget_ms and query.terms else newest + 1
    sql, values = sqlite_condition(query)
    join = _JOIN_ENVIRONMENTS if any(term.field in ("env", "endpoint") for term in query.terms) else ""
    statement = (
        f"SELECT json_group_array(id) FROM (SELECT d.id AS id FROM deliveries d {join} WHERE ({sql})"
        f" AND d.id BETWEEN ? AND ? ORDER BY d.id {'DESC' if older else 'ASC'} LIMIT ?)"
    )
    now = monotonic()
    deadline = now + budget_ms / 1000
    found: list[int] = []
    at = (cursor - 1 if cursor else newest) if older else cursor + 1
    while 1 <= at <= newest:
        low, high = (max(1, at - window + 1), at) if older else (at, min(newest, at + window - 1))
        told = connection.execute(statement, (*values, low, high, limit + 1 - len(found))).fetchone()[0]
        # an aggregate over an ordered subquery keeps its order in practice, but nobody promises it
        found += sorted(decode_ids(told), reverse=older)
        if len(found) > limit:
            del found[limit:]
            return IdPage(tuple(found), more=True, reached=found[-1] if found else cursor)
        at = low - 1 if older else high + 1
        if budget_ms and 1 <= at <= newest:
            before, now = now, monotonic()
            if now > deadline:
                return IdPage(tuple(found), more=True, reached=low if older else high)
            if query.terms and now - before < budget_ms / 4000:  # a quarter of the time there is
                window = min(2 * window, _MAX_WINDOW_IDS)
    return IdPage(tuple(found), more=False, reached=(1 if older else max(newest, cursor)))


def get_many(connection: sqlite3.Connection, delivery_ids: Sequence[int], query: Query) -> tuple[Delivery, ...]:
    """Those of the wanted that are there and match."""
    sql, values = sqlite_condition(query)
    found = connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id IN (SELECT value FROM json_each(?)) AND ({sql}) ORDER BY d.id",
        (encode_ids(delivery_ids), *values),
    ).fetchall()
    return tuple(delivery_from_row(row) for row in found)
