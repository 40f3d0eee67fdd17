"""Databases that last as long as a test, on any PostgreSQL whose role may make them.

Made from outside any event loop, so that fixtures of every kind can ask for one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

T = TypeVar("T")

_numbers = itertools.count(1)

_NEW_IDENTITY = "UPDATE sprig_tui.identity SET uuid = replace(gen_random_uuid()::text, '-', '')"
_EMPTY = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid();
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'sprig_tui' AND tablename NOT IN ('versions', 'identity')
  LOOP
    EXECUTE format('DELETE FROM sprig_tui.%I', name);
  END LOOP;
  PERFORM setval(format('sprig_tui.%I', sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'sprig_tui';
END $$
"""


def create_database(server_url: str, *, template: str = "template1") -> str:
    """Make an empty database, or a copy of `template` (nobody may be connected to it); returns its address."""
    name = f"sprig_tui_test_{os.getpid()}_{next(_numbers)}"
    run_apart(_execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop_database(server_url: str, url: str) -> None:
    """Remove it, whoever is still connected."""
    run_apart(_execute(server_url, f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)'))


def copy_journal(server_url: str, url: str) -> str:
    """Make a database with an empty journal of its own from the one at `url`: a third of the cost of a migration."""
    copy = create_database(server_url, template=database_name(url))
    execute(copy, _NEW_IDENTITY)
    return copy


class KeptJournal:
    """A journal that is emptied for each test: over one connection, which costs a tenth of a new one for each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None

    def empty(self) -> None:
        """Make it as good as new, whoever is still connected."""
        self._thread.submit(self._runner.run, self._empty()).result()

    def close(self) -> None:
        """Close the connection."""
        self._thread.submit(self._runner.run, self._disconnect()).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    async def _empty(self) -> None:
        try:
            await self._execute()
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, OSError):
            # a test ended every connection to the server
            await self._disconnect()
            await self._execute()

    async def _execute(self) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self.url)
        await self._connection.execute(_EMPTY)
        await self._connection.execute(_NEW_IDENTITY)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def execute(url: str, statement: str) -> None:
    """Run one statement in this database."""
    run_apart(_execute(url, statement))


def database_name(url: str) -> str:
    """The name in a database's address."""
    return urlsplit(url).path.removeprefix("/")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a loop of its own, whether or not one runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
