"""Readiness: the disk, locks of other processes, and the last real write."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest

from sprig_tui.errors import JournalLockedError
from sprig_tui.journal import readiness
from sprig_tui.journal.query import Query
from sprig_tui.journal.readiness import Readiness

Locked = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def locked(journal_place) -> Locked:
    """What another program does that keeps deliveries from being stored."""

    @asynccontextmanager
    async def hold() -> AsyncIterator[None]:
        if "://" in journal_place:
            connection = await asyncpg.connect(journal_place)
            async with connection.transaction():
                await connection.execute("LOCK TABLE sprig_tui.deliveries IN SHARE MODE")
                yield
            await connection.close()
        else:
            with contextlib.closing(sqlite3.connect(journal_place, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield
                other.execute("ROLLBACK")

    return hold


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(readiness, "PROBE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(readiness, "FAILED_PROBE_TTL_S", 0.0)


async def test_journal_that_accepts_writes_is_ready(journal):
    assert (await Readiness(journal).check()).message == "writable"


async def test_locked_journal_is_not_ready(journal, locked):
    asked = Readiness(journal)
    async with locked():
        standing = await asked.check()
        assert (standing.ready, standing.message) == (False, "the journal took no write within 0 s")
        assert not (await asked.check()).ready, "and it is not asked again meanwhile"
    while not (await asked.check()).ready:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


async def test_add_after_its_deadline_is_known_when_added_again(journal, locked, entry):
    given = [entry(), entry()]
    async with locked():
        began = time.monotonic()
        with pytest.raises(JournalLockedError, match=r"took no write within 0\.1 s"):
            await journal.add(given, deadline=0.1)
        assert time.monotonic() - began < 5
    await journal.add(given)
    assert await journal.count(Query()) == 2
    assert {one.outcome for one in await journal.add(given)} == {"known"}


async def test_failed_write_takes_precedence_over_a_successful_probe(journal, locked, entry, monkeypatch):
    asked = Readiness(journal)
    assert (await asked.check()).ready
    async with locked():
        with pytest.raises(JournalLockedError):
            await journal.add([entry()], deadline=0.1)
    standing = await asked.check()
    assert not standing.ready
    assert "took no write" in standing.message
    await journal.add([entry()])
    assert (await asked.check()).ready
    async with locked():
        with pytest.raises(JournalLockedError):
            await journal.add([entry()], deadline=0.1)
    monkeypatch.setattr(readiness, "FAILED_WRITE_TTL_S", 0.0)
    assert (await asked.check()).ready, "nobody sends anything to what is not ready: the doubt ends by itself"


async def test_reading_needs_no_write_lock(journal, journal_place, locked, entry):
    from sprig_tui.journal.open import open_journal

    await journal.add([entry()])
    if "://" not in journal_place:
        async with locked(), open_journal(journal_place) as looking:
            assert await looking.count(Query()) == 1
            assert (await looking.counts()).by_environment
            assert await looking.workers() == ()
