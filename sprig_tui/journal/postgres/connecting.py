"""The pool of connections to a journal's server, and the clock that all who share it go by."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from sprig_tui.clock import SystemClock
from sprig_tui.errors import JournalError, JournalLostError, JournalUnreachableError
from sprig_tui.journal.address import session_attributes, shown
from sprig_tui.journal.postgres import schema
from sprig_tui.journal.postgres.faults import OF_THE_DRIVER, address_error, journal_error
from sprig_tui.journal.postgres.session import ANSWER_S, AT_CONNECT, begin_session, refuse_shared_sessions

CONNECTIONS = 6
"""At most, for each process; one more listens, and one may be on its way."""
CONNECT_S = 10.0
PATIENCE_S = 15.0
"""Seconds to wait for a connection of the pool to come free."""
_CLOSE_S = 5.0
_SECOND_S = 2.0
"""Seconds to wait for a second connection, which opening a journal can do without."""
_CLOCK_EVERY_S = 60.0
_IDENTITY = f"SELECT uuid FROM {schema.SCHEMA}.identity"


class ServerClock:
    """The server's clock, told by this machine's: with many machines it is the one that all agree on.

    Off by half a round trip at most, at the time of the last comparison; compared anew every minute.
    """

    def __init__(self) -> None:
        self._own = SystemClock()
        self._ahead = 0
        """Milliseconds that the server is ahead of this machine."""
        self._compared_at = float("-inf")

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self._own.now() + self._ahead

    @property
    def stale(self) -> bool:
        """Whether it is time to compare again."""
        return time.monotonic() - self._compared_at > _CLOCK_EVERY_S

    async def compare(self, connection: asyncpg.Connection) -> None:
        """Ask the server for the time."""
        before = self._own.now()
        there = await connection.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        self._ahead = there - (before + self._own.now()) // 2
        self._compared_at = time.monotonic()


class Server:
    """Connections to the database at `url`, shared by all tasks of one event loop."""

    def __init__(self, url: str, *, connected: Callable[[], None] | None = None, copying: bool = False) -> None:
        """`connected` hears of each new connection: the server may be another. `copying` opens what is half copied."""
        self.url = url
        self._connected = connected
        self._copying = copying
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
                max_size=CONNECTIONS,
                timeout=CONNECT_S,
                command_timeout=ANSWER_S + 5.0,
                server_settings=AT_CONNECT,
                target_session_attrs=session_attributes(self.url),
                init=self._begun,
                reset=_as_it_is,
            )
        except ValueError as error:
            raise address_error(error, self.url) from error
        except OF_THE_DRIVER as error:
            raise journal_error(error, self.url) from error
        try:
            async with self.connection() as connection:
                await self._refuse_shared_sessions(connection)
                await schema.check(connection, self.url, copying=self._copying)
                self._identity = await connection.fetchval(_IDENTITY)
        except ValueError as error:
            await self.close()
            raise address_error(error, self.url) from error
        except BaseException:
            await self.close()
            raise

    async def _begun(self, connection: asyncpg.Connection) -> None:
        await begin_session(connection)
        if self._connected is not None:
            self._connected()
        if self._identity and await connection.fetchval(_IDENTITY) != self._identity:
            raise JournalLostError(
                f"another journal took the place of {shown(self.url)} while it was in use: nothing is stored or sent"
                " any more. Start sprig-tui again to go on with the one that is there now"
            )

    async def _refuse_shared_sessions(self, connection: asyncpg.Connection) -> None:
        assert self._pool is not None  # noqa: S101 - it was just made
        try:
            other = await self._pool.acquire(timeout=_SECOND_S)
        except OF_THE_DRIVER:
            return  # a crowded server: whoever shares sessions is found out at the first statement that fails for it
        try:
            await refuse_shared_sessions(connection, other, self.url)
        finally:
            await self._give_back(other)

    async def close(self) -> None:
        """Let statements on their way finish for a moment, then let go."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await pool.close()
        except OF_THE_DRIVER:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool. Raises JournalError, also for what the block's statements raise."""
        if self._pool is None:
            raise JournalError(f"the journal {shown(self.url)} is closed")
        try:
            connection = await self._pool.acquire(timeout=PATIENCE_S)
        except TimeoutError as error:
            raise JournalUnreachableError(
                f"no connection to the journal {shown(self.url)} came free in {PATIENCE_S:.0f} s",
                hint="check that the server runs and is not overloaded",
            ) from error
        except OF_THE_DRIVER as error:
            raise journal_error(error, self.url) from error
        try:
            if self.clock.stale:
                await self.clock.compare(connection)
            yield connection
        except OF_THE_DRIVER as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError) and self._pool is not None:
                # a failover made a standby of it: the next connection looks for the server that takes writes
                await self._pool.expire_connections()
            raise journal_error(error, self.url) from error
        finally:
            if self._pool is not None:
                await self._give_back(connection)

    async def _give_back(self, connection: asyncpg.Connection) -> None:
        assert self._pool is not None  # noqa: S101 - the caller looked
        try:
            await self._pool.release(connection, timeout=_CLOSE_S)
        except OF_THE_DRIVER:
            with contextlib.suppress(asyncpg.InterfaceError):  # it may have been let go of before it failed
                connection.terminate()


async def _as_it_is(_connection: object) -> None:
    """Nothing of ours outlives its transaction: asking the server to reset it would be a round trip for each use."""
