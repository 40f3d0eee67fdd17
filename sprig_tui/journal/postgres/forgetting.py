"""Forgetting at the server: the search for what holds forgotten persons, and its removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
from msgspec.structs import replace

from sprig_tui.journal.content import without_items
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.forgetting import (
    REMOVAL_COLUMNS,
    SCAN_PACKS,
    UNSETTLED_DETAIL,
    EraseResult,
    KeyedPersons,
    PersonScan,
    Removal,
    find_in_packs,
    merged_counts,
)
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.persons import NameSearch, PersonMatcher, is_in_name
from sprig_tui.journal.postgres.tombstones import store_tombstones
from sprig_tui.journal.quotes import REMOVED_TEXT, cleaned_attempt, may_quote
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES

_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]


async def scan(connection: asyncpg.Connection, matcher: PersonMatcher, names: NameSearch, after: int) -> PersonScan:
    """The next deliveries above id `after` that hold one of the persons, and payloads that pruned ones left."""
    packs = [
        (row[0], bytes(row[1]), bytes(row[2]))
        for row in await connection.fetch(
            "SELECT first, raws, bodies FROM packs WHERE first >= (SELECT coalesce(max(first), 0) FROM packs WHERE"
            " first <= $1) ORDER BY first LIMIT $2",
            after + 1,
            SCAN_PACKS + 1,
        )
    ]
    newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM deliveries")
    end = packs.pop()[0] - 1 if len(packs) > SCAN_PACKS else newest
    rows = {
        row[0]: (row[1], row[2], row[3])
        for row in await connection.fetch(
            "SELECT d.id, d.state, d.user_id, e.name FROM deliveries d JOIN environments e ON e.id = d.environment"
            " WHERE d.id > $1 AND d.id <= $2 AND d.reason <> 'forgotten'",
            after,
            end,
        )
    }
    step = find_in_packs(packs, rows, after, end, matcher, names)
    return replace(step, more=end < newest)


async def erase(
    connection: asyncpg.Connection, persons: KeyedPersons, ids: Sequence[int], now: int, *, lease: int = 0
) -> EraseResult:
    """Remove the content of these deliveries, also of those that `lease` holds; other leased ones are unchanged.

    In the caller's transaction. Locks are taken in the order that claims and settlements take them in.
    """
    if lease:
        await connection.execute("SELECT 1 FROM leases WHERE id = $1 FOR UPDATE", lease)
    orphaned = await _release_dead(connection, ids, now)
    rows = await connection.fetch(
        f"SELECT d.lease, {REMOVAL_COLUMNS} FROM deliveries d JOIN environments e ON e.id = d.environment"
        " LEFT JOIN attempts a ON a.id = d.attempt WHERE d.id = ANY ($1::bigint[]) ORDER BY d.id FOR UPDATE OF d",
        list(ids),
    )
    leased = tuple(row[1] for row in rows if row[0] is not None and row[0] != lease)
    kept = {*leased}
    removal = Removal(persons.key, orphaned)
    for row in rows:
        if row[1] not in kept:
            removal.add(tuple(row)[1:])
    gone = [row[0] for row in removal.old_identities]
    await _strip(connection, removal)
    await store_tombstones(connection, removal.tombstones)
    counts = removal.counts
    counts["responses"] += await clean_attempts(connection, gone)
    leftovers, damaged = await _blank_payloads(
        connection, [one for one in ids if one not in kept], {row[1] for row in rows}
    )
    counts["leftovers"] += leftovers
    counts["damaged"] += damaged
    counts = +counts
    await _add_to_open_receipt(connection, counts)
    if lease:
        await connection.execute(
            "UPDATE leases SET ids = ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest($2::bigint[])), n = cardinality("
            "ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest($2::bigint[]))) WHERE id = $1",
            lease,
            gone,
        )
    await connection.execute(
        "SELECT close_books($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[])",
        [environment for environment, _ in removal.states],
        [state for _, state in removal.states],
        list(removal.states.values()),
        gone,
    )
    return EraseResult(dict(counts), leased)


async def _release_dead(connection: asyncpg.Connection, ids: Sequence[int], now: int) -> set[int]:
    """Release the leases of dead workers on these deliveries; returns those that were released."""
    select = "SELECT id, environment FROM deliveries WHERE id = ANY ($1::bigint[]) AND lease IS NOT NULL"
    before = await connection.fetch(select, list(ids))
    for environment in sorted({row[1] for row in before}):
        await connection.execute("SELECT give_back_expired($1, $2)", environment, now)
    after = {row[0] for row in await connection.fetch(select, list(ids))} if before else set()
    return {row[0] for row in before} - after


async def _strip(connection: asyncpg.Connection, removal: Removal) -> None:
    if not removal.new_identities:
        return
    old = [(identity_key(name, message_id), delivery_id) for delivery_id, name, message_id in removal.old_identities]
    await connection.execute(
        # by key and by delivery: an identity that another delivery took over is kept
        "DELETE FROM ids USING unnest($1::bigint[], $2::bigint[]) AS u(key, delivery)"
        " WHERE ids.key = u.key AND ids.delivery = u.delivery",
        [key for key, _ in old],
        [delivery_id for _, delivery_id in old],
    )
    await connection.execute(
        "UPDATE deliveries d SET message_id = u.message_id, reason = 'forgotten', lease = NULL,"
        f" state = CASE WHEN state = {_QUEUED} THEN {_WITHHELD} ELSE state END, priority = 0, due_at = 0, tries = 0,"
        " first_try = 0, answered_at = 0, updated_at = 0, size = 0, line = 0, digest = '', detail = u.detail,"
        " error = '', survey_id = '', survey_name = '', user_id = '', question_type = '', question_id = '',"
        " answer = '', source = '', edited = false"
        " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(id, message_id, detail) WHERE d.id = u.id",
        [one.id for one in removal.new_identities],
        [one.message_id for one in removal.new_identities],
        [UNSETTLED_DETAIL if one.id in removal.unsettled else "" for one in removal.new_identities],
    )
    new = sorted((identity_key(one.environment, one.message_id), one.id) for one in removal.new_identities)
    await connection.execute(
        # an earlier delivery of the same answer may hold it
        "INSERT INTO ids(key, delivery) SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT (key) DO NOTHING",
        [key for key, _ in new],
        [delivery_id for _, delivery_id in new],
    )


async def clean_attempts(connection: asyncpg.Connection, ids: Sequence[int], removed: str = REMOVED_TEXT) -> int:
    """Remove what may quote the records of these deliveries from their requests; returns in how many."""
    cleaned = 0
    for number, status, error, excerpt in await connection.fetch(
        "SELECT id, status, error, excerpt FROM attempts WHERE id IN (SELECT attempt FROM deliveries"
        " WHERE id = ANY ($1::bigint[]) UNION SELECT attempt FROM history WHERE delivery = ANY ($1::bigint[]))"
        " ORDER BY id FOR UPDATE",
        list(ids),
    ):
        clean = cleaned_attempt(status, error, excerpt, removed)
        if clean is not None:
            await connection.execute("UPDATE attempts SET error = $2, excerpt = $3 WHERE id = $1", number, *clean)
            cleaned += 1
    return cleaned


async def _blank_payloads(connection: asyncpg.Connection, ids: Sequence[int], with_rows: set[int]) -> tuple[int, int]:
    """Empty the payloads of these; returns how many had no row, and how many are in damaged packs."""
    leftovers = damaged = 0
    left = sorted(set(ids))
    while left:
        pack = await connection.fetchrow(
            "SELECT first, raws, bodies, coalesce((SELECT min(n.first) FROM packs n WHERE n.first > p.first),"
            " (SELECT max(id) + 1 FROM deliveries), p.first) FROM packs p WHERE first = (SELECT max(first) FROM packs"
            " WHERE first <= $1) FOR UPDATE",
            left[0],
        )
        if pack is None:
            left.pop(0)
            continue
        first, raws, bodies, after = pack
        gone = {one for one in left if one < max(after, left[0] + 1)}
        left = [one for one in left if one not in gone]
        owners = {
            row[0]: (row[1], row[2])
            for row in await connection.fetch(
                "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                " WHERE d.id >= $1 AND d.id < $2",
                first,
                after,
            )
        }
        try:
            raws, bodies = without_items(bytes(raws), bytes(bodies), first, gone, owners)
        except DamagedPayloadError:
            damaged += len(gone)
            continue
        leftovers += len(gone - with_rows)
        await connection.execute("UPDATE packs SET raws = $2, bodies = $3 WHERE first = $1", first, raws, bodies)
    return leftovers, damaged


async def quoting_texts(connection: asyncpg.Connection, persons: KeyedPersons) -> list[str]:
    """Errors, responses and names of files that quote somebody on the list; reads every row."""
    rows = await connection.fetch(
        # without a response the error is a text of this program
        "(SELECT error FROM deliveries WHERE error <> '' UNION SELECT error FROM attempts"
        " EXCEPT SELECT error FROM attempts WHERE status = 0) UNION SELECT excerpt FROM attempts"
    )
    found = [row[0] for row in rows if may_quote(row[0]) and persons.matcher.is_quoted_in(row[0])]
    names = await connection.fetch("SELECT DISTINCT source FROM deliveries")
    return found + [row[0] for row in names if is_in_name(persons.matcher, row[0])]


async def remove_quotes(connection: asyncpg.Connection, texts: Sequence[str]) -> int:
    """Remove these texts wherever they are; returns in how many responses. In the caller's transaction."""
    await connection.execute(
        "UPDATE deliveries SET error = $1 WHERE error <> '' AND error = ANY ($2::text[])", REMOVED_TEXT, list(texts)
    )
    await connection.execute(
        "UPDATE deliveries SET source = $1 WHERE source <> '' AND source = ANY ($2::text[])", REMOVED_TEXT, list(texts)
    )
    await connection.execute("UPDATE attempts SET error = $1 WHERE error = ANY ($2::text[])", REMOVED_TEXT, list(texts))
    status = await connection.execute(
        "UPDATE attempts SET excerpt = $1 WHERE excerpt = ANY ($2::text[])", REMOVED_TEXT, list(texts)
    )
    changed = int(status.split()[-1])
    await _add_to_open_receipt(connection, {"responses": changed})
    return changed


async def _add_to_open_receipt(connection: asyncpg.Connection, counts: Mapping[str, int]) -> None:
    """In the transaction that removes, so that the receipt of a killed process is right too."""
    row = await connection.fetchrow(
        "SELECT id, counts FROM forget_receipts WHERE ended_at = 0 ORDER BY id DESC LIMIT 1 FOR UPDATE"
    )
    if row is not None and any(counts.values()):
        await connection.execute(
            "UPDATE forget_receipts SET counts = $2 WHERE id = $1", row[0], merged_counts(row[1], counts)
        )
