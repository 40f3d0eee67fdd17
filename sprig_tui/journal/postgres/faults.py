"""PostgreSQL's errors, and those of the way to it, in the journal's own terms."""

from __future__ import annotations

import asyncio
import ssl

import asyncpg

from sprig_tui.errors import (
    JournalError,
    JournalFullError,
    JournalLockedError,
    JournalReadOnlyError,
    JournalUnreachableError,
    JournalVersionError,
)
from sprig_tui.journal.address import scrubbed, shown

OF_THE_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Everything that talking to a server raises; a cancelled task is none of them."""

PASSING = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
)
"""Two transactions met; the same again finds what the other did."""

_GOING = (
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TargetServerAttributeNotMatched,
)
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_UNKNOWN = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedColumnError,
)


def journal_error(error: BaseException, url: str) -> JournalError:
    """The JournalError that says what `error` means for the journal at `url`; the password cannot be in it."""
    place = shown(url)
    why = scrubbed(_words(error), url)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return JournalReadOnlyError(
            f"the journal {place} refuses this user: {why}",
            hint="check user and password: in the URL, in the file that PGPASSFILE names, or in PGPASSWORD",
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return JournalReadOnlyError(
            f"there is no database for the journal {place}", hint="create it, then run: sprig-tui journal migrate"
        )
    if isinstance(error, _UNKNOWN):
        return JournalVersionError(
            f"the database {place} holds no journal, or an older one: {why}", hint="run: sprig-tui journal migrate"
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return JournalReadOnlyError(
            f"the journal {place} does not let this user do that: {why}",
            hint="as the owner run: sprig-tui journal migrate --grant ROLE",
        )
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return JournalUnreachableError(
            f"the journal {place} takes no writes now: the server is a standby, or read-only",
            hint="name all servers in journal.url (host1,host2): the one that takes writes is found",
        )
    if isinstance(error, asyncpg.InsufficientResourcesError):
        return _short_of_something(error, place, why)
    if isinstance(error, _BUSY):
        return JournalLockedError(f"the journal {place} is busy: {why}", hint="try again")
    if isinstance(error, asyncpg.QueryCanceledError):
        return JournalLockedError(f"the journal {place} took too long: {why}", hint="narrow the filter, or try again")
    if isinstance(error, ssl.SSLError):
        return JournalReadOnlyError(
            f"no trusted connection to the journal {place}: {why}", hint="check sslmode and sslrootcert in journal.url"
        )
    if isinstance(error, (OSError, TimeoutError, asyncio.IncompleteReadError, *_GOING)) or _is_broken(error):
        return JournalUnreachableError(
            f"the journal {place} does not answer: {why}", hint="check that the server runs and can be reached"
        )
    return JournalError(f"the journal {place} failed: {why}", hint="run: sprig-tui doctor")


def _short_of_something(error: BaseException, place: str, why: str) -> JournalError:
    if isinstance(error, asyncpg.DiskFullError):
        return JournalFullError(
            f"no room left for the journal {place}; the last write was not kept",
            hint="free disk space on the server, or run: sprig-tui journal prune --older-than 30d",
        )
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return JournalUnreachableError(
            f"the journal {place} has no connection free: {why}",
            hint="raise max_connections on the server, or run fewer processes (each takes up to 8)",
        )
    return JournalError(f"the journal {place} is short of something: {why}", hint="see the server's log")


def _is_broken(error: BaseException) -> bool:
    """Whether the connection is at fault: the driver has no class of its own for that."""
    return isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)) and "connection" in str(error)


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
