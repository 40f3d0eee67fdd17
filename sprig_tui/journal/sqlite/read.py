"""Reads: pages, ids, counts, single deliveries, changes and lanes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from time import monotonic
from typing import Any

from sprig_tui.journal.accepted import AcceptedBin, Placeholders, bins_from_rows, firsts_sql, ids_sql, sends_sql
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.query import Query, iter_terms
from sprig_tui.journal.query_sql import Dialect, compile_query
from sprig_tui.journal.records import Changes, Counts, Delivery, DeliveryDetail, DeliveryPage, IdPage, Lane, State
from sprig_tui.journal.rows import (
    ATTEMPT_COLUMNS,
    LANE_COLUMNS,
    SELECT_DELIVERY,
    SELECT_FORGOTTEN_COUNTS,
    SELECT_REPAIRED_COUNTS,
    STATES_BY_CODE,
    attempt_from_row,
    counts_from_rows,
    delivery_from_row,
    lane_from_row,
    states_from_rows,
)
from sprig_tui.journal.sqlite.candidate_ranges import CandidateRanges
from sprig_tui.journal.sqlite.identity_index import find_identities
from sprig_tui.journal.sqlite.json_rows import select_deliveries
from sprig_tui.journal.sqlite.payloads import read_payload, read_payloads
from sprig_tui.journal.sqlite.tables import decode_ids, encode_ids, named_values

DIALECT = Dialect(placeholder=":v{}", like="LIKE {} ESCAPE '\\'", true="1", false="0", ended_hint=" AND d.state >= 2")
_MIN_WINDOW_IDS, _MAX_WINDOW_IDS = 1_000, 100_000
"""Ids searched between two checks of the clock: at first, some 3 ms of the slowest filter; at most, where an index
helps."""
_JOIN_ENVIRONMENTS = "JOIN environments e ON e.id = d.environment"


def read_ids(
    connection: sqlite3.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> IdPage:
    """Ids by keyset pagination.

    SQLite gathers them into one JSON value: each row would release and acquire the GIL.
    """
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    window = _MIN_WINDOW_IDS if budget_ms and query.terms else newest + 1
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    join = _JOIN_ENVIRONMENTS if any(term.field in ("env", "endpoint") for term in iter_terms(query.terms)) else ""
    statement = (
        f"SELECT json_group_array(id) FROM (SELECT d.id AS id FROM deliveries d {join} WHERE ({sql})"
        f" AND d.id BETWEEN :low AND :high ORDER BY d.id {'DESC' if older else 'ASC'} LIMIT :limit)"
    )
    candidates = CandidateRanges(connection, query)
    now = monotonic()
    deadline = now + budget_ms / 1000
    ids: list[int] = []
    at = (cursor - 1 if cursor else newest) if older else cursor + 1
    while 1 <= at <= newest:
        low, high = (max(1, at - window + 1), at) if older else (at, min(newest, at + window - 1))
        for first, last in candidates.within(low, high, older=older):
            window_ids = connection.execute(
                statement, named_values(values, low=first, high=last, limit=limit + 1 - len(ids))
            ).fetchone()[0]
            # an aggregate keeps the order of its subquery in practice, but SQLite does not guarantee it
            ids += sorted(decode_ids(window_ids), reverse=older)
            if len(ids) > limit:
                del ids[limit:]
                return IdPage(tuple(ids), more=True, reached=ids[-1] if ids else cursor)
        at = low - 1 if older else high + 1
        if budget_ms and 1 <= at <= newest:
            before, now = now, monotonic()
            if now > deadline:
                return IdPage(tuple(ids), more=True, reached=low if older else high)
            if query.terms and now - before < budget_ms / 4000:  # a quarter of the budget
                window = min(2 * window, _MAX_WINDOW_IDS)
    return IdPage(tuple(ids), more=False, reached=(1 if older else max(newest, cursor)))


def get_many(connection: sqlite3.Connection, delivery_ids: Sequence[int], query: Query) -> tuple[Delivery, ...]:
    """The deliveries with these ids that exist and match, oldest first."""
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    rows = connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id IN (SELECT value FROM json_each(:ids)) AND ({sql}) ORDER BY d.id",
        named_values(values, ids=encode_ids(delivery_ids)),
    ).fetchall()
    return tuple(delivery_from_row(row) for row in rows)


_FROM_DELIVERIES = "FROM deliveries d JOIN environments e ON e.id = d.environment"


_ROW_COST_FACTOR = 2
"""Cost of reading a row, in entries of the index of due deliveries."""
_PAGE_WINDOW_IDS = 25_000
"""Ids searched between two checks of the clock, or of the kept counts: some 30 ms of the slowest filter."""


_by_id = attrgetter("id")


def read_page(
    connection: sqlite3.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> DeliveryPage:
    """A page by keyset pagination, so that its depth costs nothing."""
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    window = _PAGE_WINDOW_IDS if query.terms else newest + 1
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    candidates = CandidateRanges(connection, query)
    rest = f"WHERE ({sql}) AND d.id BETWEEN :low AND :high ORDER BY d.id {'DESC' if older else 'ASC'} LIMIT :limit"
    deadline = monotonic() + budget_ms / 1000
    deliveries: list[Delivery] = []
    reached = 0
    at = (cursor - 1 if cursor else newest) if older else cursor + 1
    while 1 <= at <= newest:
        low, high = (max(1, at - window + 1), at) if older else (at, min(newest, at + window - 1))
        for first, last in candidates.within(low, high, older=older):
            found = select_deliveries(
                connection, rest, named_values(values, low=first, high=last, limit=limit + 1 - len(deliveries))
            )
            deliveries += sorted(found, key=_by_id, reverse=older)
            if len(deliveries) > limit:
                break
        if len(deliveries) > limit:
            break
        at = low - 1 if older else high + 1
        if budget_ms and 1 <= at <= newest and monotonic() > deadline:
            reached = low if older else high
            break
    more = len(deliveries) > limit or reached > 0
    deliveries = deliveries[:limit]
    if older:
        deliveries.reverse()
    return DeliveryPage(tuple(deliveries), more, reached)


def count_matches(connection: sqlite3.Connection, query: Query, cap: int) -> int:
    """Number of matching deliveries; without terms from the maintained counts."""
    if not query.terms:
        total = int(connection.execute("SELECT coalesce(sum(n), 0) FROM counts").fetchone()[0])
        return min(total, cap) if cap else total
    values: list[Any] = []
    sql = compile_query(query, DIALECT, values)
    statement = f"SELECT 1 {_FROM_DELIVERIES} WHERE ({sql}) AND d.id BETWEEN :low AND :high"
    if cap:
        statement += " LIMIT :limit"
    newest = int(connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0])
    found = 0
    for low, high in CandidateRanges(connection, query).within(1, newest):
        part = named_values(values, low=low, high=high, limit=cap - found)
        found += int(connection.execute(f"SELECT count(*) FROM ({statement})", part).fetchone()[0])
        if cap and found >= cap:
            break
    return found


def read_repaired(connection: sqlite3.Connection) -> dict[str, dict[State, int]]:
    """Repaired deliveries by environment and state."""
    return states_from_rows(connection.execute(SELECT_REPAIRED_COUNTS).fetchall())


def read_counts(connection: sqlite3.Connection) -> Counts:
    """The maintained counts, and the leased deliveries."""
    rows = connection.execute(
        "SELECT e.name, e.endpoint, c.state, c.n FROM counts c JOIN environments e ON e.id = c.environment"
    ).fetchall()
    leased = connection.execute(
        "SELECT e.name, sum(l.n) FROM leases l JOIN environments e ON e.id = l.environment GROUP BY e.name"
    ).fetchall()
    forgotten = connection.execute(SELECT_FORGOTTEN_COUNTS).fetchall()
    return counts_from_rows(rows, dict(leased), forgotten)


def get(connection: sqlite3.Connection, delivery_id: int) -> DeliveryDetail | None:
    """A delivery, its payload and its attempts."""
    row = connection.execute(f"{SELECT_DELIVERY} WHERE d.id = ?", (delivery_id,)).fetchone()
    if row is None:
        return None
    raw, body = read_payload(connection, delivery_id)
    attempts = connection.execute(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE id IN (SELECT attempt FROM history WHERE delivery = :id"
        " UNION SELECT attempt FROM deliveries WHERE id = :id) ORDER BY started_at, id",
        {"id": delivery_id},
    ).fetchall()
    return DeliveryDetail(
        delivery=delivery_from_row(row), raw=raw, body=body, history=tuple(attempt_from_row(row) for row in attempts)
    )


def read_bodies(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The mapped calls of these deliveries, without those that are gone or damaged."""
    found = connection.execute(
        "SELECT id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", (encode_ids(ids),)
    )
    wanted: list[int] = [row[0] for row in found]
    bodies: dict[int, bytes] = {}
    parts = [wanted]
    while parts:
        part = parts.pop()
        try:
            payloads = read_payloads(connection, part)
        except DamagedPayloadError as error:
            parts += error.parts_to_retry(part)
        else:
            bodies |= {delivery_id: body for delivery_id, (_, body) in payloads.items()}
    return bodies


