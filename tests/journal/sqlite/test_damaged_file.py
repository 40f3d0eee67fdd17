"""Damaged pages: other deliveries continue, verify reports the damage, salvage copies what is readable."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.pages import PAGE_BYTES, damage, pages_of

from sprig_tui.errors import JournalCorruptError, JournalError, SprigTuiError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite.salvage import salvage_journal

QUEUED = 1_500


@pytest.fixture
async def path(tmp_path, entry, clock) -> Path:
    """A file with many queued deliveries, whose payloads do not compress."""
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        for _ in range(QUEUED // 50):
            await journal.add([entry(raw=os.urandom(60), answer=os.urandom(40).hex()) for _ in range(50)])
        await journal.save_positions("pull", {"production": b"1"})
    return tmp_path / "j.db"


async def deliver_all(path: Path, clock) -> tuple[int, Counter[State]]:
    """Claim and settle until nothing more can be had; how many were sent, and the states in the end."""
    sent = 0
    async with SQLiteJournal(path, clock=clock) as journal:
        for _ in range(300):
            claim = await journal.claim(ClaimRequest("production", events=100, payload_bytes=475_000, lease_ms=60_000))
            if claim.lease:
                sent += await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
                assert claim.payload.count(b'"event":"x"') == len(claim.ids)
            elif claim.retry_at == 0 or claim.retry_at > clock.now():
                break
        counts = (await journal.counts()).by_environment["production"]
    return sent, Counter({state: n for state, n in counts.items() if n})


@pytest.mark.parametrize("table", ["packs", "deliveries"])
async def test_damaged_page_does_not_stop_other_deliveries(path, clock, table):
    pages = pages_of(path, table, ("leaf", "overflow"))
    damage(path, pages[len(pages) // 2])
    sent, states = await deliver_all(path, clock)
    assert 1_200 < sent < QUEUED
    assert states.total() == QUEUED
    assert states[State.DELIVERED] == sent
    if table == "packs":
        assert states[State.FAILED] == QUEUED - sent
    async with SQLiteJournal(path) as journal:
        assert (await journal.verify()).problems
        assert (await journal.verify(2.0)).problems


async def test_add_continues_beside_a_damaged_page(path, entry):
    damage(path, pages_of(path, "deliveries", ("leaf",))[5])
    async with SQLiteJournal(path) as journal:
        results = await asyncio.gather(
            *(journal.add([entry()]) for _ in range(5)),
            *(journal.get(number) for number in range(1, 1400, 7)),
            *(journal.requeue([number]) for number in range(1, 1400, 7)),
            return_exceptions=True,
        )
        assert all(isinstance(one, list) for one in results[:5])
        assert any(isinstance(one, JournalError) for one in results)


async def test_verify_of_an_intact_journal_finds_no_problem(path):
    async with SQLiteJournal(path) as journal:
        found = await journal.verify()
    assert (found.problems, found.deliveries, found.packs) == ((), QUEUED, QUEUED // 50)


async def everything(path: Path) -> dict[int, object]:
    async with SQLiteJournal(path) as journal:
        page = await journal.page(Query(), limit=QUEUED)
        return {one.id: await journal.get(one.id) for one in page.deliveries}


async def test_salvage_of_an_intact_journal_keeps_its_identity(path, tmp_path, entry):
    async with SQLiteJournal(path) as journal:
        again = [entry() for _ in range(3)]
        await journal.add(again)
        claim = await journal.claim(ClaimRequest("production", events=5, payload_bytes=475_000, lease_ms=60_000))
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
        identity, lanes = await journal.identity(), await journal.lanes()
    done = await asyncio.to_thread(salvage_journal, str(path), str(tmp_path / "new.db"))
    assert (done.lost, done.is_complete, done.deliveries) == ((), True, QUEUED + 3)
    assert await everything(path) == await everything(tmp_path / "new.db")
    async with SQLiteJournal(tmp_path / "new.db") as journal:
        assert await journal.identity() == identity
        assert {name: replace(lane) for name, lane in (await journal.lanes()).items()} == lanes
        assert await journal.positions("pull") == {"production": b"1"}
        assert (await journal.verify()).problems == ()
        assert {one.outcome for one in await journal.add(again)} == {"known"}
        assert (await journal.add([entry()]))[0].id == QUEUED + 4


async def test_salvage_copies_readable_rows_wherever_the_damage_is(path, tmp_path, clock):
    content = path.read_bytes()
    rng = random.Random(16)
    pages = rng.sample(range(1, len(content) // PAGE_BYTES), int(os.environ.get("SPRIG_TUI_FAULT_ROUNDS", "6")))
    brought = []
    for page in pages:
        path.write_bytes(content)
        damage(path, page, seed=page)
        new = tmp_path / f"new-{page}.db"
        try:
            done = await asyncio.to_thread(salvage_journal, str(path), str(new))
        except JournalError:
            continue  # the schema itself, or where the tables begin
        async with SQLiteJournal(new, clock=clock) as journal:
            assert (await journal.verify()).problems == ()
            identity = await journal.identity()
        sent, states = await deliver_all(new, clock)
        assert states.total() == done.deliveries
        assert done.is_complete or done.lost
        assert sent + states[State.FAILED] == done.deliveries
        async with SQLiteJournal(path) as journal:
            assert done.is_complete == (identity == await journal.identity())
        brought.append(sent)
    assert len(brought) > len(pages) // 2
    assert sum(one > 1_200 for one in brought) > len(brought) // 2


async def test_salvage_overwrites_nothing(path, tmp_path):
    (tmp_path / "new.db").write_text("x")
    with pytest.raises(SprigTuiError, match="is there already"):
        salvage_journal(str(path), str(tmp_path / "new.db"))
    assert (tmp_path / "new.db").read_text() == "x"


async def test_backup_during_writes_is_consistent(path, tmp_path, entry):
    async with SQLiteJournal(path) as journal, SQLiteJournal(path) as other:
        enough = asyncio.Event()

        async def write() -> int:
            written = 0
            while not enough.is_set():
                await other.add([entry(raw=os.urandom(3000)) for _ in range(20)])
                written += 20
            return written

        writing = asyncio.create_task(write())
        size = await journal.back_up(tmp_path / "backup")
        enough.set()
        written = await writing
        assert size == (tmp_path / "backup").stat().st_size
        assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
        with pytest.raises(SprigTuiError, match="is there already"):
            await journal.back_up(tmp_path / "backup")
        identity = await journal.identity()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup", "j.db"]
    async with SQLiteJournal(tmp_path / "backup") as journal:
        count = await journal.count(Query())
        assert QUEUED <= count <= QUEUED + written
        assert (count - QUEUED) % 20 == 0
        assert (await journal.verify()).problems == ()
        assert await journal.identity() == identity


async def test_backup_of_a_damaged_journal_fails(path, tmp_path):
    damage(path, pages_of(path, "deliveries", ("leaf",))[3])
    async with SQLiteJournal(path) as journal:
        with pytest.raises(JournalCorruptError, match="damaged"):
            await journal.back_up(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
