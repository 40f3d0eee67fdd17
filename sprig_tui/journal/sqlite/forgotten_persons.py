"""Forgotten persons in the file: the list, its requests, and what adding and claiming ask of it."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sprig_tui.errors import JournalError
from sprig_tui.journal.forget_key import checked_key, key_check, key_file_beside, make_key
from sprig_tui.journal.forgetting import (
    FORGOTTEN_FILTER,
    RECEIPT_COLUMNS,
    ForgetReceipt,
    ForgottenIdentifier,
    KeyedPersons,
    merged_counts,
    receipt_from_row,
    removed_query,
)
from sprig_tui.journal.persons import Identifier, NameSearch, identifier_hash
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Claim, NewDelivery
from sprig_tui.journal.sqlite.payloads import read_bodies, read_payloads
from sprig_tui.journal.sqlite.tables import JournalConnection, encode_ids


def forgotten_persons(connection: sqlite3.Connection) -> KeyedPersons | None:
    """The persons whose answers are not taken in; None for nobody. Raises ForgetKeyError."""
    version, check = connection.execute("SELECT version, key_check FROM forget_state").fetchone()
    if not version:
        return None
    known = connection.forgotten if isinstance(connection, JournalConnection) else None
    if known is None or known.version != version:
        key = checked_key(_key_file(connection), check)
        hashes = [row[0] for row in connection.execute("SELECT hash FROM forgotten").fetchall()]
        known = KeyedPersons.of(version, key, hashes)
        if isinstance(connection, JournalConnection):
            connection.forgotten = known
    return known


def withhold_forgotten(connection: sqlite3.Connection, entries: Sequence[NewDelivery]) -> Sequence[NewDelivery]:
    """The entries, with those of forgotten persons reduced to what the account needs; in the caller's transaction."""
    persons = forgotten_persons(connection)
    return entries if persons is None else persons.withhold(entries)


def persons_being_forgotten(connection: sqlite3.Connection) -> KeyedPersons | None:
    """The forgotten persons while some of their deliveries may still be queued; otherwise None."""
    if not connection.execute("SELECT EXISTS(SELECT 1 FROM forget_receipts WHERE ended_at = 0)").fetchone()[0]:
        return None
    return forgotten_persons(connection)


def read_claimed(connection: sqlite3.Connection, claim: Claim) -> tuple[list[bytes], list[int]]:
    """The bodies of a claim, and the positions of those that must not be sent: a person of theirs is being forgotten.

    Raises DamagedPayloadError.
    """
    bodies = read_bodies(connection, claim.ids, claim.environment)
    persons = persons_being_forgotten(connection)
    if persons is None:
        return bodies, []
    payloads = read_payloads(connection, claim.ids)
    rows = connection.execute(
        "SELECT id, user_id FROM deliveries WHERE id IN (SELECT value FROM json_each(?))", (encode_ids(claim.ids),)
    ).fetchall()
    user_ids = dict(rows)
    return bodies, persons.positions([user_ids[one] for one in claim.ids], [payloads[one] for one in claim.ids])


def read_forgotten(connection: sqlite3.Connection) -> tuple[ForgottenIdentifier, ...]:
    """The list, oldest first."""
    return tuple(
        ForgottenIdentifier(*row)
        for row in connection.execute("SELECT kind, since, receipt, hash FROM forgotten ORDER BY since, hash")
    )


def read_receipts(connection: sqlite3.Connection) -> tuple[ForgetReceipt, ...]:
    """All requests, oldest first."""
    return tuple(
        receipt_from_row(row)
        for row in connection.execute(f"SELECT {RECEIPT_COLUMNS} FROM forget_receipts ORDER BY id").fetchall()
    )


