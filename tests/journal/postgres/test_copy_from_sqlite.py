"""Copy of a journal from its file to a server: completeness, resumption, rejected sources and targets."""

from __future__ import annotations

import contextlib
import sqlite3

import asyncpg
import pytest
from msgspec.structs import replace
from support.older_journals import make_older
from support.records import make_worker

from sprig_tui.errors import JournalError
from sprig_tui.journal import tombstone_filter
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.postgres import PostgresJournal, copy_from_sqlite
from sprig_tui.journal.postgres.copy_from_sqlite import copy_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import LaneChange, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal


@pytest.fixture
async def path(tmp_path, entry, attempt, clock):
    """A file that holds deliveries in every state, with histories, a replay job, a lane that waits, and odd texts."""
    path = str(tmp_path / "journal.db")
    async with SQLiteJournal(path, clock=clock) as journal:
        odd = entry(answer="NUL \0 and \u202e and 🙂", survey_name="Größe", user_id="a\0b")
        added = await journal.add([entry() for _ in range(40)] + [odd, entry("development"), entry(reason="anonymous")])
        taken = await journal.claim(ClaimRequest("production", events=10, payload_bytes=10**6, lease_ms=60_000))
        first, second, *others = taken.ids
        await journal.settle(
            taken,
            [
                Settlement(ids=tuple(others), state=State.DELIVERED, attempt=attempt()),
                Settlement(ids=(first,), state=State.FAILED, attempt=attempt(400, excerpt="bad\0"), error="bad"),
                Settlement(ids=(second,), state=State.QUEUED, attempt=attempt(503), error="503"),
            ],
            LaneChange(
                epoch=taken.lane.epoch,
                state="waiting",
                until=clock.now() + 5000,
                reason=PauseReason.HTTP_ERROR,
                detail=PauseDetail(status=503),
            ),
        )
        await journal.requeue([added[5].id], as_new=True)
        await journal.start_replay(Query(text="status:failed"))
        await journal.save_positions("pull", {"production": b"1"})
    return path


async def everything(journal):
    page = await journal.page(Query(), limit=1000)
    details = [await journal.get(one.id) for one in page.deliveries]
    return [(replace(one.delivery, leased=False), one.raw, one.body, one.history) for one in details if one is not None]


async def test_copy_contains_everything(path, postgres_journal_url, clock, entry, monkeypatch):
    monkeypatch.setattr(copy_from_sqlite, "COPY_CHUNK_ROWS", 7)
    told = []
    copied = await copy_journal(path, postgres_journal_url, on_progress=told.append)
    assert {one.table: one.rows for one in copied}["deliveries"] == 44
    assert {one.verb for one in told} == {"copied", "compared"}
    async with SQLiteJournal(path, clock=clock) as old, PostgresJournal(postgres_journal_url, clock=clock) as new:
        for (was, *payloads), (now, *there) in zip(await everything(old), await everything(new), strict=True):
            assert replace(was, answer="", user_id="") == replace(now, answer="", user_id="")
            assert was.answer.replace("\0", "␀") == now.answer
            assert payloads[:2] == there[:2]
            assert [replace(one, excerpt="") for one in payloads[2]] == [replace(one, excerpt="") for one in there[2]]
        assert await old.counts() == await new.counts()
        assert await old.lanes() == await new.lanes()
        assert await old.replays() == await new.replays()
        assert await old.identity() == await new.identity()
        assert await old.positions("pull") == await new.positions("pull") == {"production": b"1"}
        clock.advance(10)
        (fresh,) = await new.add([entry()])
        assert fresh.id == 45
        known = (await old.page(Query(), limit=1)).deliveries[0]
        assert (await new.find(known.environment, known.message_id)).id == known.id
        probe = await new.claim(ClaimRequest("production", events=100, payload_bytes=10**6, lease_ms=1000))
        assert probe.probe
        assert probe.payload.count(b"messageId") == len(probe.ids)


async def test_removed_deliveries_stay_known_in_the_copy(
    path, postgres_journal_url, clock, entry, attempt, monkeypatch
):
    monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", 0)
    given = [entry("development"), entry("development", message_id="foreign-1")]
    async with SQLiteJournal(path, clock=clock) as old:
        await old.add(given)
        taken = await old.claim(ClaimRequest("development", events=10, payload_bytes=10**6, lease_ms=60_000))
        await old.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
        clock.advance(1)
        assert (await old.prune(clock.now())).by_state[State.DELIVERED] >= 2
        removed = (await old.tombstones()).by_environment
    copied = await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)
    assert {one.table: one.rows for one in copied}["tombstones"] == sum(removed.values())
    async with PostgresJournal(postgres_journal_url, clock=clock) as new:
        assert (await new.tombstones()).by_environment == removed
        results = await new.add([*given, entry("development")])
        assert [(one.id, one.outcome) for one in results] == [(0, "known"), (0, "known"), (47, "new")]


