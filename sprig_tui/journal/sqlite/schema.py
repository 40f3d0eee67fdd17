"""Schema of the file, and its migrations."""

from __future__ import annotations

import sqlite3

from sprig_tui.errors import JournalCorruptError, JournalVersionError
from sprig_tui.journal.pause_reasons import detail_text, reason_of
from sprig_tui.journal.sqlite.tables import MARK_ALL_STALE

APPLICATION_ID = 0x53505247
"""`SPRG`; other SQLite databases have another id."""
SCHEMA_VERSION = 9
_FIRST_WITH_REASONS = 6

_CREATE_WORKERS = """
CREATE TABLE workers(id TEXT PRIMARY KEY, role TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
  version TEXT NOT NULL, environments TEXT NOT NULL, started_at INTEGER NOT NULL, rate REAL NOT NULL,
  seen_at INTEGER NOT NULL) WITHOUT ROWID;
"""
_CREATE_IDENTITY = """
CREATE TABLE identity(uuid TEXT NOT NULL, since INTEGER NOT NULL);
CREATE TABLE positions(kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(kind, key)) WITHOUT ROWID;
CREATE TABLE probe(id INTEGER PRIMARY KEY, filler BLOB NOT NULL);
"""
_CREATE_TOMBSTONES = """
CREATE TABLE tombstones(key INTEGER PRIMARY KEY, environment INTEGER NOT NULL, ended_at INTEGER NOT NULL,
  fingerprint BLOB NOT NULL);
CREATE TABLE tombstone_filter(seq INTEGER PRIMARY KEY, bits INTEGER NOT NULL, n INTEGER NOT NULL,
  checksum INTEGER NOT NULL, content BLOB NOT NULL);
"""
_CREATE_FORGOTTEN = """
CREATE TABLE forgotten(hash BLOB PRIMARY KEY, kind TEXT NOT NULL, since INTEGER NOT NULL,
  receipt INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE forget_state(version INTEGER NOT NULL, key_check BLOB NOT NULL, roots TEXT NOT NULL DEFAULT '');
INSERT INTO forget_state(version, key_check) VALUES(0, x'');
CREATE TABLE forget_receipts(id INTEGER PRIMARY KEY, action TEXT NOT NULL, actor TEXT NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL DEFAULT 0, counts TEXT NOT NULL DEFAULT '{}',
  regulation TEXT NOT NULL DEFAULT '');
CREATE INDEX forgotten_rows ON deliveries(environment, state) WHERE reason = 'forgotten';
"""
_CREATE_STATISTICS = """
CREATE TABLE kept_counts(block INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE stale_counts(block INTEGER PRIMARY KEY, mark INTEGER NOT NULL);
CREATE TABLE counted_surveys(number INTEGER PRIMARY KEY, survey TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
"""
_CREATE_ENVIRONMENTS = """
CREATE TABLE environments(id INTEGER PRIMARY KEY, name TEXT NOT NULL, endpoint TEXT NOT NULL DEFAULT '',
  UNIQUE(name, endpoint));
"""
_ADD_ENDPOINTS = f"""
ALTER TABLE environments RENAME TO environments_before;
{_CREATE_ENVIRONMENTS}
INSERT INTO environments(id, name) SELECT id, name FROM environments_before;
DROP TABLE environments_before;
ALTER TABLE attempts ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
ALTER TABLE replays ADD COLUMN elsewhere TEXT NOT NULL DEFAULT '{{}}';
"""
_CREATE_SCHEMA = (
    _CREATE_ENVIRONMENTS
    + """
CREATE TABLE sequence(next_id INTEGER NOT NULL);
INSERT INTO sequence VALUES(1);
CREATE TABLE deliveries(
  id INTEGER PRIMARY KEY,
  environment INTEGER NOT NULL,
  state INTEGER NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL DEFAULT 0,
  lease INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  first_try INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER,
  added_at INTEGER NOT NULL,
  answered_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  line INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  digest BLOB NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  survey_id TEXT NOT NULL,
  survey_name TEXT NOT NULL,
  user_id TEXT NOT NULL,
  question_type TEXT NOT NULL,
  question_id TEXT NOT NULL,
  answer TEXT NOT NULL,
  source TEXT NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  origin INTEGER
);
CREATE INDEX due ON deliveries(environment, priority, due_at) WHERE state = 0 AND lease IS NULL;
CREATE INDEX ended_badly ON deliveries(state) WHERE state >= 2;
CREATE INDEX origins ON deliveries(origin) WHERE origin IS NOT NULL;
CREATE TABLE ids(key INTEGER PRIMARY KEY, delivery INTEGER NOT NULL);
CREATE TABLE recent_ids(key INTEGER PRIMARY KEY, delivery INTEGER NOT NULL);
CREATE TABLE packs(first INTEGER PRIMARY KEY, raws BLOB NOT NULL, bodies BLOB NOT NULL);
CREATE TABLE counts(environment INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(environment, state)) WITHOUT ROWID;
CREATE TABLE leases(id INTEGER PRIMARY KEY AUTOINCREMENT, environment INTEGER NOT NULL, owner TEXT NOT NULL,
  until INTEGER NOT NULL, length INTEGER NOT NULL, probe INTEGER NOT NULL, ids TEXT NOT NULL, n INTEGER NOT NULL);
CREATE TABLE attempts(id INTEGER PRIMARY KEY, environment INTEGER NOT NULL, started_at INTEGER NOT NULL,
  status INTEGER NOT NULL, error TEXT NOT NULL, outcome TEXT NOT NULL, latency_ms REAL NOT NULL,
  events INTEGER NOT NULL, body_bytes INTEGER NOT NULL, excerpt TEXT NOT NULL,
  endpoint TEXT NOT NULL DEFAULT '');
CREATE INDEX attempt_status ON attempts(status);
CREATE TABLE history(delivery INTEGER NOT NULL, attempt INTEGER NOT NULL,
  PRIMARY KEY(delivery, attempt)) WITHOUT ROWID;
CREATE TABLE lanes(environment INTEGER PRIMARY KEY, state TEXT NOT NULL DEFAULT 'open',
  until INTEGER NOT NULL DEFAULT 0,
  cause TEXT NOT NULL DEFAULT '', failures INTEGER NOT NULL DEFAULT 0,
  since INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0, last_status INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER NOT NULL DEFAULT 0,
  next_slot REAL NOT NULL DEFAULT 0, pauses INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', reason_epoch INTEGER NOT NULL DEFAULT 0);
CREATE TABLE changes(seq INTEGER PRIMARY KEY, ids TEXT NOT NULL, n INTEGER NOT NULL);
CREATE TABLE replays(id INTEGER PRIMARY KEY AUTOINCREMENT, filter TEXT NOT NULL, query BLOB NOT NULL,
  as_new INTEGER NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, cursor INTEGER NOT NULL,
  last_id INTEGER NOT NULL, total INTEGER NOT NULL, queued INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0, elsewhere TEXT NOT NULL DEFAULT '{}');
"""
    + _CREATE_WORKERS
    + _CREATE_IDENTITY
    + _CREATE_TOMBSTONES
    + _CREATE_FORGOTTEN
    + _CREATE_STATISTICS
    + f"INSERT INTO identity VALUES(lower(hex(randomblob(16))), {SCHEMA_VERSION});"
)
"""Reasons for this design, measured on SQLite 3.40:

- Claims read only the partial index `due`; an index over all states costs them ten times as much.
- Identities are in two tables. A random key costs a page write each once its B-tree is large; `recent_ids` stays
  small and is merged into `ids` in key order, which keeps the cost level up to millions of rows.
- Payloads of consecutive ids are packed and compressed: a third of the CPU and a sixth of the bytes of single rows.
- `due_at` is 0 for 'as soon as possible', so that a wrong clock on arrival delays nothing.
- A row of `environments` is an environment and an endpoint: its own (empty), or that of a run with `--endpoint`. So
  each has its own lane, leases, counts and queue.
- An HTTP request is one row of `attempts`, however many deliveries it carried; `history` holds only what failed.
- `tombstones` has what stays known of removed deliveries. Adding looks for them through `tombstone_filter`, which is
  small enough for memory: a random key costs a page read in a large table, a third of the cost of adding.
- `forgotten` has keyed hashes of the identifiers of persons whose answers are not taken in, and `forgotten_rows` finds
  the deliveries that they left without content, to count them.
- `kept_counts` has the counts of the statistics by block of ids (`block_counts`), `stale_counts` the blocks that have
  changed since, `counted_surveys` the surveys with a number of their own.
- `positions` has the read positions of inputs, so that restoring a backup restores them too.
"""

