"""Reads: pages, ids, counts, single deliveries, changes and lanes."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import asyncpg

from sprig_tui.journal.accepted import AcceptedBin, Placeholders, bins_from_rows, firsts_sql, ids_sql, sends_sql
from sprig_tui.journal.dedup import StoredIdentity, identity_key
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.postgres.add import find_identities
from sprig_tui.journal.postgres.candidate_ranges import CandidateRanges
from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.postgres.payloads import read_payloads
from sprig_tui.journal.query import Query
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

DIALECT = Dialect(placeholder="${}", like="ILIKE {}", true="true", false="false", sanitize=sanitize_text)
_FROM_DELIVERIES = "FROM deliveries d JOIN environments e ON e.id = d.environment"
SELECT_ID = f"SELECT d.id {_FROM_DELIVERIES}"
_SELECT_NEWEST_ID = "SELECT coalesce(max(id), 0) FROM deliveries"
_MIN_WINDOW_IDS, _MAX_WINDOW_IDS = 5_000, 50_000
"""Ids searched between two checks of the clock: at first, some 5 ms of the slowest filter; at most, some 50 ms."""
_ROW_COST_FACTOR = 2
"""Cost of reading a row, in entries of the index of due deliveries."""


class RangeStatement:
    """A statement over the deliveries of a range of ids that match a query."""

    def __init__(self, select: str, query: Query, *, order: str = "", template: str = "{}") -> None:
        """`select` names the deliveries `d`, and their environments `e`; `template` is what surrounds the statement."""
        self._values: list[Any] = []
        condition = compile_query(query, DIALECT, self._values)
        number = len(self._values)
        self._statement = template.format(
            f"{select} WHERE ({condition}) AND d.id BETWEEN ${number + 1}::bigint AND ${number + 2}::bigint"
            f" {order} LIMIT ${number + 3}::bigint"
        )

    def within(self, first: int, last: int, limit: int | None) -> tuple[Any, ...]:
        """The statement and its values for one range; None for no limit."""
        return self._statement, *self._values, first, last, limit


async def read_page(
    connection: asyncpg.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> DeliveryPage:
    """A page by keyset pagination, so that its depth costs nothing."""
    records, more, reached = await _search(
        connection, query, cursor, limit, SELECT_DELIVERY, older=older, budget_ms=budget_ms
    )
    rows = [delivery_from_row(row) for row in records]
    if older:
        rows.reverse()
    return DeliveryPage(tuple(rows), more, reached)


async def read_ids(
    connection: asyncpg.Connection, query: Query, cursor: int, limit: int, *, older: bool, budget_ms: int = 0
) -> IdPage:
    """Ids by keyset pagination."""
    records, more, reached = await _search(
        connection, query, cursor, limit, SELECT_ID, older=older, budget_ms=budget_ms
    )
    listed = tuple(row[0] for row in records)
    if reached:
        return IdPage(listed, more=True, reached=reached)
    if more:
        return IdPage(listed, more=True, reached=listed[-1] if listed else cursor)
    return IdPage(listed, more=False, reached=1 if older else max(await connection.fetchval(_SELECT_NEWEST_ID), cursor))


async def _search(
    connection: asyncpg.Connection,
    query: Query,
    cursor: int,
    limit: int,
    select: str,
    *,
    older: bool,
    budget_ms: int,
) -> tuple[list[asyncpg.Record], bool, int]:
    """(rows in the requested direction, whether there may be more, the last id searched if the budget ran out)."""
    newest = await connection.fetchval(_SELECT_NEWEST_ID)
    window = _MIN_WINDOW_IDS if budget_ms and query.terms else newest + 1
    statement = RangeStatement(select, query, order=f"ORDER BY d.id {'DESC' if older else 'ASC'}")
    now = monotonic()
    deadline = now + budget_ms / 1000
    candidates = await CandidateRanges.of_query(connection, query)
    records: list[asyncpg.Record] = []
    at = (cursor - 1 if cursor else newest) if older else cursor + 1
    while 1 <= at <= newest:
        low, high = (max(1, at - window + 1), at) if older else (at, min(newest, at + window - 1))
        for first, last in await candidates.within(low, high, older=older):
            records += await connection.fetch(*statement.within(first, last, limit + 1 - len(records)))
            if len(records) > limit:
                return records[:limit], True, 0
        at = low - 1 if older else high + 1
        if budget_ms and 1 <= at <= newest:
            before, now = now, monotonic()
            if now > deadline:
                return records, True, low if older else high
            if now - before < budget_ms / 4000:  # a quarter of the budget
                window = min(2 * window, _MAX_WINDOW_IDS)
    return records, False, 0


async def get_many(connection: asyncpg.Connection, delivery_ids: Sequence[int], query: Query) -> tuple[Delivery, ...]:
    """The deliveries with these ids that exist and match, oldest first."""
    values: list[Any] = [list(delivery_ids)]
    condition = compile_query(query, DIALECT, values)
    records = await connection.fetch(
        f"{SELECT_DELIVERY} WHERE d.id = ANY ($1::bigint[]) AND ({condition}) ORDER BY d.id", *values
    )
    return tuple(delivery_from_row(row) for row in records)


async def count_matches(connection: asyncpg.Connection, query: Query, cap: int) -> int:
    """Number of matching deliveries; without terms from the maintained counts."""
    if not query.terms:
        total = int(await connection.fetchval("SELECT coalesce(sum(n), 0) FROM counts"))
        return min(total, cap) if cap else total
    statement = RangeStatement(f"SELECT 1 {_FROM_DELIVERIES}", query, template="SELECT count(*) FROM ({}) AS found")
    candidates = await CandidateRanges.of_query(connection, query)
    found = 0
    for low, high in await candidates.within(1, await connection.fetchval(_SELECT_NEWEST_ID)):
        found += int(await connection.fetchval(*statement.within(low, high, cap - found if cap else None)))
        if cap and found >= cap:
            break
    return found


async def read_repaired(connection: asyncpg.Connection) -> dict[str, dict[State, int]]:
    """Repaired deliveries by environment and state."""
    return states_from_rows(await connection.fetch(SELECT_REPAIRED_COUNTS))


async def read_counts(connection: asyncpg.Connection) -> Counts:
    """The maintained counts, and the leased deliveries."""
    rows = await connection.fetch(
        "SELECT e.name, e.endpoint, c.state, c.n FROM counts c JOIN environments e ON e.id = c.environment"
        " ORDER BY 1, 2, 3"
    )
    leased = await connection.fetch(
        "SELECT e.name, sum(l.n) FROM leases l JOIN environments e ON e.id = l.environment GROUP BY e.name"
    )
    forgotten = await connection.fetch(SELECT_FORGOTTEN_COUNTS)
    return counts_from_rows(rows, {row[0]: int(row[1]) for row in leased}, forgotten)


async def get(connection: asyncpg.Connection, delivery_id: int) -> DeliveryDetail | None:
    """A delivery, its payload and its attempts."""
    row = await connection.fetchrow(f"{SELECT_DELIVERY} WHERE d.id = $1", delivery_id)
    if row is None:
        return None
    raw, body = (await read_payloads(connection, [delivery_id]))[delivery_id]
    attempts = await connection.fetch(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE id IN (SELECT attempt FROM history WHERE delivery = $1"
        " UNION SELECT attempt FROM deliveries WHERE id = $1) ORDER BY started_at, id",
        delivery_id,
    )
    return DeliveryDetail(
        delivery=delivery_from_row(row), raw=raw, body=body, history=tuple(attempt_from_row(row) for row in attempts)
    )


async def read_bodies(connection: asyncpg.Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The mapped calls of these deliveries, without those that are gone or damaged."""
    rows = await connection.fetch("SELECT id FROM deliveries WHERE id = ANY($1::bigint[]) ORDER BY id", list(ids))
    wanted: list[int] = [row[0] for row in rows]
    bodies: dict[int, bytes] = {}
    parts = [wanted]
    while parts:
        part = parts.pop()
        try:
            payloads = await read_payloads(connection, part)
        except DamagedPayloadError as error:
            parts += error.parts_to_retry(part)
        else:
            bodies |= {delivery_id: body for delivery_id, (_, body) in payloads.items()}
    return bodies


