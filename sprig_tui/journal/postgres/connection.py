"""Connection pool, session settings and clock of a journal's server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from sprig_tui.clock import SystemClock
from sprig_tui.errors import (
    JournalClosedError,
    JournalLockedError,
    JournalLostError,
    JournalUnreachableError,
)
from sprig_tui.journal.postgres import schema
from sprig_tui.journal.postgres.errors import (
    DRIVER_ERRORS,
    RETRYABLE_ERRORS,
    SHARED_SESSION_ERRORS,
    journal_error,
    pooler_error,
    url_error,
)
from sprig_tui.journal.postgres.schema import SCHEMA
from sprig_tui.journal.url import redact_url, target_session_attrs

T = TypeVar("T")
ConnectionFunction = Callable[[asyncpg.Connection], Awaitable[T]]


def sanitize_text(text: str) -> str:
    """The text as PostgreSQL can store it: U+2400 for NUL, question marks for lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


STATEMENT_TIMEOUT_S = 60.0
"""Maximum seconds of a statement."""

CONNECT_SETTINGS = {"application_name": "sprig-tui"}
_SESSION_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "jit": "off",
    # a statement that waited for a lock must see the rows as of then
    "default_transaction_isolation": "read committed",
    # a process that stops within a transaction must not block the others
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "20000",
    "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1000)),
}
_SET_SESSION = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', false)" for name, value in _SESSION_SETTINGS.items()
)
_SELECT_BACKEND_PID = "SELECT pg_backend_pid()"


async def begin_session(connection: asyncpg.Connection) -> None:
    """Set the session settings of a connection. Raises errors of the driver."""
    await connection.execute(_SET_SESSION)


async def check_session_pooling(first: asyncpg.Connection, second: asyncpg.Connection, url: str) -> None:
    """Raise JournalError if two idle connections share one session of the server.

    That means a pooler in transaction or statement mode, which gives each transaction any free session, while settings,
    LISTEN and prepared statements belong to one session.
    """
    try:
        before = await first.fetchval(_SELECT_BACKEND_PID)
        shared = await second.fetchval(_SELECT_BACKEND_PID) == before
        if not shared:
            # a pooler with several sessions gave it another one: keep that busy, and see whether the first one changes
            async with second.transaction():
                shared = (
                    await second.fetchval(_SELECT_BACKEND_PID) == before
                    or await first.fetchval(_SELECT_BACKEND_PID) != before
                )
    except SHARED_SESSION_ERRORS as error:
        raise pooler_error(url) from error
    if shared:
        raise pooler_error(url)


MAX_POOL_CONNECTIONS = 6
"""Maximum for each process; one more connection listens, and one may be connecting."""
CONNECT_TIMEOUT_S = 10.0
POOL_TIMEOUT_S = 15.0
"""Maximum seconds to wait for a free connection of the pool."""
_MAX_TRIES = 8
"""Of a transaction that conflicts with others; each try sees what the other one committed."""
_CLOSE_TIMEOUT_S = 5.0
_SECOND_CONNECTION_TIMEOUT_S = 2.0
"""Maximum seconds to wait for a second connection, which is only needed to detect poolers."""
_CLOCK_SYNC_INTERVAL_S = 60.0
_SELECT_IDENTITY = f"SELECT uuid FROM {schema.SCHEMA}.identity"


class ServerClock:
    """The server's clock, which all machines share: this machine's clock plus an offset.

    The error is at most half a round trip; synchronized every minute.
    """

    def __init__(self) -> None:
        self._local_clock = SystemClock()
        self._offset_ms = 0
        """Milliseconds by which the server is ahead of this machine."""
        self._synced_at = float("-inf")

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self._local_clock.now() + self._offset_ms

    @property
    def is_stale(self) -> bool:
        """Whether it has to be synchronized."""
        return time.monotonic() - self._synced_at > _CLOCK_SYNC_INTERVAL_S

    async def sync(self, connection: asyncpg.Connection) -> None:
        """Synchronize with the server."""
        before = self._local_clock.now()
        server_time = await connection.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        self._offset_ms = server_time - (before + self._local_clock.now()) // 2
        self._synced_at = time.monotonic()