def begin(connection: sqlite3.Connection, identifiers: Sequence[Identifier], actor: str, now: int) -> int:
    """Put these on the list, and remove the filters of replay jobs that name them; returns the receipt's number.

    From this transaction on nothing of theirs is taken in.
    """
    check = connection.execute("SELECT key_check FROM forget_state").fetchone()[0]
    key = make_key(_key_file(connection), check)
    replays = _remove_named_replays(connection, NameSearch(identifiers))
    counts = merged_counts("{}", {"identifiers": len(identifiers), "replays": replays})
    receipt = int(
        connection.execute(
            "INSERT INTO forget_receipts(action, actor, started_at, counts) VALUES('forget', ?, ?, ?)",
            (actor, now, counts),
        ).lastrowid
        or 0
    )
    connection.executemany(
        "INSERT OR IGNORE INTO forgotten(hash, kind, since, receipt) VALUES(?, ?, ?, ?)",
        [(identifier_hash(key, one), one.kind, now, receipt) for one in identifiers],
    )
    _set_version(connection, key_check(key))
    return receipt


def end(
    connection: sqlite3.Connection, receipt: int, counts: Mapping[str, int], regulation: str, now: int, *, done: bool
) -> ForgetReceipt:
    """Add to the counts of a receipt, and mark it as finished if it is."""
    stored = connection.execute("SELECT counts FROM forget_receipts WHERE id = ?", (receipt,)).fetchone()
    if stored is None:
        raise JournalError(f"there is no receipt {receipt}")
    connection.execute(
        "UPDATE forget_receipts SET counts = ?, ended_at = CASE WHEN ? THEN max(?, 1) ELSE ended_at END,"
        " regulation = CASE WHEN ? <> '' THEN ? ELSE regulation END WHERE id = ?",
        (merged_counts(stored[0], counts), done, now, regulation, regulation, receipt),
    )
    return next(one for one in read_receipts(connection) if one.id == receipt)


def undo(connection: sqlite3.Connection, identifiers: Sequence[Identifier] | None, actor: str, now: int) -> int:
    """Take these off the list, or all with None; returns how many were on it."""
    check = connection.execute("SELECT key_check FROM forget_state").fetchone()[0]
    if identifiers is None:
        gone = connection.execute("DELETE FROM forgotten").rowcount
    elif not check:
        gone = 0
    else:
        key = checked_key(_key_file(connection), check)
        hashes = [(identifier_hash(key, one),) for one in identifiers]
        gone = sum(connection.execute("DELETE FROM forgotten WHERE hash = ?", one).rowcount for one in hashes)
    if gone or identifiers is None:
        left = connection.execute("SELECT EXISTS(SELECT 1 FROM forgotten)").fetchone()[0]
        # with nobody on the list the key is not needed any more
        _set_version(connection, check if identifiers is not None else b"", is_empty=not left)
        connection.execute(
            "INSERT INTO forget_receipts(action, actor, started_at, ended_at, counts) VALUES('undo', ?, ?, ?, ?)",
            (actor, now, max(now, 1), merged_counts("{}", {"identifiers": gone})),
        )
        if identifiers is None:
            connection.execute("UPDATE forget_receipts SET ended_at = ? WHERE ended_at = 0", (max(now, 1),))
    return gone


def _set_version(connection: sqlite3.Connection, check: bytes, *, is_empty: bool = False) -> None:
    # random, so that the list of a restored backup is not taken for one that was read before
    version = 0 if is_empty else 1 + secrets.randbits(62)
    connection.execute("UPDATE forget_state SET version = ?, key_check = ?", (version, check))


def _remove_named_replays(connection: sqlite3.Connection, names: NameSearch) -> int:
    removed = 0
    for job, stored in connection.execute("SELECT id, query FROM replays").fetchall():
        try:
            query = msgspec.json.decode(stored, type=Query)
        except msgspec.DecodeError:
            continue
        if names.is_in_query(query):
            connection.execute(
                "UPDATE replays SET filter = ?, query = ?, state = CASE WHEN state IN ('running', 'paused') THEN"
                " 'cancelled' ELSE state END WHERE id = ?",
                (FORGOTTEN_FILTER, removed_query(), job),
            )
            removed += 1
    return removed


def _key_file(connection: sqlite3.Connection) -> Path:
    return key_file_beside(next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"))