async def find(connection: asyncpg.Connection, environment: str, message_id: str) -> Delivery | None:
    """The delivery that holds an identity."""
    key = identity_key(environment, message_id)
    while True:
        known = (await find_identities(connection, {key}))[key]
        if not isinstance(known, StoredIdentity):
            return None
        if known.message_id == message_id and known.environment == environment:
            row = await connection.fetchrow(f"{SELECT_DELIVERY} WHERE d.id = $1", known.id)
            return delivery_from_row(row) if row is not None else None
        key += 1


async def read_changes(connection: asyncpg.Connection, cursor: str, limit: int) -> Changes:
    """Rows after the newest id of the cursor, and rows recorded as changed after its last change record.

    Ids and change records become visible in their order, so that the largest one covers all before it. Both are read
    before the rows: a later change may be returned twice, but is never missed.
    """
    newest, last, first = await connection.fetchrow(
        f"SELECT ({_SELECT_NEWEST_ID}), (SELECT coalesce(max(seq), 0) FROM changes), (SELECT "
        f"coalesce(min(seq), 0) FROM changes)"
    )
    if not cursor:
        return Changes(f"{newest}:{last}", ())
    seen_id, seen_seq = (int(part) for part in cursor.split(":"))
    # the newest rows may have been pruned, and the change records too
    newest, last = max(newest, seen_id), max(last, seen_seq)
    now = f"{newest}:{last}"
    if (seen_id, seen_seq) == (newest, last):
        return Changes(now, ())
    # change records are kept for a while only: a follower that was away longer has to reload
    overflow = seen_seq + 1 < first
    changed: set[int] = set()
    for (changed_ids,) in await connection.fetch("SELECT ids FROM changes WHERE seq > $1 ORDER BY seq DESC", seen_seq):
        changed.update(changed_ids)
        if len(changed) > limit:
            overflow = True
            break
    arrived = await connection.fetch(
        f"{SELECT_DELIVERY} WHERE d.id > $1 ORDER BY d.id DESC LIMIT $2", seen_id, limit + 1
    )
    overflow = overflow or len(arrived) > limit
    rows_by_id = {row[0]: row for row in arrived[:limit]}
    older = sorted((delivery_id for delivery_id in changed if delivery_id <= seen_id), reverse=True)
    overflow = overflow or len(rows_by_id) + len(older) > limit
    older = older[: limit - len(rows_by_id)]
    if older:
        rows_by_id |= {
            row[0]: row for row in await connection.fetch(f"{SELECT_DELIVERY} WHERE d.id = ANY ($1::bigint[])", older)
        }
    return Changes(now, tuple(delivery_from_row(rows_by_id[key]) for key in sorted(rows_by_id)), overflow)


