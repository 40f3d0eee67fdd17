"""Reading the journal: pages, counts, one delivery, and what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from time import monotonic
from typing import Any

from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.query import Query
from sprig_tui.journal.query_sql import Dialect, compile_query
from sprig_tui.journal.records import Changes, Counts, Delivery, DeliveryDetail, DeliveryPage, IdPage, Lane, State
from sprig_tui.journal.rows import (
    ATTEMPT_COLUMNS,
    LANE_COLUMNS,
    SELECT_DELIVERY,
    STATES_BY_CODE,
    attempt_from_row,
    counts_from_rows,
    delivery_from_row,
    lane_from_row,
)
from sprig_tui.journal.sqlite.identity_index import find_identities
from sprig_tui.journal.sqlite.payloads import read_payload
from sprig_tui.journal.sqlite.tables import decode_ids, encode_ids

DIALECT = Dialect(placeholder="?{}", like="LIKE {} ESCAPE '\\'", true="1", false="0", ended_hint=" AND d.state >= 2")
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
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
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
    values: list[Any] = [encode_ids(delivery_ids)]
    sql = compile_query(query, DIALECT, values)
    found = connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id IN (SELECT value FROM json_each(?1)) AND ({sql}) ORDER BY d.id",
        values,
    ).fetchall()
    return tuple(delivery_from_row(row) for row in found)


_FROM_DELIVERIES = "FROM deliveries d JOIN environments e ON e.id = d.environment"


_ROW_COST_FACTOR = 2
"""What looking at a row costs, in looks at an entry of the index of due deliveries."""
_PAGE_WINDOW_IDS = 25_000
"""Ids looked through between two looks at the clock: some 30 ms of the dearest filter."""


def read_page(
    connection: sqlite3.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> DeliveryPage:
    """A page by keyset: one id is the only cursor, so depth costs nothing."""
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    window = _PAGE_WINDOW_IDS if budget_ms and query.terms else newest + 1
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    statement = (
        f"{SELECT_DELIVERY} WHERE ({sql}) AND d.id BETWEEN ? AND ? ORDER BY d.id {'DESC' if older else 'ASC'} LIMIT ?"
    )
    deadline = monotonic() + budget_ms / 1000
    found: list[Delivery] = []
    reached = 0
    at = (cursor - 1 if cursor else newest) if older else cursor + 1
    while 1 <= at <= newest:
        low, high = (max(1, at - window + 1), at) if older else (at, min(newest, at + window - 1))
        rows = connection.execute(statement, (*values, low, high, limit + 1 - len(found))).fetchall()
        found += [delivery_from_row(row) for row in rows]
        if len(found) > limit:
            break
        at = low - 1 if older else high + 1
        if budget_ms and 1 <= at <= newest and monotonic() > deadline:
            reached = low if older else high
            break
    more = len(found) > limit or reached > 0
    found = found[:limit]
    if older:
        found.reverse()
    return DeliveryPage(tuple(found), more, reached)


def count_matches(connection: sqlite3.Connection, query: Query, cap: int) -> int:
    """How many match; without terms from the kept counts."""
    if not query.terms:
        total = int(connection.execute("SELECT coalesce(sum(n), 0) FROM counts").fetchone()[0])
        return min(total, cap) if cap else total
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    if cap:
        return int(
            connection.execute(
                f"SELECT count(*) FROM (SELECT 1 {_FROM_DELIVERIES} WHERE {sql} LIMIT ?)", (*values, cap)
            ).fetchone()[0]
        )
    return int(connection.execute(f"SELECT count(*) {_FROM_DELIVERIES} WHERE {sql}", values).fetchone()[0])


def read_counts(connection: sqlite3.Connection) -> Counts:
    """The kept counts, and what is in flight."""
    rows = connection.execute(
        "SELECT e.name, e.endpoint, c.state, c.n FROM counts c JOIN environments e ON e.id = c.environment"
    ).fetchall()
    leased = connection.execute(
        "SELECT e.name, sum(l.n) FROM leases l JOIN environments e ON e.id = l.environment GROUP BY e.name"
    ).fetchall()
    return counts_from_rows(rows, dict(leased))


def get(connection: sqlite3.Connection, delivery_id: int) -> DeliveryDetail | None:
    """A delivery, its payload and its attempts."""
    row = connection.execute(f"{SELECT_DELIVERY} WHERE d.id = ?", (delivery_id,)).fetchone()
    if row is None:
        return None
    raw, body = read_payload(connection, delivery_id)
    attempts = connection.execute(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE id IN (SELECT attempt FROM history WHERE delivery = ?1"
        " UNION SELECT attempt FROM deliveries WHERE id = ?1) ORDER BY started_at, id",
        (delivery_id,),
    ).fetchall()
    return DeliveryDetail(
        delivery=delivery_from_row(row), raw=raw, body=body, history=tuple(attempt_from_row(row) for row in attempts)
    )


def find(connection: sqlite3.Connection, environment: str, message_id: str) -> Delivery | None:
    """The delivery that stands for an identity."""
    key = identity_key(environment, message_id)
    while True:
        known = find_identities(connection, [key]).get(key)
        if known is None:
            return None
        if known.message_id == message_id and known.environment == environment:
            return delivery_from_row(connection.execute(f"{SELECT_DELIVERY} WHERE d.id = ?", (known.id,)).fetchone())
        key += 1


def read_changes(connection: sqlite3.Connection, cursor: str, limit: int) -> Changes:
    """Rows beyond the cursor's newest id, and rows noted as changed beyond its last note."""
    newest = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    last = connection.execute("SELECT coalesce(max(seq), 0), coalesce(min(seq), 0) FROM changes").fetchone()
    now = f"{newest}:{last[0]}"
    if not cursor:
        return Changes(now, ())
    seen_id, seen_note = (int(part) for part in cursor.split(":"))
    if (seen_id, seen_note) == (newest, last[0]):
        return Changes(now, ())
    # notes are only kept for a while: a follower that was away longer has to look again
    overflow = seen_note + 1 < last[1]
    ids: set[int] = set()
    for (told,) in connection.execute("SELECT ids FROM changes WHERE seq > ? ORDER BY seq DESC", (seen_note,)):
        ids.update(decode_ids(told))
        if len(ids) > limit:
            overflow = True
            break
    rows = connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id > ? ORDER BY d.id DESC LIMIT ?", (seen_id, limit + 1)
    ).fetchall()
    overflow = overflow or len(rows) > limit
    found = {row[0]: row for row in rows[:limit]}
    older = sorted((delivery_id for delivery_id in ids if delivery_id <= seen_id), reverse=True)
    overflow = overflow or len(found) + len(older) > limit
    older = older[: limit - len(found)]
    if older:
        found.update((row[0], row) for row in _rows_by_id(connection, older))
    return Changes(now, tuple(delivery_from_row(found[key]) for key in sorted(found)), overflow)


