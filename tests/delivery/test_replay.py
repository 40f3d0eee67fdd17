"""Bulk replays, run by any engine, behind live traffic."""

from typing import Any

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery import replay
from sprig_tui.errors import JournalError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import ReplayJob, State
from sprig_tui.segment.sink import Sink

FAILED = Query((Term("status", "failed"),), "status:failed")


async def with_failed(bench: Bench, number: int) -> list[int]:
    """That many failed deliveries, and no engine running."""
    ids = await bench.queue(range(number))
    claim = await bench.journal.claim(ClaimRequest("production", events=number, payload_bytes=10**9, lease_ms=60_000))
    from sprig_tui.journal.records import Settlement

    await bench.journal.settle(claim, [Settlement(ids=claim.ids, state=State.FAILED, error="invalid_request")])
    return ids


async def job(bench: Bench, number: int = 1) -> ReplayJob:
    return next(one for one in await bench.journal.replays() if one.id == number)


async def test_replay_sends_matching_failed_deliveries_only(bench: Bench) -> None:
    ids = await with_failed(bench, 2_500)
    async with Sink(clock=bench.time, keep=0, count=True) as sink:
        async with bench.engine(bench.environment(sink.url)) as engine:
            started = await bench.journal.start_replay(FAILED)
            engine.wake()
            await bench.until(lambda: sink.stats.accepted == 2_500, engine)
            while (await job(bench, started.id)).state != "done":
                await bench.tick(engine)
            await bench.settled(engine)
            assert engine.snapshot().replay_error == ""
        assert (sink.stats.accepted, sink.stats.duplicates) == (2_500, 0)
    done = await job(bench, started.id)
    assert (done.queued, done.skipped, done.total) == (2_500, 0, 2_500)
    assert set(await bench.states(ids[:3])) == {State.DELIVERED}


async def test_replay_of_a_dead_process_resumes_at_next_start(bench: Bench) -> None:
    await with_failed(bench, 300)
    started = await bench.journal.start_replay(FAILED)
    await bench.journal.step_replay(started.id, 100)
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.until(lambda: sink.stats.accepted == 300, engine)


async def test_replay_waits_for_the_backlog_and_can_be_cancelled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MAX_BACKLOG_ROWS", 100)
    monkeypatch.setattr(replay, "STEP_ROWS", 60)
    await with_failed(bench, 1_000)
    async with Sink(clock=bench.time, faults=["503"]) as sink, bench.engine(bench.environment(sink.url)) as engine:
        started = await bench.journal.start_replay(FAILED)
        engine.wake()
        await bench.until(lambda: sum(one.queued for one in engine.snapshot().replays) >= 100, engine)
        for _ in range(20):
            await bench.tick(engine)
        assert (await job(bench, started.id)).queued < 100 + 60
        await bench.journal.set_replay(started.id, "paused")
        sink.set_faults([])
        await bench.settled(engine)
        paused = await job(bench, started.id)
        assert sink.stats.accepted == paused.queued < 1_000
        await bench.until(lambda: [one.state for one in engine.snapshot().replays] == ["paused"], engine)
        await bench.journal.set_replay(started.id, "running")
        await bench.until(lambda: sink.stats.accepted > paused.queued, engine)
        await bench.journal.set_replay(started.id, "cancelled")
        await bench.until(lambda: engine.snapshot().replays == (), engine)
        await bench.settled(engine)
        assert sink.stats.accepted == (await job(bench, started.id)).queued < 1_000


async def test_two_engines_run_one_replay_without_sending_twice(bench: Bench, other_bench: Bench) -> None:
    await with_failed(bench, 3_000)
    async with Sink(clock=bench.time, keep=0, count=True) as sink, other_bench.journal:
        environment = bench.environment(sink.url)
        async with bench.engine(environment) as engine, other_bench.engine(environment) as other:
            await bench.journal.start_replay(FAILED)
            other.wake()
            await bench.until(lambda: sink.stats.accepted == 3_000, engine)
            await bench.settled(engine)
        assert sink.stats.duplicates == 0


async def test_failing_environment_blocks_no_other_replay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MAX_BACKLOG_ROWS", 50)
    await bench.queue(range(200), "development")
    await with_failed(bench, 30)
    async with Sink(clock=bench.time) as sink, Sink(clock=bench.time, faults=["503"]) as down:
        environments = bench.environment(sink.url), bench.environment(down.url, "development")
        async with bench.engine(*environments) as engine:
            await bench.until(lambda: engine.snapshot().environments["development"].lane.failures > 2, engine)
            everywhere = await bench.journal.start_replay(FAILED)
            assert everywhere.environments == ()
            await bench.until(lambda: sink.stats.accepted == 30, engine)
            while (await job(bench, everywhere.id)).state != "done":
                await bench.tick(engine)
            named = await bench.journal.start_replay(Query((Term("env", "production"), Term("status", "delivered"))))
            assert named.environments == ("production",)
            while (await job(bench, named.id)).state != "done":
                await bench.tick(engine)


async def test_failing_replay_blocks_no_other_replay(bench: Bench) -> None:
    await with_failed(bench, 30)
    await bench.journal.start_replay(FAILED)
    broken = await bench.journal.start_replay(FAILED)

    class OneBroken:
        def __getattr__(self, name: str) -> Any:
            return getattr(bench.journal, name)

        async def step_replay(self, job_id: int, limit: int) -> ReplayJob:
            if job_id == broken.id:
                raise JournalError("the stored payload of delivery 7 is damaged")
            stepped: ReplayJob = await bench.journal.step_replay(job_id, limit)
            return stepped

    async with (
        Sink(clock=bench.time) as sink,
        bench.engine(bench.environment(sink.url), journal=OneBroken()) as engine,
    ):
        await bench.until(lambda: sink.stats.accepted == 30, engine)
        assert "continue replay 2" in engine.snapshot().replay_error
        assert "delivery 7 is damaged" in engine.snapshot().replay_error
