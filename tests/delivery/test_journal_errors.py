"""Errors of the journal during delivery: they are shown, retried, and lose nothing."""

import asyncio

import pytest
from support.engine_bench import Bench
from support.faulty_journal import FaultyJournal

from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.errors import JournalError, JournalFullError, JournalLockedError
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Settlement, State
from sprig_tui.segment.sink import Sink

FULL = JournalFullError("the disk that holds journal.sqlite is full")
LOCKED = JournalLockedError("journal.sqlite is locked by another process")


@pytest.mark.parametrize("error", [FULL, LOCKED])
async def test_failed_claims_are_retried(bench: Bench, error: JournalError) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    journal.faults = {"claim": error, "replays": error}
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        await bench.until(lambda: journal.calls.count("claim") > 4, engine)
        snapshot = engine.snapshot()
        assert error.message in snapshot.environments["production"].local_error
        assert error.message in snapshot.replay_error
        journal.faults = {}
        await bench.settled(engine)
        await bench.until(lambda: not engine.snapshot().replay_error, engine)
        assert engine.snapshot().environments["production"].local_error == ""
        assert sink.stats.accepted == 10


async def test_failed_settlement_is_retried_until_stored(bench: Bench) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    journal.faults = {"settle": FULL}
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        engine.wake()
        await bench.until(lambda: journal.calls.count("settle") > 5, engine)
        assert "cannot store results" in engine.snapshot().environments["production"].local_error
        assert sink.stats.requests == 1
        journal.faults = {}
        await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (10, 0)


@pytest.mark.parametrize("method", ["claim", "settle"])
async def test_wait_ends_when_the_journal_cannot_be_written(bench: Bench, method: str) -> None:
    ids = await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    journal.faults = {method: FULL}
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        engine.wake()
        wait = wait_until_settled(bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time)
        waiting = asyncio.ensure_future(wait)
        await bench.until(waiting.done, engine)
        waited = await waiting
        assert waited.queued == 10
        (standstill,) = waited.stalls
        assert (standstill.environment, standstill.kind) == ("production", "journal")
        assert FULL.message in standstill.cause


async def test_engine_exits_while_the_journal_fails(bench: Bench) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url), journal=journal) as engine:
            journal.faults = {"settle": FULL, "release": FULL}
            engine.wake()
            await bench.until(lambda: "settle" in journal.calls)
        bench.time.advance(121)
        # the lease ran out, and they go again under the same message ids
        async with bench.engine(bench.environment(sink.url)) as engine:
            await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (10, 10)


async def test_engine_start_raises_when_the_journal_is_unreadable(bench: Bench) -> None:
    journal = FaultyJournal(bench.journal)
    journal.faults = {"lanes": LOCKED}
    with pytest.raises(JournalLockedError):
        async with bench.engine(bench.environment("http://127.0.0.1:9"), journal=journal):
            pass


@pytest.mark.parametrize("jump", [-86_400_000, 86_400_000])
async def test_deliveries_survive_a_wall_clock_jump(bench: Bench, jump: int) -> None:
    await bench.queue(range(20))
    faults = ["503@1"]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")
        bench.time.jump = jump
        await bench.queue(range(20, 40))
        await bench.settled(engine)
        assert sink.stats.accepted == 40
        assert bench.time.seconds < 300


@pytest.mark.parametrize("method", ["claim", "replays", "step_replay", "extend"])
async def test_unexpected_error_ends_no_lane_and_no_replay(bench: Bench, method: str) -> None:
    ids = await bench.queue(range(10))
    claim = await bench.journal.claim(ClaimRequest("production", events=4, payload_bytes=10**6, lease_ms=60_000))
    await bench.journal.settle(claim, [Settlement(ids=claim.ids, state=State.FAILED)])
    journal = FaultyJournal(bench.journal)
    journal.faults = {method: ZeroDivisionError("a fault of ours")}
    await bench.journal.start_replay(Query((Term("status", "failed"),)))
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        if method != "extend":
            await bench.until(lambda: journal.calls.count(method) > 2, engine)
            snapshot = engine.snapshot()
            text = snapshot.environments["production"].local_error if method == "claim" else snapshot.replay_error
            assert "ZeroDivisionError" in text
        journal.faults = {}
        while (await bench.journal.replays())[0].state != "done":
            await bench.tick(engine)
        await bench.settled(engine)
        await bench.until(lambda: not engine.snapshot().replay_error, engine)
    assert await bench.states(ids) == [State.DELIVERED] * 10


async def test_retired_lane_does_not_block_drain(bench: Bench) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        journal.faults = {"settle": FULL}
        engine.wake()
        await bench.until(lambda: "settle" in journal.calls)
        await engine.reload({})
        async with asyncio.timeout(20):
            assert not await engine.drain(0.05)
