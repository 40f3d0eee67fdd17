"""Mapping of errors of PostgreSQL, asyncpg and the network to journal errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import NamedTuple

import asyncpg

from sprig_tui.errors import (
    JournalError,
    JournalFullError,
    JournalLockedError,
    JournalReadOnlyError,
    JournalUnreachableError,
    JournalVersionError,
)
from sprig_tui.journal.url import has_password, password_problem, redact_password, redact_url

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""All errors of the driver and the network, without cancellation."""

RETRYABLE_ERRORS = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
)
"""Conflicts of two transactions; a retry sees the changes of the other one."""


SHARED_SESSION_ERRORS = (
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.ProtocolViolationError,
)
"""Errors caused by a pooler that gives each transaction another session of the server."""


class _ErrorMapping(NamedTuple):
    """The JournalError for some classes of errors; `{place}` is the redacted URL, `{why}` the message."""

    classes: tuple[type[BaseException], ...]
    error: type[JournalError]
    message: str
    hint: str


_ERROR_MAPPINGS = (
    _ErrorMapping(
        (asyncpg.InvalidAuthorizationSpecificationError,),
        JournalReadOnlyError,
        "the journal {place} refuses this user: {why}",
        "check user and password: in the URL, in the file that PGPASSFILE names, or in PGPASSWORD",
    ),
    _ErrorMapping(
        SHARED_SESSION_ERRORS,
        JournalError,
        "the journal {place} is behind a pooler that shares sessions (PgBouncer in transaction or statement mode)",
        "set pool_mode = session for this database in pgbouncer.ini, or give the server's own address",
    ),
    _ErrorMapping(
        (asyncpg.exceptions.ClientConfigurationError,),
        JournalError,
        "the journal {place} cannot be reached as its address says: {why}",
        "check the options behind the ? of journal.url, and libpq's variables (PGSSLMODE ...)",
    ),
    _ErrorMapping(
        (asyncpg.InvalidCatalogNameError,),
        JournalReadOnlyError,
        "there is no database for the journal {place}",
        "create it, then run: sprig-tui journal migrate",
    ),
    _ErrorMapping(
        (
            asyncpg.UndefinedTableError,
            asyncpg.UndefinedFunctionError,
            asyncpg.UndefinedColumnError,
            asyncpg.InvalidSchemaNameError,
        ),
        JournalVersionError,
        "the database {place} holds no journal, or an older one: {why}",
        "run: sprig-tui journal migrate",
    ),
    _ErrorMapping(
        (asyncpg.UndefinedObjectError,),
        JournalReadOnlyError,
        "the journal {place}: {why}",
        "a role is made with CREATE ROLE ... LOGIN, before it is granted anything",
    ),
    _ErrorMapping(
        (asyncpg.InsufficientPrivilegeError,),
        JournalReadOnlyError,
        "the journal {place} does not let this user do that: {why}",
        "as the owner run: sprig-tui journal migrate --grant ROLE",
    ),
    _ErrorMapping(
        (asyncpg.ReadOnlySQLTransactionError, asyncpg.TargetServerAttributeNotMatched),
        JournalUnreachableError,
        "the journal takes no writes now: the server is a standby, or read-only ({place})",
        "name all servers in journal.url (host1,host2): the one that takes writes is found",
    ),
    _ErrorMapping(
        (asyncpg.DiskFullError,),
        JournalFullError,
        "no room left for the journal {place}; the last write was not kept",
        "free disk space on the server, or run: sprig-tui journal prune --older-than 30d",
    ),
    _ErrorMapping(
        (asyncpg.TooManyConnectionsError,),
        JournalUnreachableError,
        "the journal has no connection free: {why} ({place})",
        "raise max_connections on the server, or run fewer processes (each takes up to 8)",
    ),
    _ErrorMapping(
        (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError),
        JournalLockedError,
        "the journal {place} is busy: {why}",
        "try again",
    ),
    _ErrorMapping(
        (
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.CannotConnectNowError,
            asyncpg.PostgresConnectionError,
            asyncpg.IdleInTransactionSessionTimeoutError,
        ),
        JournalUnreachableError,
        "the journal does not answer: {why} ({place})",
        "check that the server runs and can be reached",
    ),
    _ErrorMapping(
        (asyncpg.QueryCanceledError,),
        JournalLockedError,
        "the journal {place} took too long: {why}",
        "narrow the filter, or try again",
    ),
    _ErrorMapping(
        (ssl.SSLError,),
        JournalReadOnlyError,
        "no trusted connection to the journal {place}: {why}",
        "check sslmode and sslrootcert in journal.url",
    ),
    _ErrorMapping(
        # the driver raises InternalClientError if a connection ends between two protocol steps
        (OSError, TimeoutError, asyncio.IncompleteReadError, asyncpg.InternalClientError),
        JournalUnreachableError,
        "the journal does not answer: {why} ({place})",
        "check that the server runs and can be reached",
    ),
)
"""The first match counts; from the specific to the general."""
_UNKNOWN_ERROR = _ErrorMapping(
    (BaseException,), JournalError, "the journal {place} failed: {why}", "run: sprig-tui doctor"
)
_CONNECTION_LOST = _ERROR_MAPPINGS[-1]


def journal_error(error: BaseException, url: str) -> JournalError:
    """The JournalError for an error in the journal at `url`, without its password."""
    mapping = next((mapping for mapping in _ERROR_MAPPINGS if isinstance(error, mapping.classes)), _UNKNOWN_ERROR)
    if mapping is _UNKNOWN_ERROR and is_lost_connection(error):
        mapping = _CONNECTION_LOST
    place, why = redact_url(url), redact_password(_error_text(error), url)
    return mapping.error(mapping.message.format(place=place, why=why), hint=mapping.hint)


def is_lost_connection(error: BaseException) -> bool:
    """Whether a connection is gone: the driver has no class for that, only a message."""
    return isinstance(error, asyncpg.InterfaceError) and "connection" in str(error)


def pooler_error(url: str) -> JournalError:
    """The JournalError for a pooler that shares sessions of the server."""
    mapping = next(mapping for mapping in _ERROR_MAPPINGS if mapping.classes is SHARED_SESSION_ERRORS)
    return mapping.error(mapping.message.format(place=redact_url(url)), hint=mapping.hint)


def url_error(error: ValueError, url: str) -> JournalError:
    """The JournalError for a URL that the driver cannot parse; its message may contain a part of the password."""
    why = password_problem(url) or ("it cannot be read" if has_password(url) else _error_text(error))
    return JournalError(
        f"the address of the journal {redact_url(url)} cannot be used: {why}",
        hint="write it as postgresql://user@host:5432/database?sslmode=verify-full",
    )


_ERROR_TEXTS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "host not found"),
    (ConnectionRefusedError, "connection refused"),
    (asyncpg.InternalClientError, "the connection was lost"),
    (TimeoutError, "no answer in time"),
)


def _error_text(error: BaseException) -> str:
    for kind, words in _ERROR_TEXTS:
        if isinstance(error, kind):
            return words
    if isinstance(error, ssl.SSLError):
        return (getattr(error, "verify_message", "") or error.reason or str(error)).lower()
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno).lower()
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