async def read_lanes(connection: asyncpg.Connection, endpoint: str) -> dict[str, Lane]:
    """Every lane to this endpoint by environment."""
    records = await connection.fetch(
        f"SELECT {LANE_COLUMNS} FROM lanes l JOIN environments e ON e.id = l.environment WHERE e.endpoint = $1",
        sanitize_text(endpoint),
    )
    return {row[0]: lane_from_row(row) for row in records}


async def count_queued(connection: asyncpg.Connection, first_id: int, last_id: int) -> int:
    """Queued deliveries in a range of ids: over its rows, or over the index of due deliveries and the leases.

    The cheaper one is used; with the latter, deliveries in end states cost nothing.
    """
    queued = await connection.fetchval("SELECT coalesce(sum(n), 0) FROM counts WHERE state = 0")
    if not queued:
        return 0
    if (last_id - first_id) * _ROW_COST_FACTOR < queued:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM deliveries WHERE state = 0 AND id BETWEEN $1 AND $2", first_id, last_id
            )
        )
    # one statement: a lease released between two would be counted by neither
    return int(
        await connection.fetchval(
            "SELECT (SELECT count(*) FROM deliveries WHERE state = 0 AND lease IS NULL AND id BETWEEN $1 AND $2)"
            " + (SELECT count(*) FROM leases l CROSS JOIN unnest(l.ids) AS i(id) JOIN deliveries d ON d.id = i.id"
            " WHERE d.lease = l.id AND d.state = 0 AND i.id BETWEEN $1 AND $2)",
            first_id,
            last_id,
        )
    )


async def count_by_state(connection: asyncpg.Connection, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
    """Number of deliveries in a range of ids by state and reason."""
    records = await connection.fetch(
        "SELECT state, reason, count(*) FROM deliveries WHERE id BETWEEN $1 AND $2 GROUP BY state, reason",
        first_id,
        last_id,
    )
    return {(STATES_BY_CODE[state], reason): number for state, reason, number in records}


_ACCEPTED = Placeholders(
    environment="$1::text",
    since="$2::bigint",
    until="$3::bigint",
    endpoint="$4::text",
    time="floor(a.started_at + a.latency_ms)::bigint",
)
_FIRSTS_SQL, _SENDS_SQL, _ACCEPTED_IDS_SQL = firsts_sql(_ACCEPTED), sends_sql(_ACCEPTED), ids_sql(_ACCEPTED)


async def read_accepted(
    connection: asyncpg.Connection, environment: str, since: int, until: int, endpoint: str
) -> tuple[AcceptedBin, ...]:
    """Accepted sends in bins, from one snapshot."""
    values = (sanitize_text(environment), since, until, sanitize_text(endpoint))
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        firsts = await connection.fetch(_FIRSTS_SQL, *values)
        sends = await connection.fetch(_SENDS_SQL, *values)
    return bins_from_rows((tuple(row) for row in firsts), (tuple(row) for row in sends), since, until)


async def read_accepted_ids(
    connection: asyncpg.Connection, environment: str, since: int, until: int, endpoint: str
) -> tuple[int, ...]:
    """Ids of deliveries whose last accepted send lies in the window."""
    rows = await connection.fetch(_ACCEPTED_IDS_SQL, sanitize_text(environment), since, until, sanitize_text(endpoint))
    return tuple(row[0] for row in rows)