_PAUSES = """
ALTER TABLE lanes ADD COLUMN pauses INTEGER NOT NULL DEFAULT 0;
UPDATE lanes SET until = 1, pauses = 1
  WHERE state = 'paused' AND (cause LIKE 'write key %' OR cause LIKE 'check the endpoint %');
"""
"""Lanes that are paused because of a key or an endpoint are probed from now on; those paused by hand are not."""

_REASONS = """
ALTER TABLE lanes ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN detail TEXT NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN reason_epoch INTEGER NOT NULL DEFAULT 0;
"""
"""Reasons of lanes as values; see `pause_reasons` for older programs that share the journal."""

_MIGRATIONS: dict[int, str] = {
    1: _CREATE_WORKERS,
    2: _CREATE_IDENTITY + "INSERT INTO identity VALUES(lower(hex(randomblob(16))), 2);",
    3: _ADD_ENDPOINTS,
    4: _PAUSES,
    5: _REASONS,
    6: _CREATE_TOMBSTONES,
    7: _CREATE_FORGOTTEN,
    8: _CREATE_STATISTICS + MARK_ALL_STALE,
}
"""Script by the version that it starts from; each leads to the next version."""


def enable_vacuum(connection: sqlite3.Connection) -> None:
    """Enable incremental vacuum in an empty file; it cannot be enabled later, so older files never shrink."""
    if _is_empty(connection):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def is_current(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file has the current schema. Raises the errors of `create_or_upgrade`."""
    reject_foreign_file(connection, path)
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)


def create_or_upgrade(connection: sqlite3.Connection, path: str) -> bool:
    """Create, check or upgrade the schema under an exclusive lock; returns whether it changed.

    Raises:
        JournalVersionError: the file is newer than this program.
        JournalCorruptError: the file is a database, but not a journal.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID and version == SCHEMA_VERSION:
        return False
    connection.execute("BEGIN EXCLUSIVE")
    try:
        _upgrade(connection, path)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def reject_foreign_file(connection: sqlite3.Connection, path: str) -> None:
    """Raise the errors of `create_or_upgrade` before anything, even the journal mode, is changed in the file."""
    if _is_empty(connection):
        return
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise JournalCorruptError(
            f"{path} is an SQLite database, but not a journal of sprig-tui",
            hint="name another file as journal.path, or move this one away",
        )
    if version > SCHEMA_VERSION:
        raise JournalVersionError(
            f"{path} was written by a newer sprig-tui (schema {version}; this one knows {SCHEMA_VERSION})",
            hint="upgrade sprig-tui, or use the journal of this version",
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def _upgrade(connection: sqlite3.Connection, path: str) -> None:
    """Upgrade the schema to SCHEMA_VERSION, under the lock: another process may have upgraded it already."""
    if _is_empty(connection):
        _run_script(connection, _CREATE_SCHEMA)
        return
    reject_foreign_file(connection, path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for step in range(version, SCHEMA_VERSION):
        _run_script(connection, _MIGRATIONS[step])
    if version < _FIRST_WITH_REASONS:
        _translate_causes(connection)


def _translate_causes(connection: sqlite3.Connection) -> None:
    """Convert the sentence of each lane to a reason."""
    lanes = connection.execute("SELECT environment, state, cause FROM lanes WHERE state <> 'open'").fetchall()
    for environment, state, cause in lanes:
        reason, detail = reason_of(cause, state)
        connection.execute(
            "UPDATE lanes SET reason = ?, detail = ?, reason_epoch = epoch WHERE environment = ?",
            (reason.value, detail_text(detail), environment),
        )


def _run_script(connection: sqlite3.Connection, script: str) -> None:
    """Run statements one by one inside the caller's transaction (`executescript` would commit it)."""
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)