def find(connection: sqlite3.Connection, environment: str, message_id: str) -> Delivery | None:
    """The delivery that holds an identity."""
    key = identity_key(environment, message_id)
    while True:
        known = find_identities(connection, [key]).get(key)
        if known is None:
            return None
        if known.message_id == message_id and known.environment == environment:
            return delivery_from_row(connection.execute(f"{SELECT_DELIVERY} WHERE d.id = ?", (known.id,)).fetchone())
        key += 1


def read_changes(connection: sqlite3.Connection, cursor: str, limit: int) -> Changes:
    """Rows after the newest id of the cursor, and rows recorded as changed after its last change record."""
    newest = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    last = connection.execute("SELECT coalesce(max(seq), 0), coalesce(min(seq), 0) FROM changes").fetchone()
    now = f"{newest}:{last[0]}"
    if not cursor:
        return Changes(now, ())
    seen_id, seen_seq = (int(part) for part in cursor.split(":"))
    if (seen_id, seen_seq) == (newest, last[0]):
        return Changes(now, ())
    # change records are kept for a while only: a follower that was away longer has to reload
    overflow = seen_seq + 1 < last[1]
    ids: set[int] = set()
    for (changed,) in connection.execute("SELECT ids FROM changes WHERE seq > ? ORDER BY seq DESC", (seen_seq,)):
        ids.update(decode_ids(changed))
        if len(ids) > limit:
            overflow = True
            break
    rows = connection.execute(
        f"{SELECT_DELIVERY} WHERE d.id > ? ORDER BY d.id DESC LIMIT ?", (seen_id, limit + 1)
    ).fetchall()
    overflow = overflow or len(rows) > limit
    rows_by_id = {row[0]: row for row in rows[:limit]}
    older = sorted((delivery_id for delivery_id in ids if delivery_id <= seen_id), reverse=True)
    overflow = overflow or len(rows_by_id) + len(older) > limit
    older = older[: limit - len(rows_by_id)]
    if older:
        rows_by_id.update((row[0], row) for row in _rows_by_id(connection, older))
    return Changes(now, tuple(delivery_from_row(rows_by_id[key]) for key in sorted(rows_by_id)), overflow)


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
    """Queued deliveries in a range of ids: over its rows, or over the index of due deliveries and the leases.

    The cheaper one is used; with the latter, deliveries in end states cost nothing.
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
    # one statement: a lease released between two would be counted by neither
    return int(
        connection.execute(
            "SELECT (SELECT count(*) FROM deliveries INDEXED BY due WHERE state = 0 AND lease IS NULL"
            " AND id BETWEEN :first AND :last)"
            " + (SELECT count(*) FROM leases, json_each(leases.ids) WHERE value BETWEEN :first AND :last)",
            {"first": first_id, "last": last_id},
        ).fetchone()[0]
    )


def count_by_state(connection: sqlite3.Connection, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
    """Number of deliveries in a range of ids by state and reason."""
    rows = connection.execute(
        "SELECT state, reason, count(*) FROM deliveries WHERE id BETWEEN ? AND ? GROUP BY state, reason",
        (first_id, last_id),
    ).fetchall()
    return {(STATES_BY_CODE[state], reason): number for state, reason, number in rows}


_ACCEPTED = Placeholders(
    environment=":environment",
    since=":since",
    until=":until",
    endpoint=":endpoint",
    time="CAST(a.started_at + a.latency_ms AS INTEGER)",
)
_FIRSTS_SQL, _SENDS_SQL, _ACCEPTED_IDS_SQL = firsts_sql(_ACCEPTED), sends_sql(_ACCEPTED), ids_sql(_ACCEPTED)


def read_accepted(
    connection: sqlite3.Connection, environment: str, since: int, until: int, endpoint: str
) -> tuple[AcceptedBin, ...]:
    """Accepted sends in bins."""
    values = {"environment": environment, "since": since, "until": until, "endpoint": endpoint}
    return bins_from_rows(
        connection.execute(_FIRSTS_SQL, values).fetchall(),
        connection.execute(_SENDS_SQL, values).fetchall(),
        since,
        until,
    )


def read_accepted_ids(
    connection: sqlite3.Connection, environment: str, since: int, until: int, endpoint: str
) -> tuple[int, ...]:
    """Ids of deliveries whose last accepted send lies in the window."""
    values = {"environment": environment, "since": since, "until": until, "endpoint": endpoint}
    return tuple(row[0] for row in connection.execute(_ACCEPTED_IDS_SQL, values).fetchall())
