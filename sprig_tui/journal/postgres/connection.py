"""The pool of connections to a journal's server, and the clock that all who share it go by."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from sprig_tui.clock import SystemClock
from sprig_tui.errors import JournalError, JournalLockedError, JournalLostError, JournalUnreachableError
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
    """The text, with NUL as its Control Picture and lone surrogates as question marks."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


STATEMENT_TIMEOUT_S = 60.0
"""Seconds that a statement may take."""

CONNECT_SETTINGS = {"application_name": "sprig-tui"}
_SESSION_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "jit": "off",
    # what is read after a lock was waited for must be what stands there then
    "default_transaction_isolation": "read committed",
    # whoever stops in the middle of a transaction must not hold up the others
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "20000",
    "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1000)),
}
_SET_SESSION = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', false)" for name, value in _SESSION_SETTINGS.items()
)
_SELECT_BACKEND_PID = "SELECT pg_backend_pid()"


async def begin_session(connection: asyncpg.Connection) -> None:
    """Set what holds for as long as the connection is open; raises what the driver raises."""
    await connection.execute(_SET_SESSION)


async def check_session_pooling(first: asyncpg.Connection, second: asyncpg.Connection, url: str) -> None:
    """Raise JournalError where two connections have one process of the server between them.

    That is a pooler in transaction or statement mode: settings, LISTEN and prepared statements belong to a session,
    and such a pooler gives each transaction whichever session is free. `one` and `other` are idle, and used by nobody
    else meanwhile.
    """
    try:
        before = await first.fetchval(_SELECT_BACKEND_PID)
        shared = await second.fetchval(_SELECT_BACKEND_PID) == before
        if not shared:
            # a pooler with several sessions gave it another one: hold that, and see whether the first stays the same
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
"""At most, for each process; one more listens, and one may be on its way."""
CONNECT_TIMEOUT_S = 10.0
POOL_TIMEOUT_S = 15.0
"""Seconds to wait for a connection of the pool to come free."""
_MAX_TRIES = 8
"""Of a transaction that conflicts with others; each try sees what the other one committed."""
_CLOSE_TIMEOUT_S = 5.0
_SECOND_CONNECTION_TIMEOUT_S = 2.0
"""Seconds to wait for a second connection, which opening a journal can do without."""
_CLOCK_SYNC_INTERVAL_S = 60.0
_SELECT_IDENTITY = f"SELECT uuid FROM {schema.SCHEMA}.identity"


class ServerClock:
    """The server's clock, told by this machine's: with many machines it is the one that all agree on.

    Off by half a round trip at most, at the time of the last comparison; compared anew every minute.
    """

    def __init__(self) -> None:
        self._local_clock = SystemClock()
        self._offset_ms = 0
        """Milliseconds that the server is ahead of this machine."""
        self._synced_at = float("-inf")

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self._local_clock.now() + self._offset_ms

    @property
    def is_stale(self) -> bool:
        """Whether it is time to compare again."""
        return time.monotonic() - self._synced_at > _CLOCK_SYNC_INTERVAL_S

    async def sync(self, connection: asyncpg.Connection) -> None:
        """Ask the server for the time."""
        before = self._local_clock.now()
        there = await connection.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        self._offset_ms = there - (before + self._local_clock.now()) // 2
        self._synced_at = time.monotonic()


class ServerPool:
    """Connections to the database at `url`, shared by all tasks of one event loop."""

    def __init__(
        self, url: str, *, on_connect: Callable[[], None] | None = None, allow_partial_copy: bool = False
    ) -> None:
        """`connected` hears of each new connection: the server may be another. `copying` opens what is half copied."""
        self.url = url
        self._on_connect = on_connect
        self._allow_partial_copy = allow_partial_copy
        self.clock = ServerClock()
        self._pool: asyncpg.Pool | None = None
        self._identity = ""
        """Of the journal that was opened."""

    async def open(self) -> None:
        """Connect, and check what is there. Raises JournalError."""
        try:
            self._pool = await asyncpg.create_pool(
                self.url,
                # no floor to keep: the pool would log a traceback for each try while the server is away
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
                self._identity = await connection.fetchval(_SELECT_IDENTITY)
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
        if self._identity and await connection.fetchval(_SELECT_IDENTITY) != self._identity:
            raise JournalLostError(
                f"another journal took the place of {redact_url(self.url)} while it was in use: nothing is "
                f"stored or sent"
                " any more. Start sprig-tui again to go on with the one that is there now"
            )

    async def _check_session_pooling(self, connection: asyncpg.Connection) -> None:
        assert self._pool is not None  # noqa: S101 - it was just made
        try:
            other = await self._pool.acquire(timeout=_SECOND_CONNECTION_TIMEOUT_S)
        except DRIVER_ERRORS:
            return  # a crowded server: whoever shares sessions is found out at the first statement that fails for it
        try:
            await check_session_pooling(connection, other, self.url)
        finally:
            await self._release(other)

    async def close(self) -> None:
        """Let statements on their way finish for a moment, then let go."""
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
        """A connection of the pool. Raises JournalError, also for what the block's statements raise."""
        if self._pool is None:
            raise JournalError(f"the journal {redact_url(self.url)} is closed")
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
                # a failover made a standby of it: the next connection looks for the server that takes writes
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
            with contextlib.suppress(asyncpg.InterfaceError):  # it may have been let go of before it failed
                connection.terminate()


async def _no_reset(_connection: object) -> None:
    """Nothing of ours outlives its transaction: asking the server to reset it would be a round trip for each use."""
