"""A journal that hangs: webhooks hear 503 while their sender waits, readiness says so, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from support import reconcile
from support.postgres_server import PostgresServer
from support.programs import Programs
from support.webhook_senders import request

PATIENCE_S = 5.0
"""After which Sprig would not listen any more; the receiver's own bound is lower."""


async def ask(port: int, raw: bytes) -> bytes:
    """The head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        async with asyncio.timeout(2 * PATIENCE_S):  # twice: the machine may be busy
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def webhook(port: int, number: int) -> bytes:
    return await ask(port, request(number))


async def ready(port: int) -> bool:
    return (await ask(port, b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


def processes(server: PostgresServer) -> list[int]:
    """The server's, its children included."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    return [server.pid, *map(int, children.read_text().split())]


@asynccontextmanager
async def frozen(server: PostgresServer) -> AsyncIterator[None]:
    """Every process of the server stands still, as a machine does whose disk hangs."""
    pids = processes(server)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def locked(server: PostgresServer, place: str) -> AsyncIterator[None]:
    """Another program holds every table of the journal."""
    del server
    connection = await asyncpg.connect(place)
    try:
        async with connection.transaction():
            names = await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'sprig_tui'"
            )
            await connection.execute(f"LOCK TABLE {', '.join(name for (name,) in names)} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def held(place: str) -> AsyncIterator[None]:
    """Another program holds SQLite's write lock."""
    connection = sqlite3.connect(place, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


async def try_it(programs: Programs, place: str, trouble: Callable[[], object]) -> None:
    programs.configure(place, "http://127.0.0.1:9")
    receiver, port = await programs.listen(0, "--no-engine", "--status-every", "0")
    assert (await webhook(port, 1)).startswith(b"HTTP/1.1 200 ")
    assert await ready(port)
    async with trouble():
        for number in (2, 12):  # those that wait, and those that come when it is known to hang
            answers = await asyncio.gather(*(webhook(port, number + turn) for turn in range(5)))
            assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"}
            assert all(b"retry-after:" in answer for answer in answers)
        assert not await ready(port)
    acknowledged = {1}
    async with asyncio.timeout(90):
        while len(acknowledged) < 4:
            number = len(acknowledged) + 1
            if (await webhook(port, number)).startswith(b"HTTP/1.1 200 "):
                acknowledged.add(number)
            else:
                await asyncio.sleep(0.05)  # as a sender would
        while not await ready(port):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
    assert await receiver.stop() == 0
    stored = await reconcile.by_answer(place)
    assert {f"answer {number}" for number in acknowledged} <= set(stored)


async def test_a_server_that_stands_still(tmp_path, own_server, own_place):
    async with Programs(tmp_path / "home") as programs:
        await try_it(programs, own_place, lambda: frozen(own_server))
        await programs.__aexit__(None, None, None)
        await try_it(programs, own_place, lambda: locked(own_server, own_place))


async def test_a_file_that_another_program_holds(tmp_path):
    place = str(tmp_path / "journal.db")
    async with Programs(tmp_path / "home") as programs:
        await try_it(programs, place, lambda: held(place))
