"""Databases that last as long as a test, on any PostgreSQL whose role may make them."""

from __future__ import annotations

import itertools
import os
from urllib.parse import urlsplit, urlunsplit

import asyncpg

_numbers = itertools.count(1)


async def create_database(server_url: str, *, template: str = "template1") -> str:
    """Make an empty database, or a copy of `template` (nobody may be connected to it); returns its address."""
    name = f"sprig_tui_test_{os.getpid()}_{next(_numbers)}"
    await _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def drop_database(server_url: str, url: str) -> None:
    """Remove it, whoever is still connected."""
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')


def database_name(url: str) -> str:
    """The name in a database's address."""
    return urlsplit(url).path.removeprefix("/")


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
