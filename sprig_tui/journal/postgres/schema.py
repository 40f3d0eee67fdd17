"""Schema: `sprig-tui journal migrate` creates and upgrades it; every process checks it when it opens the journal."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from sprig_tui.errors import JournalError, JournalVersionError
from sprig_tui.journal.pause_reasons import detail_text, reason_of
from sprig_tui.journal.postgres.errors import DRIVER_ERRORS, journal_error, url_error
from sprig_tui.journal.url import redact_url, target_session_attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "sprig_tui"
"""Name of the PostgreSQL schema with all tables and functions."""
SCHEMA_VERSION = 9
MIN_SERVER_VERSION = 140_000
"""PostgreSQL 14, the oldest version that its developers support."""

_STEP_SCRIPTS: dict[int, tuple[str, ...]] = {
    0: ("tables.sql", "workers.sql"),
    1: ("positions.sql",),
    2: ("endpoints.sql",),
    3: ("pauses.sql",),
    4: (),  # functions only: leases of dead workers are released
    5: ("reasons.sql",),
    6: ("tombstones.sql",),
    7: ("forgotten.sql",),
    8: ("statistics.sql",),
}
"""Scripts of tables by the version that they start from; each leads to the next version."""
_FUNCTION_SCRIPTS = ("adding.sql", "claiming.sql", "settling.sql")
"""Scripts that create or replace the functions, after the last step.

Workers of older versions keep running during and after a migration: a step adds tables and columns with defaults, and a
function whose parameters or results change gets another name or one more parameter, beside the old function.
"""
_MIN_COMPATIBLE_VERSION = 1
"""The oldest schema version whose programs can use this one."""
LOCK_NAMESPACE = 1397903943
"""The letters SPRG as a number: the first key of all advisory locks of sprig-tui."""
_MIGRATION_LOCK = (LOCK_NAMESPACE, 0)
"""Advisory lock of migrations."""

_GRANTS = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
REVOKE INSERT, UPDATE, DELETE ON {schema}.versions FROM {role};
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role};
"""


_SELECT_GRANTED_ROLES = """
SELECT coalesce(array_agg(DISTINCT grantee::text), '{}') FROM information_schema.role_table_grants
WHERE table_schema = $1 AND table_name = 'deliveries' AND privilege_type = 'INSERT'
  AND grantee NOT IN ('PUBLIC', current_user)
"""
MIN_IDENTITY_VERSION = 2
_FIRST_WITH_REASONS = 6


class MigrationResult(Struct, frozen=True):
    """Result of a migration."""

    before: int
    """Schema version before; 0 for none."""
    after: int
    granted: tuple[str, ...] = ()


async def migrate(url: str, *, grant: Sequence[str] = ()) -> MigrationResult:
    """Create or upgrade the schema in one transaction, and grant these roles its use; concurrent migrations wait.

    The role that migrates owns the tables; workers need only the rights that `grant` gives. Raises JournalError.
    """
    try:
        connection = await asyncpg.connect(url, timeout=15, target_session_attrs=target_session_attrs(url))
    except ValueError as error:
        raise url_error(error, url) from error
    except DRIVER_ERRORS as error:
        raise journal_error(error, url) from error
    try:
        _check_server(connection, url)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *_MIGRATION_LOCK)
            before = await _read_version(connection)
            _check_not_newer(before, url)
            await _upgrade(connection, before[0])
            # roles that may use the old tables may also use the new ones
            for role in {*grant, *await connection.fetchval(_SELECT_GRANTED_ROLES, SCHEMA)}:
                await connection.execute(_GRANTS.format(schema=SCHEMA, role=_quote_role(role)))
    except DRIVER_ERRORS as error:
        raise journal_error(error, url) from error
    finally:
        connection.terminate()
    return MigrationResult(before[0], max(before[0], SCHEMA_VERSION), tuple(grant))


