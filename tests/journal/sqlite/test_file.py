"""The SQLite file: mode, schema versions, errors, and several processes that share it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
import textwrap
from pathlib import Path

import pytest

from sprig_tui.errors import (
    JournalCorruptError,
    JournalError,
    JournalFullError,
    JournalLockedError,
    JournalReadOnlyError,
    JournalVersionError,
)
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.journal.sqlite import SQLiteJournal, identity_index, schema


async def test_journal_file_has_mode_0600(tmp_path, entry):
    path = tmp_path / "made" / "journal.db"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_journal_file_is_reopened(tmp_path, entry):
    given = entry()
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        (added,) = await journal.add([given])
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        assert (await journal.get(added.id)).body == given.body
        assert (await journal.add([given]))[0].outcome == "known"
    assert not (tmp_path / "j.db-wal").exists(), "a clean end leaves one file"


async def test_newer_schema_is_rejected(tmp_path):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalVersionError, match=r"schema 99"):
        await SQLiteJournal(path).open()


async def test_older_schema_is_upgraded(tmp_path, monkeypatch, entry):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    monkeypatch.setattr(
        schema, "_MIGRATIONS", {schema.SCHEMA_VERSION - 1: "ALTER TABLE deliveries ADD COLUMN extra TEXT"}
    )
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 1
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert connection.execute("SELECT extra FROM deliveries").fetchall() == [(None,)]


@pytest.mark.parametrize("version", [1, 2])
async def test_upgraded_schema_equals_a_new_one(tmp_path, version, entry):
    """The file as version 2 wrote it: one delivered, one queued, one withheld, and a replay that runs."""
    path, fresh = tmp_path / "j.db", tmp_path / "new.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / "schema_2.sql").read_text())
        if version == 1:
            connection.executescript("DROP TABLE workers; PRAGMA user_version = 1")
    async with SQLiteJournal(path) as journal, SQLiteJournal(fresh) as other:
        await other.add([entry()])
        states = (await journal.counts()).by_environment["production"]
        assert (states[State.QUEUED], states[State.DELIVERED], states[State.WITHHELD]) == (1, 1, 1)
        delivered = await journal.get(1)
        assert (delivered.delivery.status, delivered.delivery.endpoint, delivered.history[0].endpoint) == (200, "", "")
        known = entry(message_id=delivered.delivery.message_id)
        assert [one.outcome for one in await journal.add([known])] == ["known"]
        [job] = await journal.replays()
        assert (await journal.step_replay(job.id)).queued == 1
        claim = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        assert claim.ids == (2, 1), "and it goes on"
    assert _layout(path) == _layout(fresh)


def _layout(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: (
                sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({name})")),
                sorted(row[2:] for row in connection.execute(f"PRAGMA index_list({name})")),
            )
            for name in names
        }


async def test_failed_migration_changes_nothing(tmp_path, monkeypatch, entry):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
    version = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", version + 1)
    monkeypatch.setattr(schema, "_MIGRATIONS", {version: "DELETE FROM deliveries; CREATE TABLE deliveries(x)"})
    with pytest.raises(JournalError):
        await SQLiteJournal(path).open()
    monkeypatch.setattr(schema, "SCHEMA_VERSION", version)
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 1


async def test_foreign_database_is_not_changed(tmp_path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs(x)")
    with pytest.raises(JournalCorruptError, match="not a journal of sprig-tui"):
        await SQLiteJournal(path).open()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


@pytest.mark.parametrize(
    "content",
    [b"this is no database at all, " * 100, b"\x00" * 5000, random.Random(1).randbytes(9000)],
    ids=["text", "zeros", "noise"],
)
async def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "j.db"
    path.write_bytes(content)
    with pytest.raises(JournalCorruptError, match="damaged"):
        await SQLiteJournal(path).open()
    assert path.read_bytes() == content


async def test_damage_inside_is_reported_and_other_reads_succeed(tmp_path, entry):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path) as journal:
        await journal.add([entry(raw=os.urandom(3000)) for _ in range(200)])
    content = bytearray(path.read_bytes())
    for at in range(len(content) // 8192 * 4096, len(content), 4096):  # tables and their schema stand before
        content[at : at + 200] = b"\xff" * 200
    path.write_bytes(content)
    journal = SQLiteJournal(path)
    await journal.open()
    with pytest.raises(JournalCorruptError):  # noqa: PT012 - which page is damaged is the file's secret
        for number in range(1, 201):
            await journal.get(number)
    await journal.close()


async def test_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalReadOnlyError, match="folder"):
        await SQLiteJournal(tmp_path / "file" / "sub" / "j.db").open()


async def test_path_that_is_a_folder_is_named(tmp_path):
    with pytest.raises(JournalError):
        await SQLiteJournal(tmp_path).open()


class Small(SQLiteJournal):
    """A journal on a disk with little room."""

    def _connect(self):
        connection = super()._connect()
        connection.execute("PRAGMA max_page_count = 120")
        return connection


async def test_full_disk_loses_only_the_last_write(tmp_path, entry):
    kept = 0
    async with Small(tmp_path / "j.db") as journal:
        with pytest.raises(JournalFullError, match="no room"):  # noqa: PT012 - the loop is the point
            for _ in range(200):
                await journal.add([entry(raw=os.urandom(20_000)) for _ in range(3)])
                kept += 3
        assert kept
        assert await journal.count(Query()) == kept
        assert len((await journal.page(Query(), limit=1000)).deliveries) == kept
        with pytest.raises(JournalFullError):
            await journal.add([entry(raw=os.urandom(2_000_000))])
        assert await journal.count(Query()) == kept
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.add([entry(raw=os.urandom(200_000))])
        assert await journal.count(Query()) == kept + 1


async def test_lock_held_too_long_is_reported_and_recovers(tmp_path, entry):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, busy_timeout=0.05) as journal:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalLockedError, match="held by another process"):
                await journal.add([entry()])
            other.execute("ROLLBACK")
        await journal.add([entry()])
        assert await journal.count(Query()) == 1


async def test_closed_journal_is_named_in_the_error(tmp_path, entry):
    journal = SQLiteJournal(tmp_path / "j.db")
    await journal.open()
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.add([entry()])
    with pytest.raises(JournalError, match="closed"):
        await journal.count(Query())


async def test_colliding_identities_are_distinguished(tmp_path, entry):
    given = [entry(message_id=f"sprig-{7:016x}{number:016x}") for number in range(5)]
    assert len({identity_key(one.environment, one.message_id) for one in given}) == 1
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        added = await journal.add(given[:3])
        more = await journal.add(given)
        assert [one.outcome for one in added] == ["new"] * 3
        assert [one.outcome for one in more] == ["known"] * 3 + ["new"] * 2
        assert [one.id for one in more[:3]] == [one.id for one in added]


def test_keys_of_foreign_message_ids_differ_by_environment():
    assert identity_key("a", "x") != identity_key("b", "x")
    assert identity_key("a", "sprig-" + "g" * 32) != identity_key("a", "sprig-" + "h" * 32)


async def test_merged_identities_are_still_known(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(identity_index.merge_recent_ids, "__kwdefaults__", {"at": 10, "parts": 3})
    given = [entry() for _ in range(35)]
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        for start in range(0, 35, 7):
            await journal.add(given[start : start + 7])
        assert {one.outcome for one in await journal.add(given)} == {"known"}
        assert (await journal.find("production", given[0].message_id)).id == 1


async def test_a_merge_takes_as_many_transactions_as_it_has_parts(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(identity_index.merge_recent_ids, "__kwdefaults__", {"at": 400, "parts": 4})
    path = tmp_path / "j.db"
    merged = []
    async with SQLiteJournal(path) as journal:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            await journal.add([entry() for _ in range(399)])
            for _ in range(5):
                await journal.add([entry()])
                merged.append(connection.execute("SELECT count(*) FROM ids").fetchone()[0])
            keys = [row[0] for row in connection.execute("SELECT key FROM ids")]
    moved = [after - before for before, after in zip([0, *merged], merged, strict=False)]
    # a quarter of hashes each; what was added meanwhile may have missed its part
    assert all(60 < number < 140 for number in moved[:4])
    assert 400 <= merged[3] == len(keys) <= 403
    assert moved[4] == 0


@pytest.mark.parametrize("merged_at", [1_000, 5])
async def test_each_new_delivery_holds_its_identity_where_another_is_known(tmp_path, entry, monkeypatch, merged_at):
    monkeypatch.setattr(identity_index.merge_recent_ids, "__kwdefaults__", {"at": merged_at, "parts": 2})
    known, new = [entry() for _ in range(7)], [entry() for _ in range(3)]
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.add(known)
        added = await journal.add([known[3], *new])
    assert [(one.id, one.outcome) for one in added] == [(4, "known"), (8, "new"), (9, "new"), (10, "new")]
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as connection:
        held = connection.execute("SELECT key, delivery FROM recent_ids UNION ALL SELECT key, delivery FROM ids")
        assert dict(held.fetchall()) == {
            identity_key(one.environment, one.message_id): number for number, one in enumerate([*known, *new], 1)
        }


async def test_failed_job_of_a_group_commit_spares_the_others(tmp_path, entry):
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        results = await asyncio.gather(
            journal.add([entry()]), journal.step_replay(99), journal.add([entry()]), return_exceptions=True
        )
        assert isinstance(results[1], JournalError)
        assert await journal.count(Query()) == 2


_WORKER = textwrap.dedent(
    """
    import asyncio, sys
    from sprig_tui.journal.claim_rules import ClaimRequest
    from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
    from sprig_tui.journal.sqlite import SQLiteJournal

    async def main(path, name):
        async with SQLiteJournal(path) as journal:
            for number in range(40):
                own = [NewDelivery(environment="e", message_id=f"{name}-{number}-{i}", body=b"{}") for i in range(5)]
                shared = [NewDelivery(environment="e", message_id=f"shared-{number}", body=b"{}")]
                await journal.add(own + shared)
                claim = await journal.claim(ClaimRequest("e", 4, 10**6, 60_000))
                print(*claim.ids, flush=True)
                await journal.settle(
                    claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=Attempt(started_at=1))]
                )

    asyncio.run(main(sys.argv[1], sys.argv[2]))
    """
)


async def test_open_waits_for_the_process_that_creates_the_file(tmp_path):
    path = tmp_path / "j.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalLockedError):
        await SQLiteJournal(path, busy_timeout=0.05).open()
    journal = SQLiteJournal(path)
    opening = asyncio.ensure_future(journal.open())
    done, _ = await asyncio.wait((opening,), timeout=0.2)
    assert not done
    other.execute("ROLLBACK")
    await opening
    await journal.close()
    other.close()


async def test_reading_a_missing_file_creates_none(tmp_path):
    path = tmp_path / "j %20?.db"
    async with SQLiteJournal(path) as journal:
        path.unlink()
        # more than one at once: each reader has a connection of its own
        await asyncio.gather(*(journal.page(Query()) for _ in range(8)), return_exceptions=True)
        assert not path.exists()


async def test_several_processes_share_one_file(tmp_path):
    path = tmp_path / "j.db"
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, str(path), f"w{n}", stdout=asyncio.subprocess.PIPE
        )
        for n in range(3)
    ]
    output = [(await worker.communicate())[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    claimed = [int(word) for text in output for word in text.split()]
    assert len(claimed) == len(set(claimed)) == 3 * 40 * 4
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 3 * 40 * 5 + 40