async def test_interrupted_copy_resumes(path, postgres_journal_url, clock, monkeypatch):
    monkeypatch.setattr(
        copy_from_sqlite, "_TABLES", tuple(replace(table, chunk_rows=5) for table in copy_from_sqlite._TABLES)
    )

    class StopHereError(Exception):
        pass

    seen = 0

    def stop(progress):
        nonlocal seen
        seen += 1
        if progress.table == "deliveries" and progress.rows >= 15:
            raise StopHereError

    with pytest.raises(StopHereError):
        await copy_journal(path, postgres_journal_url, on_progress=stop)
    told = []
    copied = await copy_journal(path, postgres_journal_url, on_progress=told.append)
    first = next(one for one in told if one.table == "deliveries" and one.verb == "copied")
    assert first.rows == 20, "what was there already is not read again"
    assert {one.table: one.rows for one in copied}["deliveries"] == 44
    async with SQLiteJournal(path, clock=clock) as old, PostgresJournal(postgres_journal_url, clock=clock) as new:
        assert await old.counts() == await new.counts()


async def test_row_that_changed_meanwhile_fails_the_comparison(path, postgres_journal_url):
    await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)
    connection = await asyncpg.connect(postgres_journal_url)
    # as if it had been stopped before it compared
    await connection.execute("INSERT INTO sprig_tui.copies SELECT $1, n, 0, true FROM generate_series(0, 7) n", path)
    await connection.execute("UPDATE sprig_tui.deliveries SET error = 'x' WHERE id = 17")
    await connection.close()
    with pytest.raises(JournalError, match="not the same: deliveries, a row between 1 and 44"):
        await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)


async def test_copy_to_a_target_that_is_not_empty_is_rejected(path, postgres_journal_url, entry):
    async with PostgresJournal(postgres_journal_url) as journal:
        await journal.add([entry()])
    with pytest.raises(JournalError, match="holds deliveries already"):
        await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)


@pytest.mark.parametrize("side", ["file", "server"])
async def test_copy_of_a_journal_in_use_is_rejected(path, postgres_journal_url, side):
    opened = SQLiteJournal(path) if side == "file" else PostgresJournal(postgres_journal_url)
    async with opened as journal:
        await journal.heartbeat(make_worker())
        with pytest.raises(JournalError, match="is in use: run 4211 on mill-1"):
            await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)


async def test_unfinished_copy_cannot_be_opened(path, postgres_journal_url, entry):
    class StopHereError(Exception):
        pass

    def stop(progress):
        raise StopHereError

    with pytest.raises(StopHereError):
        await copy_journal(path, postgres_journal_url, on_progress=stop)
    with pytest.raises(JournalError, match=r"is a copy of .* that was not finished"):
        await PostgresJournal(postgres_journal_url).open()
    await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)
    async with PostgresJournal(postgres_journal_url) as journal:
        (added,) = await journal.add([entry()])
        assert added.id == 45


async def test_copy_of_a_schema_5_file_converts_pause_reasons(path, postgres_journal_url):
    """Its sentence is translated; that of an older program which went on beside a newer one counts, too."""
    cause = "write key Zq8T…e1Rk refused (401)"
    make_older(path, 5)
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE lanes SET state = 'paused', until = 1, pauses = 1, cause = ?", (cause,))
        file.commit()
    async with SQLiteJournal(path):
        pass
    stale = "check the endpoint https://x: it answers 404"
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.execute(
            "UPDATE lanes SET epoch = epoch + 1, cause = ? WHERE environment ="
            " (SELECT id FROM environments WHERE name = 'development')",
            (stale,),
        )
        older.commit()
    await copy_journal(path, postgres_journal_url, on_progress=lambda _: None)
    async with PostgresJournal(postgres_journal_url) as new:
        lanes = await new.lanes()
        production, development = lanes["production"], lanes["development"]
        assert (production.reason, production.detail.key) == (PauseReason.KEY_REFUSED, "Zq8T…e1Rk")
        assert (development.reason, development.detail.status) == (PauseReason.WRONG_ENDPOINT, 404)
        probe = await new.claim(ClaimRequest("development", events=1, payload_bytes=9_999, lease_ms=1000))
        assert (probe.probe, probe.lane.reason) == (True, PauseReason.WRONG_ENDPOINT)


async def test_copy_knows_who_was_forgotten(path, postgres_journal_url, tmp_path, entry):
    jane = make_identifier("user", "jane")
    async with SQLiteJournal(path) as old:
        await old.add([entry(user_id="jane")])
        receipt = await old.begin_forget([jane], "ann")
        (found,) = (await old.find_persons(0, [jane])).found
        await old.erase([found.id])
        await old.end_forget(receipt, {})
        receipts = await old.forget_receipts()
    await copy_journal(path, postgres_journal_url, on_progress=lambda _: None, key_folder=tmp_path)
    async with PostgresJournal(postgres_journal_url, key_folder=tmp_path) as new:
        assert await new.forget_receipts() == receipts
        assert (await new.add([entry(user_id="jane")]))[0].reason == "forgotten"
        assert (await new.counts()).forgotten["production"][State.WITHHELD] == 2
        assert await new.begin_forget([jane], "ann") == 2


async def test_program_that_knows_no_list_adds_nothing_while_somebody_is_on_it(postgres_journal_url, tmp_path, entry):
    async with PostgresJournal(postgres_journal_url, key_folder=tmp_path) as journal:
        await journal.add([entry()])
        await journal.begin_forget([make_identifier("user", "jane")], "ann")
    older = await asyncpg.connect(postgres_journal_url)
    with pytest.raises(asyncpg.SerializationError, match="forgotten"):
        await older.execute("INSERT INTO sprig_tui.deliveries SELECT * FROM sprig_tui.deliveries")
    await older.close()
