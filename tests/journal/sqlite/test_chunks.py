"""Work on the whole file in chunks, and damaged parts that must not block others."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from contextlib import closing

import pytest

from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal, maintenance
from sprig_tui.journal.sqlite import replay as replays

FAILED = Query((Term("status", "failed"),))


async def settle_all(journal: SQLiteJournal, state: State) -> None:
    while True:
        taken = await journal.claim(ClaimRequest("production", events=2500, payload_bytes=475_000, lease_ms=60_000))
        if not taken.lease:
            return
        await journal.settle(taken, [Settlement(ids=taken.ids, state=state, attempt=Attempt(started_at=1, status=400))])


async def test_replay_step_scans_a_limited_number_of_rows(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(replays, "MAX_SCAN_ROWS", 10)
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.add([entry() for _ in range(35)])
        await settle_all(journal, State.FAILED)
        await journal.requeue(range(1, 34))
        await settle_all(journal, State.DELIVERED)
        job = await journal.start_replay(FAILED)
        assert job.total == 2
        seen = []
        while job.state == "running":
            job = await journal.step_replay(job.id, 5)
            seen.append((job.cursor, job.queued))
        assert seen == [(10, 0), (20, 0), (30, 0), (35, 2)]


async def test_prune_continues_past_chunks_without_old_deliveries(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(maintenance, "PRUNE_SCAN_ROWS", 10)
    monkeypatch.setattr(maintenance, "PRUNE_CHUNK_ROWS", 4)
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.add([entry() for _ in range(45)])
        await settle_all(journal, State.DELIVERED)
        await journal.requeue([*range(5, 34), 45])
        planned = await journal.prune(10**13, dry_run=True)
        assert planned.by_state == {State.DELIVERED: 15}
        assert await journal.prune(10**13) == planned
        assert await journal.count(Query()) == 30
        assert (await journal.counts()).by_environment["production"][State.DELIVERED] == 0
        await settle_all(journal, State.DELIVERED)
        await journal.prune(10**13)
    with closing(sqlite3.connect(tmp_path / "j.db")) as connection:
        for table in ("deliveries", "packs", "attempts", "history", "ids", "recent_ids", "leases"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608 - our own names


async def test_claim_from_many_packs_has_only_its_own_bodies(tmp_path, entry):
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        ids = []
        for _ in range(30):
            added = await journal.add([entry(body=os.urandom(500).hex().encode()) for _ in range(500)])
            ids.append(added[250].id)
        await settle_all(journal, State.FAILED)
        await journal.requeue(ids)
        tracemalloc.start()
        try:
            taken = await journal.claim(ClaimRequest("production", events=2500, payload_bytes=475_000, lease_ms=60_000))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert taken.ids == tuple(ids)
        assert peak < 5_000_000, "one pack unpacked at a time; all of them are 15 MB"


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x01broken", b"\x00\x09\x00\x00\x00"])
async def test_damaged_payload_does_not_block_other_deliveries(tmp_path, entry, damage):
    path = tmp_path / "j.db"
    given = [[entry() for _ in range(3)] for _ in range(3)]
    async with SQLiteJournal(path) as journal:
        added = [await journal.add(some) for some in given]
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "UPDATE packs SET bodies = ?, raws = ? WHERE first = ?", (damage, damage, added[1][0].id)
            )
        taken = []
        for _ in range(2):
            claim = await journal.claim(ClaimRequest("production", events=2500, payload_bytes=475_000, lease_ms=60_000))
            taken += claim.ids
        assert taken == [one.id for one in (*added[0], *added[2])]
        assert claim.payload == b",".join(one.body for one in (*given[0], *given[2]))
        (broken,) = await journal.get_many([added[1][0].id])
        assert (broken.state, broken.error) == (State.FAILED, "damaged: its stored payload is not what was stored")
        with pytest.raises(JournalCorruptError, match=f"delivery {broken.id} "):
            await journal.get(broken.id)
        with pytest.raises(JournalCorruptError):
            await journal.requeue([broken.id], as_new=True)
        assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 6, State.FAILED: 3}