def _rows_by_id(connection: sqlite3.Connection, ids: Sequence[int]) -> list[tuple[object, ...]]:
    return connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id IN (SELECT value FROM json_each(?))", (encode_ids(ids),)
    ).fetchall()


def read_lanes(connection: sqlite3.Connection, endpoint: str) -> dict[str, Lane]:
    """Every lane to this endpoint by environment."""
    rows = connection.execute(
        f"SELECT {LANE_COLUMNS} FROM lanes l JOIN environments e ON e.id = l.environment WHERE e.endpoint = ?",
        (endpoint,),
    ).fetchall()
    return {row[0]: lane_from_row(row) for row in rows}


def count_queued(connection: sqlite3.Connection, first_id: int, last_id: int) -> int:
    """Queued deliveries in a range of ids, by the cheaper of two ways.

    Through the rows of the range, or through the index of due ones and the leases: then what ended costs nothing.
    """
    queued = connection.execute("SELECT coalesce(sum(n), 0) FROM counts WHERE state = 0").fetchone()[0]
    if not queued:
        return 0
    if (last_id - first_id) * _ROW_COST_FACTOR < queued:
        return int(
            connection.execute(
                "SELECT count(*) FROM deliveries NOT INDEXED WHERE state = 0 AND id BETWEEN ? AND ?",
                (first_id, last_id),
            ).fetchone()[0]
        )
    # one statement: a lease given back between two would be counted by neither
    return int(
        connection.execute(
            "SELECT (SELECT count(*) FROM deliveries INDEXED BY due WHERE state = 0 AND lease IS NULL"
            " AND id BETWEEN ?1 AND ?2)"
            " + (SELECT count(*) FROM leases, json_each(leases.ids) WHERE value BETWEEN ?1 AND ?2)",
            (first_id, last_id),
        ).fetchone()[0]
    )


def count_by_state(connection: sqlite3.Connection, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
    """A range of ids by state and reason."""
    rows = connection.execute(
        "SELECT state, reason, count(*) FROM deliveries WHERE id BETWEEN ? AND ? GROUP BY state, reason",
        (first_id, last_id),
    ).fetchall()
    return {(STATES_BY_CODE[state], reason): number for state, reason, number in rows}
