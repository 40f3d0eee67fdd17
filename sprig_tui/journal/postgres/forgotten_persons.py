"""Forgotten persons at the server: the list, its requests, and what adding and claiming ask of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg
import msgspec

from sprig_tui.errors import JournalError
from sprig_tui.journal.forget_key import checked_key, key_check, key_file_in, make_key
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
from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.postgres.payloads import read_payloads
from sprig_tui.journal.postgres.schema import LOCK_NAMESPACE
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Claim

LIST_LOCK = f"SELECT pg_advisory_xact_lock({LOCK_NAMESPACE}, 5)"
"""Until the end of the transaction, alone: those who add hold it together (sql/forgotten.sql)."""
_SELECT_STATE = "SELECT coalesce(max(version), 0), coalesce(max(key_check), '') FROM forget_state"


class ForgottenList:
    """The list as one process has read it last."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is that of the key."""
        self.folder = folder
        self.file: Path | None = None
        """The key; known once the journal is open."""
        self.persons: KeyedPersons | None = None
        """None for nobody."""
        self.is_stale = True
        """Whether it has to be read before the next add."""

    @property
    def version(self) -> int:
        """What an add tells the server."""
        return self.persons.version if self.persons is not None else 0

    def use_identity(self, uuid: str) -> None:
        """The journal is open."""
        self.file = key_file_in(self.folder, uuid) if self.folder is not None else None

    def key_file(self) -> Path:
        """The file of the key. Raises JournalError if no folder was given."""
        if self.file is None:
            raise JournalError(
                "persons were forgotten in this journal, and no folder with the key was given to this program",
                hint="open it with a key_folder",
            )
        return self.file

    async def refresh(self, connection: asyncpg.Connection) -> KeyedPersons | None:
        """Read the list, if it has changed. Raises ForgetKeyError."""
        version, check = await connection.fetchrow(_SELECT_STATE)
        if not version:
            self.persons = None
        elif self.version != version:
            key = checked_key(self.key_file(), bytes(check))
            rows = await connection.fetch("SELECT hash FROM forgotten")
            self.persons = KeyedPersons.of(version, key, [bytes(row[0]) for row in rows])
        self.is_stale = False
        return self.persons


async def forgotten_positions(connection: asyncpg.Connection, persons: KeyedPersons, claim: Claim) -> list[int]:
    """Positions of a claim's deliveries that are of forgotten persons. Raises DamagedPayloadError."""
    payloads = await read_payloads(connection, claim.ids)
    rows = await connection.fetch("SELECT id, user_id FROM deliveries WHERE id = ANY ($1::bigint[])", list(claim.ids))
    user_ids = {row[0]: row[1] for row in rows}
    return persons.positions([user_ids[one] for one in claim.ids], [payloads[one] for one in claim.ids])


async def read_forgotten(connection: asyncpg.Connection) -> tuple[ForgottenIdentifier, ...]:
    """The list, oldest first."""
    rows = await connection.fetch("SELECT kind, since, receipt, hash FROM forgotten ORDER BY since, hash")
    return tuple(ForgottenIdentifier(row[0], row[1], row[2], bytes(row[3])) for row in rows)


async def read_receipts(connection: asyncpg.Connection) -> tuple[ForgetReceipt, ...]:
    """All requests, oldest first."""
    rows = await connection.fetch(f"SELECT {RECEIPT_COLUMNS} FROM forget_receipts ORDER BY id")
    return tuple(receipt_from_row(row) for row in rows)


async def begin(
    connection: asyncpg.Connection, known: ForgottenList, identifiers: Sequence[Identifier], actor: str, now: int
) -> int:
    """Put these on the list, and remove the filters of replay jobs that name them; returns the receipt's number.

    In the caller's transaction; from its end on nothing of theirs is taken in.
    """
    await connection.execute(LIST_LOCK)
    _, check = await connection.fetchrow(_SELECT_STATE)
    key = make_key(known.key_file(), bytes(check))
    replays = await _remove_named_replays(connection, NameSearch(identifiers))
    receipt: int = await connection.fetchval(
        "INSERT INTO forget_receipts(action, actor, started_at, counts) VALUES ('forget', $1, $2, $3) RETURNING id",
        sanitize_text(actor),
        now,
        merged_counts("{}", {"identifiers": len(identifiers), "replays": replays}),
    )
    await connection.executemany(
        "INSERT INTO forgotten(hash, kind, since, receipt) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(identifier_hash(key, one), one.kind, now, receipt) for one in identifiers],
    )
    await _set_version(connection, key_check(key))
    known.is_stale = True
    return receipt


