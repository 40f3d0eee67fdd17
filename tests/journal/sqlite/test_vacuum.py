"""Vacuum: pruning shrinks files that were created with incremental vacuum."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest
from support.clocks import InstantTiming

from sprig_tui.delivery.retention import RetentionWorker
from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.records import State
from sprig_tui.journal.retention import RetentionPolicy
from sprig_tui.journal.sqlite import SQLiteJournal, maintenance, pruning, schema
from sprig_tui.journal.sqlite.compact import compact_file, file_space


@pytest.mark.parametrize("older", [False, True])
async def test_prune_shrinks_the_file(tmp_path, entry, clock, monkeypatch, older):
    if older:
        monkeypatch.setattr(schema, "enable_vacuum", lambda _: None)
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        for _ in range(20):
            await journal.add([entry(reason="anonymous", raw=os.urandom(100_000)) for _ in range(5)])
        (kept,) = await journal.add([entry(raw=b"kept")])
    before = path.stat().st_size
    async with SQLiteJournal(path, clock=clock) as journal:
        clock.advance(60)
        assert (await journal.prune(clock.now())).by_state == {State.WITHHELD: 100}
        assert (await journal.get(kept.id)).raw == b"kept"
    assert (path.stat().st_size < before / 10) is not older
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def fill(journal: SQLiteJournal, entry) -> None:
    for _ in range(4):
        await journal.add([entry(reason="anonymous", raw=os.urandom(100_000)) for _ in range(5)])


async def test_prune_that_had_to_wait_for_the_lock_shrinks_the_file(tmp_path, entry, clock, monkeypatch, caplog):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock, busy_timeout=0.05) as journal:
        await fill(journal, entry)
        clock.advance(60)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            remove, give_back = pruning.PruneRun._remove, pruning.PruneRun._give_back_pages

            async def remove_while_locked(*values: object) -> object:
                other.execute("BEGIN IMMEDIATE")
                return await remove(*values)

            async def give_back_and_unlock(run: pruning.PruneRun) -> None:
                try:
                    await give_back(run)
                finally:
                    if other.in_transaction:
                        other.execute("ROLLBACK")

            monkeypatch.setattr(pruning.PruneRun, "_remove", remove_while_locked)
            monkeypatch.setattr(pruning.PruneRun, "_give_back_pages", give_back_and_unlock)
            assert (await journal.prune(clock.now())).by_state == {State.WITHHELD: 20}
    assert file_space(str(path)).free_bytes == 0
    assert "stays as large" not in caplog.text


async def test_the_next_prune_gives_back_what_one_could_not(tmp_path, entry, clock, monkeypatch, caplog):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await fill(journal, entry)
        clock.advance(60)

        def locked(_: sqlite3.Connection) -> bool:
            raise JournalLockedError("held")

        with monkeypatch.context() as patch:
            patch.setattr(maintenance, "vacuum_step", locked)
            assert (await journal.prune(clock.now())).by_state == {State.WITHHELD: 20}
        assert file_space(str(path)).free_bytes > 1_000_000
        assert "stays as large" in caplog.text
        assert (await journal.prune(clock.now())).by_state == {}
    assert file_space(str(path)).free_bytes == 0


@pytest.mark.parametrize("older", [False, True])
async def test_retention_shrinks_the_file_and_an_older_one_once_it_is_compacted(
    tmp_path, entry, clock, monkeypatch, older
):
    if older:
        monkeypatch.setattr(schema, "enable_vacuum", lambda _: None)
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        for _ in range(4):
            await journal.add([entry(reason="anonymous", raw=os.urandom(100_000)) for _ in range(5)])
    before = file_space(str(path))
    assert before.shrinks is not older
    async with SQLiteJournal(path, clock=clock) as journal:
        clock.advance(86_400)
        policy = RetentionPolicy(withheld_ms=3_600_000)
        assert await RetentionWorker(journal, policy, timing=InstantTiming()).apply_if_due()
    space = file_space(str(path))
    assert (space.bytes < before.bytes / 10) is not older
    assert (space.free_bytes == 0) is not older
    compact_file(str(path))
    compacted = file_space(str(path))
    assert compacted.shrinks
    assert compacted.bytes < before.bytes / 10
    async with SQLiteJournal(path, clock=clock) as journal:
        assert (await journal.verify()).problems == ()


def test_a_step_releases_as_many_pages_as_it_says(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "v.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("CREATE TABLE filler AS SELECT zeroblob(400000) AS content")
        connection.execute("DROP TABLE filler")
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        connection.execute("BEGIN IMMEDIATE")
        assert maintenance.vacuum_step(connection, 30)
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] == free - 30
        assert not maintenance.vacuum_step(connection, free)
        connection.execute("COMMIT")
