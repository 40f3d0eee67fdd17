"""Forgetting in the file: no byte of a person is left in it, and backups, salvaged and older files know the list."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
from msgspec.structs import replace
from support.older_journals import make_older
from support.records import make_entry

from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.payload_codec import unpack_every
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal, scrub
from sprig_tui.journal.sqlite.salvage import salvage_journal

JANE = (make_identifier("user", "jane-doe-77"), make_identifier("email", "jane@doe.example"))
TRACES = (b"jane-doe-77", b"doe.example", b"slow and sad")


def answer(number, user):
    email = "jane@doe.example" if user == "jane-doe-77" else f"{user}@example.com"
    record = {"userId": user, "email": email, "response": f"slow and sad {user} {number}" * 20}
    made = make_entry(number, user_id=user, answer=f"slow and sad {number}" if user == "jane-doe-77" else "fine")
    if user != "jane-doe-77":
        record["response"] = "fine"
    return replace(made, raw=json.dumps(record).encode(), body=made.body.replace(b"acct_%d" % number, user.encode()))


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "journal.db")


def traces_in(folder):
    """Files of the folder in which something of the person is found."""
    return sorted(
        file.name for file in folder.iterdir() if file.is_file() and any(trace in file.read_bytes() for trace in TRACES)
    )


async def deliver(journal, clock):
    request = ClaimRequest("production", events=50, payload_bytes=400_000, lease_ms=60_000)
    while (taken := await journal.claim(request)).lease:
        quoting = Attempt(started_at=clock.now(), status=400, outcome="refused", excerpt="jane-doe-77 is unknown")
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, attempt=quoting, error="x")])


async def forget(journal, *, scrub=True):
    receipt = await journal.begin_forget(JANE, "ann")
    after, more = 0, True
    while more:
        step = await journal.find_persons(after, JANE)
        if step.found:
            await journal.erase([one.id for one in step.found])
        after, more = step.reached, step.more
    await journal.erase_quotes()
    if scrub:
        assert await journal.scrub()
    return await journal.end_forget(receipt, {})


async def test_no_byte_is_left_in_the_files(path, tmp_path, clock):
    entries = [answer(number, "jane-doe-77" if number % 7 == 0 else f"acct_{number}") for number in range(300)]
    async with SQLiteJournal(path, clock=clock) as journal, SQLiteJournal(path, clock=clock) as other:
        for start in range(0, 300, 10):
            # packs below the size at which they are compressed too
            await journal.add(entries[start : start + 10])
            await journal.add([answer(1_000 + start, "jane-doe-77")])
        await deliver(journal, clock)
        await journal.requeue([2, 9])
        await journal.start_replay(Query((Term("user", "jane-doe-77"),), "user:jane-doe-77"))
        clock.advance(1_000)
        # rows that were deleted and moved leave traces in free space
        await journal.prune(clock.now())
        await other.add([answer(2_000, "jane-doe-77"), answer(2_001, "kim")])
        assert traces_in(tmp_path) != []
        before = {one: (await journal.get(one)).raw for one in (2, 9)}
        await forget(journal)
        assert traces_in(tmp_path) == []
        assert {one: (await journal.get(one)).raw for one in before} == before
        assert (await other.add([answer(2_002, "kim")]))[0].state is State.QUEUED
        assert (await journal.verify()).problems == ()
    assert traces_in(tmp_path) == []


async def test_a_reader_that_does_not_let_go_is_named(path, clock, monkeypatch):
    monkeypatch.setattr(scrub, "SCRUB_TIMEOUT_S", 0.05)
    monkeypatch.setattr(scrub, "_RETRY_INTERVAL_S", 0.01)
    async with SQLiteJournal(path, clock=clock, busy_timeout=0.01) as journal:
        await journal.add([answer(1, "jane-doe-77")])
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM deliveries").fetchone()
            with pytest.raises(JournalLockedError, match="without a pause"):
                await forget(journal)
        # run again, it ends
        assert await journal.scrub()
        assert (await journal.forget_receipts())[0].ended_at == 0


async def test_list_and_key_go_with_backup_and_salvage(path, tmp_path, clock):
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([answer(1, "jane-doe-77"), answer(2, "kim")])
        await forget(journal)
        await journal.back_up(tmp_path / "backup.db")
    salvaged = salvage_journal(path, str(tmp_path / "salvaged.db"))
    assert (salvaged.lost, salvaged.is_complete) == ((), True)
    for name in ("backup.db", "salvaged.db"):
        async with SQLiteJournal(tmp_path / name, clock=clock) as copy:
            added = await copy.add([answer(1, "jane-doe-77"), answer(3, "jane-doe-77"), answer(2, "kim")])
            assert [(one.outcome, one.reason) for one in added] == [
                ("known", "forgotten"),
                ("new", "forgotten"),
                ("known", ""),
            ]
            assert [one.action for one in await copy.forget_receipts()] == ["forget"]
            assert (await copy.verify()).problems == ()
        assert (tmp_path / f"{name}-forget.key").stat().st_mode & 0o777 == 0o600


async def test_schema_7_file_is_upgraded(path, clock):
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([answer(1, "jane-doe-77"), answer(2, "kim")])
    make_older(path, 7)
    async with SQLiteJournal(path, clock=clock) as journal:
        assert await journal.forgotten() == ()
        assert (await forget(journal)).counts == {"identifiers": 2, "queued": 1}
        assert (await journal.counts()).forgotten == {"production": {State.WITHHELD: 1}}


async def test_packs_of_older_versions_are_repacked(path, clock):
    """They have no checksums of their own; the payloads of other people stay the same bytes."""
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([answer(1, "jane-doe-77"), answer(2, "kim")])
        kept = await journal.get(2)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        old = []
        for blob in connection.execute("SELECT raws, bodies FROM packs").fetchone():
            items, _ = unpack_every(blob, 1)
            numbers = (len(items), *map(len, items))
            old.append(b"\0" + b"".join(number.to_bytes(4, "little") for number in numbers) + b"".join(items))
        connection.execute("UPDATE packs SET raws = ?, bodies = ?", old)
        connection.commit()
    async with SQLiteJournal(path, clock=clock) as journal:
        assert await journal.get(2) == kept
        await forget(journal)
        assert await journal.get(2) == kept
        assert (await journal.verify()).problems == ()
