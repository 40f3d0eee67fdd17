"""Repair after any page was overwritten: tables are rebuilt, and no call is sent twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
from pathlib import Path

import pytest
from support.pages import PAGE_BYTES, damage, pages_of

from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import NewDelivery, Settlement, State, WorkerInfo
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.statistics import StatisticsRequest

COUNT = 240
RENEWABLE = [
    "attempt_status",
    "attempts",
    "changes",
    "counted_surveys",
    "counts",
    "due",
    "ended_badly",
    "environments",
    "history",
    "ids",
    "kept_counts",
    "leases",
    "origins",
    "positions",
    "probe",
    "recent_ids",
    "replays",
    "sequence",
    "sqlite_autoindex_environments_1",
    "sqlite_sequence",
    "stale_counts",
    "tombstone_filter",
    "workers",
]


@pytest.fixture
def entries(entry) -> list[NewDelivery]:
    return [entry(answer=os.urandom(40).hex()) for _ in range(COUNT)]


@pytest.fixture
async def path(tmp_path, entries, clock, attempt) -> Path:
    """A file with something in every table: 5 delivered, 5 refused, 5 tried once, the others queued."""
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(entries)
        for state, fields in ((State.DELIVERED, {}), (State.FAILED, {"error": "400"}), (State.QUEUED, {"due_at": 1})):
            claim = await take(journal, 5)
            await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt(400), **fields)])
        await journal.save_positions("pull", {"production": b"1"})
        await journal.start_replay(Query())
        await journal.check_writable()
        await journal.heartbeat(worker("other", clock))
        await journal.keep_counts(spared=0)
        await journal.add([entries[0]])
    return tmp_path / "j.db"


def worker(name: str, clock) -> WorkerInfo:
    return WorkerInfo(
        id=name,
        role="run",
        host="h",
        pid=1,
        version="1",
        environments=("production",),
        started_at=clock.now(),
        rate=0.0,
        seen_at=clock.now(),
    )


async def take(journal, events: int = 100, owner: str = ""):
    return await journal.claim(
        ClaimRequest("production", events=events, payload_bytes=475_000, lease_ms=60_000, owner=owner, rate=0.0)
    )


async def deliver_all(journal, clock, attempt) -> list[str]:
    """Message ids sent, in their order, each written down as delivered."""
    sent: list[str] = []
    for _ in range(60):
        claim = await take(journal)
        if claim.lease:
            sent += [one["messageId"] for one in json.loads(b"[" + claim.payload + b"]")]
            await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt())])
        elif not claim.retry_at or claim.retry_at > clock.now():
            break
    return sent


@pytest.mark.parametrize("name", RENEWABLE)
async def test_repair_rebuilds_derived_tables(path, clock, attempt, entry, entries, name):
    damage(path, *pages_of(path, name))
    added = entry()
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.heartbeat(worker("this", clock))
        results = await journal.add([entries[7], added, entries[200]])
        assert [one.outcome for one in results] == ["known", "new", "known"]
        assert results[1].id == COUNT + 1
        sent = await deliver_all(journal, clock, attempt)
        assert sorted(sent) == sorted(one.message_id for one in (*entries[10:], added))
        counts = (await journal.counts()).by_environment["production"]
        assert {state: number for state, number in counts.items() if number} == {
            State.DELIVERED: COUNT - 4,
            State.FAILED: 5,
        }
        assert len((await journal.page(Query(), limit=500)).deliveries) == COUNT + 1
        assert [one.id for one in await journal.workers() if one.id == "this"] == ["this"]
        statistics = await journal.statistics(StatisticsRequest())
        assert statistics.totals == {State.DELIVERED: COUNT - 4, State.FAILED: 5}
        found = await journal.verify()
        assert not any("statistics" in one for one in found.problems)
        assert not any("counts" in one or "stored" in one for one in found.problems)
        # a record of a request that is lost is not replaced by that of another
        detail = await journal.get(6)
        assert detail is not None
        assert {one.status for one in detail.history} <= {0, 400}
        await journal.prune(clock.now() + 1_000_000_000)
        assert await journal.count(Query()) == 0


async def test_lanes_whose_state_is_lost_are_paused(path, clock, attempt):
    damage(path, *pages_of(path, "lanes"))
    async with SQLiteJournal(path, clock=clock) as journal:
        assert await deliver_all(journal, clock, attempt) == []
        lane = (await journal.lanes())["production"]
        assert (lane.state, lane.until) == ("paused", 0)
        assert "damaged" in lane.cause
        await journal.set_lane("production", "open")
        assert len(await deliver_all(journal, clock, attempt)) == COUNT - 10


@pytest.mark.parametrize("name", ["leases", "workers", "sqlite_sequence"])
async def test_claim_held_during_a_repair_is_kept(path, clock, attempt, name):
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.heartbeat(worker("other", clock))
        held = await take(journal, 20, "other")
    clock.advance(25)
    damage(path, *pages_of(path, name))
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.heartbeat(worker("this", clock))
        sent = await deliver_all(journal, clock, attempt)
        assert len(sent) == COUNT - 10 - 20
        assert await journal.settle(held, [Settlement(ids=held.ids, state=State.DELIVERED, attempt=attempt())]) == 20
    async with SQLiteJournal(path, clock=clock) as journal:
        assert await deliver_all(journal, clock, attempt) == []


async def test_claim_of_a_dead_worker_is_released_after_a_repair(path, clock, attempt):
    async with SQLiteJournal(path, clock=clock) as journal:
        await take(journal, 20, "other")
    damage(path, *pages_of(path, "leases"))
    async with SQLiteJournal(path, clock=clock) as journal:
        assert len(await deliver_all(journal, clock, attempt)) == COUNT - 10 - 20
        clock.advance(121)
        assert len(await deliver_all(journal, clock, attempt)) == 20


async def test_repair_leaves_other_processes_working(path, clock, attempt, entry):
    async with SQLiteJournal(path, clock=clock) as other:
        assert await other.count(Query()) == COUNT
        damage(path, *pages_of(path, "counts"), *pages_of(path, "sequence"))
        async with SQLiteJournal(path, clock=clock) as journal:
            await journal.add([entry()])
        await other.add([entry()])
        assert await other.count(Query()) == COUNT + 2
        assert len(await deliver_all(other, clock, attempt)) == COUNT - 10 + 2


async def test_reading_a_damaged_journal_changes_no_byte(path, clock):
    damage(path, *pages_of(path, "counts"))
    before = path.read_bytes()
    async with SQLiteJournal(path, clock=clock) as journal:
        with pytest.raises(JournalCorruptError, match="is damaged"):
            await journal.counts()
        assert any("counts cannot be read" in one for one in (await journal.verify()).problems)
    assert path.read_bytes() == before


async def test_damaged_page_never_alters_or_repeats_a_call(path, clock, attempt, entry, entries):
    bodies = {one.body for one in entries}
    content = path.read_bytes()
    rng = random.Random(10)
    for number in range(int(os.environ.get("SPRIG_TUI_FAULT_ROUNDS", "12"))):
        path.write_bytes(content)
        damage(path, *rng.sample(range(1, len(content) // PAGE_BYTES), rng.choice((1, 1, 2))), seed=number)
        sent: list[bytes] = []
        with contextlib.suppress(JournalCorruptError):
            async with SQLiteJournal(path, clock=clock) as journal:
                for _ in range(60):
                    claim = await take(journal)
                    if claim.lease:
                        sent += claim.payload.replace(b"},{", b"}\n{").split(b"\n")
                        settlement = Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt())
                        await journal.settle(claim, [settlement])
                    elif not claim.retry_at or claim.retry_at > clock.now():
                        break
        assert len(set(sent)) == len(sent)
        assert set(sent) <= bodies
        with contextlib.closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.DatabaseError):
            delivered = connection.execute("SELECT count(*) FROM deliveries WHERE state = 1").fetchone()[0]
            assert delivered <= len(sent) + 5


async def test_claim_fails_if_rows_and_their_index_are_damaged(path, clock):
    damage(path, *pages_of(path, "due"), pages_of(path, "deliveries", ("leaf",))[1])
    async with SQLiteJournal(path, clock=clock) as journal:
        with pytest.raises(JournalCorruptError) as caught:
            await take(journal)
    assert "journal verify" in caught.value.hint
    assert f"journal salvage {path} NEW" in caught.value.hint
