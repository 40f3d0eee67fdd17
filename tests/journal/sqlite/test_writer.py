"""Writer thread: every caller gets a result or an error, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3

import pytest

from sprig_tui.errors import JournalError, JournalFullError, JournalReadOnlyError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query
from sprig_tui.journal.sqlite import SQLiteJournal, connection


async def test_file_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "j.db")
    for path in (tmp_path / ("n" * 300), tmp_path / "dangling"):
        async with asyncio.timeout(10):
            with pytest.raises(JournalReadOnlyError, match="cannot be opened"):
                await SQLiteJournal(path).open()


async def test_disk_too_full_for_an_empty_file_is_reported(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(JournalFullError, match="no room"):
        await SQLiteJournal(tmp_path / "j.db").open()


async def test_journal_that_was_never_opened_raises_an_error(tmp_path, entry):
    journal = SQLiteJournal(tmp_path / "j.db")
    async with asyncio.timeout(10):
        with pytest.raises(JournalError, match="closed"):
            await journal.add([entry()])
        await journal.close()


async def test_unexpected_error_fails_one_group_and_not_the_thread(tmp_path, entry):
    class Odd(SQLiteJournal):
        odd = False

        def _connect(self):
            if self.odd:
                raise MemoryError
            return super()._connect()

    journal = Odd(tmp_path / "j.db")
    journal.odd = True
    async with asyncio.timeout(10):
        with pytest.raises(JournalError, match="MemoryError"):
            await journal.open()


async def test_failed_write_does_not_fail_its_group(tmp_path, entry):
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO environments VALUES(1, 'a'), (1, 'b')")

    async with SQLiteJournal(tmp_path / "j.db") as journal:
        results = await asyncio.gather(
            journal.add([entry()]), journal._writer.run(wrong), journal.add([entry()]), return_exceptions=True
        )
        assert isinstance(results[1], JournalError)
        assert [type(result) for result in results] == [list, JournalError, list]
        assert await journal.count(Query()) == 2


async def test_cancelled_claim_is_not_made(tmp_path, entry):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asking = asyncio.create_task(
                journal.claim(ClaimRequest("production", events=10, payload_bytes=1000, lease_ms=60_000))
            )
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            other.execute("ROLLBACK")
        assert (
            await journal.claim(ClaimRequest("production", events=10, payload_bytes=1000, lease_ms=60_000))
        ).ids == (1,)


async def test_wal_that_grew_during_a_read_is_truncated(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(connection, "MAX_WAL_BYTES", 200_000)
    monkeypatch.setattr(connection, "CHECK_EVERY_COMMITS", 4)
    path = tmp_path / "j.db"
    log = tmp_path / "j.db-wal"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM deliveries").fetchone()
            for _ in range(12):
                await journal.add([entry(raw=os.urandom(60_000))])
            assert log.stat().st_size > 200_000
            reader.execute("ROLLBACK")
        for _ in range(8):
            await journal.add([entry()])
        assert log.stat().st_size < 200_000
        assert await journal.count(Query()) == 21


async def test_foreign_database_keeps_its_journal_mode(tmp_path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs(x)")
    before = path.read_bytes()
    with pytest.raises(JournalError):
        await SQLiteJournal(path).open()
    assert path.read_bytes() == before