async def end(
    connection: asyncpg.Connection,
    receipt: int,
    counts: Mapping[str, int],
    regulation: str,
    now: int,
    *,
    done: bool,
) -> ForgetReceipt:
    """Add to the counts of a receipt, and mark it as finished if it is; in the caller's transaction."""
    stored = await connection.fetchval("SELECT counts FROM forget_receipts WHERE id = $1 FOR UPDATE", receipt)
    if stored is None:
        raise JournalError(f"there is no receipt {receipt}")
    row = await connection.fetchrow(
        "UPDATE forget_receipts SET counts = $2, ended_at = CASE WHEN $3 THEN $4::bigint ELSE ended_at"
        f" END, regulation = CASE WHEN $5 <> '' THEN $5 ELSE regulation END WHERE id = $1 RETURNING {RECEIPT_COLUMNS}",
        receipt,
        merged_counts(stored, counts),
        done,
        max(now, 1),
        sanitize_text(regulation),
    )
    return receipt_from_row(row)


async def undo(
    connection: asyncpg.Connection,
    known: ForgottenList,
    identifiers: Sequence[Identifier] | None,
    actor: str,
    now: int,
) -> int:
    """Take these off the list, or all with None; returns how many were on it. In the caller's transaction."""
    await connection.execute(LIST_LOCK)
    _, check = await connection.fetchrow(_SELECT_STATE)
    if identifiers is None:
        gone = await connection.fetch("DELETE FROM forgotten RETURNING 1")
    elif not check:
        gone = []
    else:
        key = checked_key(known.key_file(), bytes(check))
        hashes = [identifier_hash(key, one) for one in identifiers]
        gone = await connection.fetch("DELETE FROM forgotten WHERE hash = ANY ($1::bytea[]) RETURNING 1", hashes)
    if gone or identifiers is None:
        left = await connection.fetchval("SELECT EXISTS(SELECT 1 FROM forgotten)")
        # with nobody on the list the key is not needed any more
        await _set_version(connection, bytes(check) if identifiers is not None else b"", is_empty=not left)
        if identifiers is None:
            await connection.execute("UPDATE forget_receipts SET ended_at = $1 WHERE ended_at = 0", max(now, 1))
        await connection.execute(
            "INSERT INTO forget_receipts(action, actor, started_at, ended_at, counts) VALUES ('undo', $1, $2, $2, $3)",
            sanitize_text(actor),
            max(now, 1),
            merged_counts("{}", {"identifiers": len(gone)}),
        )
    known.is_stale = True
    return len(gone)


async def _set_version(connection: asyncpg.Connection, check: bytes, *, is_empty: bool = False) -> None:
    # random, so that the list of a restored backup is not taken for one that was read before
    version = 0 if is_empty else 1 + secrets.randbits(62)
    await connection.execute("DELETE FROM forget_state")
    await connection.execute("INSERT INTO forget_state(version, key_check) VALUES ($1, $2)", version, check)


async def _remove_named_replays(connection: asyncpg.Connection, names: NameSearch) -> int:
    removed = 0
    for job, stored in await connection.fetch("SELECT id, query FROM replays"):
        try:
            query = msgspec.json.decode(bytes(stored), type=Query)
        except msgspec.DecodeError:
            continue
        if names.is_in_query(query):
            await connection.execute(
                "UPDATE replays SET filter = $2, query = $3, state = CASE WHEN state IN ('running', 'paused') THEN"
                " 'cancelled' ELSE state END WHERE id = $1",
                job,
                FORGOTTEN_FILTER,
                removed_query(),
            )
            removed += 1
    return removed