class ServerPool:
    """Connections to the database at `url`, shared by all tasks of one event loop."""

    def __init__(
        self, url: str, *, on_connect: Callable[[], None] | None = None, allow_partial_copy: bool = False
    ) -> None:
        """`on_connect` is called for each new connection, which may lead to another server."""
        self.url = url
        self._on_connect = on_connect
        self._allow_partial_copy = allow_partial_copy
        self.clock = ServerClock()
        self._pool: asyncpg.Pool | None = None
        self.identity = ""
        """UUID of the journal that was opened."""

    async def open(self) -> None:
        """Connect, and check pooling and schema. Raises JournalError."""
        try:
            self._pool = await asyncpg.create_pool(
                self.url,
                # with a minimum the pool would log a traceback for each try while the server is away
                min_size=0,
                max_size=MAX_POOL_CONNECTIONS,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=STATEMENT_TIMEOUT_S + 5.0,
                server_settings=CONNECT_SETTINGS,
                target_session_attrs=target_session_attrs(self.url),
                init=self._init_connection,
                reset=_no_reset,
            )
        except ValueError as error:
            raise url_error(error, self.url) from error
        except DRIVER_ERRORS as error:
            raise journal_error(error, self.url) from error
        try:
            async with self.connection() as connection:
                await self._check_session_pooling(connection)
                await schema.check_schema(connection, self.url, allow_partial_copy=self._allow_partial_copy)
                self.identity = await connection.fetchval(_SELECT_IDENTITY)
        except ValueError as error:
            await self.close()
            raise url_error(error, self.url) from error
        except BaseException:
            await self.close()
            raise

    async def _init_connection(self, connection: asyncpg.Connection) -> None:
        await begin_session(connection)
        if self._on_connect is not None:
            self._on_connect()
        if self.identity and await connection.fetchval(_SELECT_IDENTITY) != self.identity:
            raise JournalLostError(
                f"another journal took the place of {redact_url(self.url)} while it was in use: nothing is "
                f"stored or sent"
                " any more. Start sprig-tui again to use the one that is there now"
            )

    async def _check_session_pooling(self, connection: asyncpg.Connection) -> None:
        assert self._pool is not None  # noqa: S101 - it was just made
        try:
            other = await self._pool.acquire(timeout=_SECOND_CONNECTION_TIMEOUT_S)
        except DRIVER_ERRORS:
            return  # the server has no free connection: a pooler is detected by the first statement that fails
        try:
            await check_session_pooling(connection, other, self.url)
        finally:
            await self._release(other)

    async def close(self) -> None:
        """Wait a moment for running statements, then close the connections."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await pool.close()
        except DRIVER_ERRORS:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool. Raises JournalError, also in place of the driver's errors in the block."""
        if self._pool is None:
            raise JournalClosedError(redact_url(self.url))
        try:
            connection = await self._pool.acquire(timeout=POOL_TIMEOUT_S)
        except TimeoutError as error:
            raise JournalUnreachableError(
                f"no connection to the journal {redact_url(self.url)} came free in {POOL_TIMEOUT_S:.0f} s",
                hint="check that the server runs and is not overloaded",
            ) from error
        except DRIVER_ERRORS as error:
            raise journal_error(error, self.url) from error
        try:
            if self.clock.is_stale:
                await self.clock.sync(connection)
            yield connection
        except DRIVER_ERRORS as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError) and self._pool is not None:
                # the server became a standby: new connections select the one that accepts writes
                await self._pool.expire_connections()
            raise journal_error(error, self.url) from error
        finally:
            if self._pool is not None:
                await self._release(connection)

    async def execute(self, work: ConnectionFunction[T]) -> T:
        """The result of statements that are independent of each other."""
        async with self.connection() as connection:
            return await work(connection)

    async def call_with_retries(self, work: ConnectionFunction[T]) -> T:
        """The result of a change that is one statement, so that no lock is held while this process sleeps.

        Retried where it conflicts with another transaction. Raises JournalLockedError after `_MAX_TRIES`.
        """
        for _ in range(_MAX_TRIES):
            async with self.connection() as connection:
                try:
                    return await work(connection)
                except RETRYABLE_ERRORS:
                    continue
        raise JournalLockedError(f"the journal {redact_url(self.url)} is too busy", hint="try again")

    async def transact(self, work: ConnectionFunction[T]) -> T:
        """The result of statements in one transaction, retried like a call."""

        async def whole(connection: asyncpg.Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self.call_with_retries(whole)

    async def _release(self, connection: asyncpg.Connection) -> None:
        assert self._pool is not None  # noqa: S101 - the caller looked
        try:
            await self._pool.release(connection, timeout=_CLOSE_TIMEOUT_S)
        except DRIVER_ERRORS:
            with contextlib.suppress(asyncpg.InterfaceError):  # it may be released already
                connection.terminate()


async def _no_reset(_connection: object) -> None:
    """No reset, which would cost a round trip for each use: no session state outlives a transaction."""
