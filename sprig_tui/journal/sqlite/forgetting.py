"""Forgetting in the file: the list of forgotten persons, the search for what holds them, and its removal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from sprig_tui.journal.content import without_items
from sprig_tui.journal.dedup import StoredIdentity, identity_key
from sprig_tui.journal.forgetting import (
    REMOVAL_COLUMNS,
    SCAN_PACKS,
    UNSETTLED_DETAIL,
    EraseResult,
    PersonScan,
    Removal,
    find_in_packs,
    merged_counts,
)
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.persons import NameSearch, PersonMatcher, is_in_name
from sprig_tui.journal.quotes import REMOVED_TEXT, cleaned_attempt, may_quote
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.sqlite.claim import release_expired
from sprig_tui.journal.sqlite.forgotten_persons import forgotten_persons
from sprig_tui.journal.sqlite.identity_index import IdentityIndex
from sprig_tui.journal.sqlite.tables import decode_ids, drop_counts, encode_ids, record_changes, update_counts
from sprig_tui.journal.sqlite.tombstones import store_tombstones

_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]
_AMONG = "IN (SELECT value FROM json_each(?))"


# -- the search ---


def scan(connection: sqlite3.Connection, matcher: PersonMatcher | None, names: NameSearch, after: int) -> PersonScan:
    """The next deliveries above id `after` that hold one of the persons, and payloads that pruned ones left.

    Without a matcher: the persons on the list.
    """
    if matcher is None:
        persons = forgotten_persons(connection)
        if persons is None:
            return PersonScan((), after, more=False, scanned=0)
        matcher = persons.matcher
    packs = connection.execute(
        "SELECT first, raws, bodies FROM packs WHERE first >= (SELECT coalesce(max(first), 0) FROM packs WHERE"
        " first <= ?) ORDER BY first LIMIT ?",
        (after + 1, SCAN_PACKS + 1),
    ).fetchall()
    if len(packs) > SCAN_PACKS:
        end = packs.pop()[0] - 1
    else:
        end = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    rows = {
        row[0]: row[1:]
        for row in connection.execute(
            "SELECT d.id, d.state, d.user_id, e.name FROM deliveries d NOT INDEXED JOIN environments e"
            " ON e.id = d.environment WHERE d.id > ? AND d.id <= ? AND d.reason <> 'forgotten'",
            (after, end),
        )
    }
    step = find_in_packs(packs, rows, after, end, matcher, names)
    newest = connection.execute("SELECT next_id - 1 FROM sequence").fetchone()[0]
    return replace(step, more=end < newest)


# -- the removal ---


def erase(connection: sqlite3.Connection, ids: Sequence[int], now: int, *, lease: int = 0) -> EraseResult:
    """Remove the content of these deliveries, also of those that `lease` holds; other leased ones are unchanged."""
    persons = forgotten_persons(connection)
    if persons is None or not ids:
        return EraseResult({})
    connection.execute("PRAGMA secure_delete = ON")
    wanted = encode_ids(ids)
    orphaned = _release_dead(connection, wanted, now)
    rows = connection.execute(
        f"SELECT d.lease, {REMOVAL_COLUMNS} FROM deliveries d JOIN environments e ON e.id = d.environment"
        f" LEFT JOIN attempts a ON a.id = d.attempt WHERE d.id {_AMONG} ORDER BY d.id",
        (wanted,),
    ).fetchall()
    leased = tuple(row[1] for row in rows if row[0] is not None and row[0] != lease)
    kept = {*leased}
    removal = Removal(persons.key, orphaned)
    for row in rows:
        if row[1] not in kept:
            removal.add(row[1:])
    gone = [row[0] for row in removal.old_identities]
    for delivery_id, name, message_id in removal.old_identities:
        _drop_identity(connection, name, message_id, delivery_id)
    identities = IdentityIndex(connection, [])
    for identity in removal.new_identities:
        _strip(connection, identity, UNSETTLED_DETAIL if identity.id in removal.unsettled else "")
        identities.put(identity)
    identities.save()
    store_tombstones(connection, removal.tombstones)
    counts = removal.counts
    counts["responses"] += clean_attempts(connection, gone)
    leftovers, damaged = _blank_payloads(connection, [one for one in ids if one not in kept], {row[1] for row in rows})
    counts["leftovers"] += leftovers
    counts["damaged"] += damaged
    update_counts(connection, removal.states)
    drop_counts(connection, gone)
    record_changes(connection, gone)
    if lease:
        _shrink_lease(connection, lease, {*gone})
    counts = +counts
    _add_to_open_receipt(connection, counts)
    return EraseResult(dict(counts), leased)


def _release_dead(connection: sqlite3.Connection, wanted: str, now: int) -> set[int]:
    """Release the leases of dead workers on these deliveries; returns those that were released."""
    select = f"SELECT id, environment FROM deliveries WHERE id {_AMONG} AND lease IS NOT NULL"
    before = connection.execute(select, (wanted,)).fetchall()
    for environment in {row[1] for row in before}:
        release_expired(connection, environment, now)
    after = {row[0] for row in connection.execute(select, (wanted,)).fetchall()} if before else set()
    return {row[0] for row in before} - after


def _strip(connection: sqlite3.Connection, identity: StoredIdentity, detail: str) -> None:
    connection.execute(
        "UPDATE deliveries SET message_id = ?, reason = 'forgotten', lease = NULL,"
        f" state = CASE WHEN state = {_QUEUED} THEN {_WITHHELD} ELSE state END, priority = 0, due_at = 0, tries = 0,"
        " first_try = 0, answered_at = 0, updated_at = 0, size = 0, line = 0, digest = x'', detail = ?, error = '',"
        " survey_id = '', survey_name = '', user_id = '', question_type = '', question_id = '', answer = '',"
        " source = '', edited = 0 WHERE id = ?",
        (identity.message_id, detail, identity.id),
    )


def _drop_identity(connection: sqlite3.Connection, name: str, message_id: str, delivery_id: int) -> None:
    key = identity_key(name, message_id)
    for table in ("recent_ids", "ids"):
        # by delivery too: an identity that another delivery took over is kept
        connection.execute(f"DELETE FROM {table} WHERE key = ? AND delivery = ?", (key, delivery_id))


def clean_attempts(connection: sqlite3.Connection, ids: Sequence[int], removed: str = REMOVED_TEXT) -> int:
    """Remove what may quote the records of these deliveries from their requests; returns in how many."""
    encoded = encode_ids(ids)
    cleaned = 0
    for number, status, error, excerpt in connection.execute(
        "SELECT id, status, error, excerpt FROM attempts WHERE id IN (SELECT attempt FROM deliveries"
        f" WHERE id {_AMONG} UNION SELECT attempt FROM history WHERE delivery {_AMONG})",
        (encoded, encoded),
    ).fetchall():
        clean = cleaned_attempt(status, error, excerpt, removed)
        if clean is not None:
            connection.execute("UPDATE attempts SET error = ?, excerpt = ? WHERE id = ?", (*clean, number))
            cleaned += 1
    return cleaned


def _blank_payloads(connection: sqlite3.Connection, ids: Sequence[int], with_rows: set[int]) -> tuple[int, int]:
    """Empty the payloads of these; returns how many had no row, and how many are in damaged packs."""
    leftovers = damaged = 0
    left = sorted(set(ids))
    while left:
        pack = connection.execute(
            "SELECT first, raws, bodies, coalesce((SELECT min(n.first) FROM packs n WHERE n.first > p.first),"
            " (SELECT next_id FROM sequence)) FROM packs p WHERE first <= ? ORDER BY first DESC LIMIT 1",
            (left[0],),
        ).fetchone()
        if pack is None:
            left.pop(0)
            continue
        first, raws, bodies, after = pack
        gone = {one for one in left if one < after}
        left = [one for one in left if one >= after]
        owners = {
            row[0]: (row[1], row[2])
            for row in connection.execute(
                "SELECT d.id, e.name, d.message_id FROM deliveries d JOIN environments e ON e.id = d.environment"
                " WHERE d.id >= ? AND d.id < ?",
                (first, after),
            )
        }
        try:
            raws, bodies = without_items(raws, bodies, first, gone, owners)
        except DamagedPayloadError:
            damaged += len(gone)
            continue
        leftovers += len(gone - with_rows)
        connection.execute("UPDATE packs SET raws = ?, bodies = ? WHERE first = ?", (raws, bodies, first))
    return leftovers, damaged


def _shrink_lease(connection: sqlite3.Connection, lease: int, gone: set[int]) -> None:
    row = connection.execute("SELECT ids FROM leases WHERE id = ?", (lease,)).fetchone()
    if row is not None:
        left = [one for one in decode_ids(row[0]) if one not in gone]
        connection.execute("UPDATE leases SET ids = ?, n = ? WHERE id = ?", (encode_ids(left), len(left), lease))


def quoting_texts(connection: sqlite3.Connection) -> list[str]:
    """Errors, responses and names of files that quote somebody on the list.

    To be called on a reader, because it reads every row.
    """
    persons = forgotten_persons(connection)
    if persons is None:
        return []
    texts = connection.execute(
        # without a response the error is a text of this program
        "SELECT error FROM deliveries NOT INDEXED WHERE error <> '' UNION SELECT error FROM attempts"
        " EXCEPT SELECT error FROM attempts WHERE status = 0 UNION SELECT excerpt FROM attempts"
    )
    found = [text for (text,) in texts if may_quote(text) and persons.matcher.is_quoted_in(text)]
    names = connection.execute("SELECT DISTINCT source FROM deliveries NOT INDEXED")
    return found + [name for (name,) in names if is_in_name(persons.matcher, name)]


def remove_quotes(connection: sqlite3.Connection, texts: Sequence[str]) -> int:
    """Remove these texts wherever they are; returns in how many responses."""
    connection.execute("PRAGMA secure_delete = ON")
    encoded = json.dumps(list(texts))
    connection.execute(f"UPDATE deliveries SET error = ? WHERE error <> '' AND error {_AMONG}", (REMOVED_TEXT, encoded))
    connection.execute(
        f"UPDATE deliveries SET source = ? WHERE source <> '' AND source {_AMONG}", (REMOVED_TEXT, encoded)
    )
    connection.execute(f"UPDATE attempts SET error = ? WHERE error {_AMONG}", (REMOVED_TEXT, encoded))
    changed = connection.execute(f"UPDATE attempts SET excerpt = ? WHERE excerpt {_AMONG}", (REMOVED_TEXT, encoded))
    _add_to_open_receipt(connection, {"responses": changed.rowcount})
    return changed.rowcount


def _add_to_open_receipt(connection: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    """In the transaction that removes, so that the receipt of a killed process is right too."""
    row = connection.execute(
        "SELECT id, counts FROM forget_receipts WHERE ended_at = 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is not None and any(counts.values()):
        connection.execute(
            "UPDATE forget_receipts SET counts = ? WHERE id = ?", (merged_counts(row[1], counts), row[0])
        )
