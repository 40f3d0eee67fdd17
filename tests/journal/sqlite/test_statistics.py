"""Statistics in a file: after an upgrade, in many blocks, with too many surveys, and after damage."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from support.older_journals import make_older
from support.records import make_entry

from sprig_tui.journal.block_counts import BLOCK_IDS, MAX_STALE_BLOCKS
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite import statistics as counting
from sprig_tui.journal.sqlite.salvage import salvage_journal
from sprig_tui.journal.statistics import StatisticsRequest
from sprig_tui.journal.statistics_filters import StatisticsFilters

WEEK = StatisticsRequest(unit="day", buckets=7)


def stale(path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM stale_counts").fetchone()[0]


async def test_an_upgraded_file_is_counted_block_by_block_and_right_at_any_time(tmp_path, clock):
    path = tmp_path / "j.db"
    blocks = MAX_STALE_BLOCKS + 2
    async with SQLiteJournal(path, clock=clock) as journal:
        for block in range(blocks):
            await journal.add([make_entry(block * BLOCK_IDS + at) for at in range(BLOCK_IDS)])
            clock.advance(86_400 / 2)
        await journal.withdraw([1, BLOCK_IDS * 2, BLOCK_IDS * 5])
    make_older(path, 8)
    async with SQLiteJournal(path, clock=clock) as journal:
        until_now = await journal.statistics(WEEK)
        assert stale(path) == blocks + 1
        assert until_now.totals == {State.QUEUED: blocks * BLOCK_IDS - 3, State.WITHHELD: 3}
        left = []
        while not left or left[-1]:
            left.append(await journal.keep_counts(1))
            assert (await journal.statistics(WEEK)).buckets == until_now.buckets
        assert left == [2, 1, 0]
        await journal.keep_counts(spared=0)
        assert stale(path) == 0
        kept = await journal.statistics(WEEK)
        assert (kept.buckets, kept.recounted) == (until_now.buckets, 0)
        # a block that is only partly in the period is counted from its rows
        part = await journal.statistics(StatisticsRequest(unit="hour", buckets=1, until=clock.now() - 43_200_000))
        rows = await journal.count(parse_filter(StatisticsFilters(part).total(), now_ms=clock.now()))
        assert sum(part.totals.values()) == rows == BLOCK_IDS
        # one change makes one block stale, and it is the only one that is counted again
        await journal.withdraw([BLOCK_IDS * 3])
        changed = await journal.statistics(WEEK)
        assert (changed.recounted, changed.totals[State.WITHHELD]) == (BLOCK_IDS, 4)


async def test_surveys_beyond_the_limit_are_one(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(counting, "MAX_SURVEYS", 2)
    monkeypatch.setattr("sprig_tui.journal.block_counts.MAX_SURVEYS", 2)
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add([make_entry(at, survey_id=f"s{at % 3}") for at in range(7)])
        await journal.keep_counts(spared=0)
        await journal.add([make_entry(at, survey_id=("s0", "s2", "s9", "x" * 500)[at % 4]) for at in range(10, 18)])
        for _ in range(2):
            found = await journal.statistics(WEEK)
            numbers = {one.id: sum(one.states.values()) for one in found.surveys}
            assert numbers == {"s0": 5, "s1": 2, "other": 8}
            assert found.surveys[-1].is_other
            await journal.keep_counts(spared=0)


async def test_a_change_while_a_block_is_counted_is_not_lost(tmp_path, clock):
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add([make_entry(at) for at in range(5)])
        found = await journal.read(lambda c: counting.count_stale(c, 0))
        assert found is not None
        await journal.withdraw([2])
        assert not await journal.write(lambda c: counting.store_counts(c, 0, found))
        assert (await journal.statistics(WEEK)).totals == {State.QUEUED: 4, State.WITHHELD: 1}


async def test_damaged_counts_are_found_and_made_new(tmp_path, clock):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([make_entry(at) for at in range(5)])
        claim = await journal.claim(ClaimRequest("production", 2, 475_000, 60_000))
        attempt = Attempt(started_at=clock.now(), status=200, latency_ms=38)
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
        await journal.keep_counts(spared=0)
        assert (await journal.verify()).problems == ()
        await journal.write(lambda c: c.execute("UPDATE deliveries SET state = 2 WHERE id = 1"))
        problems = (await journal.verify()).problems
        assert any("stats --recount" in one for one in problems)
        await journal.recount()
        assert not any("statistics" in one for one in (await journal.verify()).problems)
        await journal.keep_counts(spared=0)
        assert (await journal.statistics(WEEK)).totals == {State.QUEUED: 3, State.DELIVERED: 1, State.FAILED: 1}
    salvage_journal(str(path), str(tmp_path / "new.db"))
    async with SQLiteJournal(tmp_path / "new.db", clock=clock) as journal:
        assert (await journal.statistics(WEEK)).totals == {State.QUEUED: 3, State.DELIVERED: 1, State.FAILED: 1}


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x96\x00"])
async def test_counts_that_cannot_be_read_are_counted_again(tmp_path, clock, content):
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add([make_entry(at) for at in range(5)])
        await journal.keep_counts(spared=0)
        await journal.write(lambda c: c.execute("UPDATE kept_counts SET content = ?", (content,)))
        found = await journal.statistics(WEEK)
        assert (found.totals, found.recounted) == ({State.QUEUED: 5}, 5)