async def _upgrade(connection: asyncpg.Connection, before: int) -> None:
    """Upgrade the schema from this version, in the caller's transaction, whose search path is set."""
    if before == 0:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    await connection.execute(f"SET LOCAL search_path = {SCHEMA}")
    if before == 0:
        await connection.execute("CREATE TABLE versions(version integer NOT NULL, works_for integer NOT NULL)")
        await connection.execute("INSERT INTO versions VALUES (0, 0)")
    for step in range(before, SCHEMA_VERSION):
        for name in _STEP_SCRIPTS[step]:
            await connection.execute(_read_script(name))
    if before < SCHEMA_VERSION:
        for name in _FUNCTION_SCRIPTS:
            await connection.execute(_read_script(name))
        await connection.execute(
            "UPDATE versions SET version = $1, works_for = $2", SCHEMA_VERSION, _MIN_COMPATIBLE_VERSION
        )
    if before < _FIRST_WITH_REASONS <= SCHEMA_VERSION:
        await _translate_causes(connection)
    if before < MIN_IDENTITY_VERSION:
        await connection.execute(
            "INSERT INTO identity SELECT replace(gen_random_uuid()::text, '-', ''), $1", before or SCHEMA_VERSION
        )


async def _translate_causes(connection: asyncpg.Connection) -> None:
    """Convert the sentence of each lane to a reason."""
    for environment, state, cause in await connection.fetch(
        "SELECT environment, state, cause FROM lanes WHERE state <> 'open'"
    ):
        reason, detail = reason_of(cause, state)
        await connection.execute(
            "UPDATE lanes SET reason = $2, detail = $3, reason_epoch = epoch WHERE environment = $1",
            environment,
            reason.value,
            detail_text(detail),
        )


async def check_schema(connection: asyncpg.Connection, url: str, *, allow_partial_copy: bool = False) -> None:
    """Raise JournalVersionError if this program cannot use the schema, JournalError for an unfinished copy.

    Adding to an unfinished copy would use ids that the copy still needs.
    """
    _check_server(connection, url)
    version = await _read_version(connection)
    _check_not_newer(version, url)
    if version[0] == 0:
        raise JournalVersionError(
            f"the database {redact_url(url)} holds no journal yet", hint="run: sprig-tui journal migrate"
        )
    if version[0] < SCHEMA_VERSION:
        raise JournalVersionError(
            f"the journal {redact_url(url)} has schema {version[0]}; this sprig-tui needs {SCHEMA_VERSION}",
            hint="run: sprig-tui journal migrate (workers of the older version keep running)",
        )
    if not allow_partial_copy and (source := await connection.fetchval(f"SELECT min(source) FROM {SCHEMA}.copies")):
        raise JournalError(
            f"the journal {redact_url(url)} is a copy of {source} that was not finished",
            hint=f"finish it: sprig-tui journal copy {source}",
        )


def _check_server(connection: asyncpg.Connection, url: str) -> None:
    server_version = connection.get_server_version()
    if server_version.major * 10_000 < MIN_SERVER_VERSION:
        raise JournalError(
            f"the server of {redact_url(url)} is PostgreSQL {server_version.major}; journals need 14 or newer",
            hint="upgrade the server",
        )


def _check_not_newer(version: tuple[int, int], url: str) -> None:
    if version[1] > SCHEMA_VERSION:
        raise JournalVersionError(
            f"the journal {redact_url(url)} was upgraded by a newer sprig-tui (schema {version[0]}; this one knows"
            f" {SCHEMA_VERSION})",
            hint="upgrade sprig-tui on this machine",
        )


async def _read_version(connection: asyncpg.Connection) -> tuple[int, int]:
    """(version, oldest compatible version); zeros for no journal."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.versions") is None:
        return 0, 0
    row = await connection.fetchrow(f"SELECT version, works_for FROM {SCHEMA}.versions")
    return (row[0], row[1]) if row else (0, 0)


def _read_script(name: str) -> str:
    return files("sprig_tui.journal.postgres").joinpath("sql", name).read_text("utf-8")


def _quote_role(role: str) -> str:
    if not role or "\0" in role or not re.fullmatch(r".{1,63}", role, re.DOTALL):
        raise JournalError(f"{role!r} cannot be the name of a role", hint="give the name as CREATE ROLE had it")
    return '"' + role.replace('"', '""') + '"'
