"""End of an engine: drain, abort, cancellation, and the release of what it holds."""

import asyncio

import pytest
from support.engine_bench import LONG, Bench

from sprig_tui.errors import ConfigError
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink


async def held(bench: Bench) -> int:
    return sum((await bench.journal.counts()).leased.values())


async def test_drain_waits_for_requests_on_the_wire(bench: Bench) -> None:
    await bench.queue(range(10))
    faults = [FaultRule(do="slow", seconds=0.2)]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().in_flight == 10)
        draining = asyncio.ensure_future(engine.drain(10))
        await bench.until(lambda: engine.snapshot().draining)
        await bench.queue(range(10, 20))
        engine.wake()
        assert await draining
        assert sink.stats.accepted == 10
    assert await bench.queued() == 10
    assert await held(bench) == 0


async def test_drain_aborts_requests_after_the_timeout(bench: Bench) -> None:
    ids = await bench.queue(range(10))
    async with Sink(clock=bench.time, faults=["hang"]) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().in_flight == 10)
        assert not await engine.drain(0.05)
        assert await held(bench) == 0
        assert await bench.states(ids) == [State.QUEUED] * 10
        (detail,) = await bench.details(ids[:1])
        assert [attempt.error for attempt in detail.history] == ["aborted"]
        sink.set_faults([])
        async with bench.engine(bench.environment(sink.url)) as second:
            await bench.settled(second)
        assert sink.requests[-1].retry_count == "1"
        assert sink.stats.accepted == 10


async def test_unsent_claims_are_released_without_an_attempt(bench: Bench) -> None:
    ids = await bench.queue(range(2_300), padding=LONG)
    async with Sink(clock=bench.time, faults=["hang"]) as sink:
        async with bench.engine(bench.environment(sink.url), connections=1) as engine:
            engine.wake()
            await bench.until(lambda: sink.stats.requests > 0)
            await asyncio.wait_for(engine.drain(0.0), 10)
        assert sink.stats.requests == 1
    assert await held(bench) == 0
    assert (await bench.details(ids[-1:]))[0].history == ()


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_engine_cancelled_at_any_moment_releases_everything(bench: Bench, turns: int) -> None:
    await bench.queue(range(1_500), poison={5, 750}, padding=LONG)
    faults = [FaultRule(do="status", status=400, contains="POISON"), FaultRule(do="status", status=503, rate=0.2)]

    async def deliver(url: str) -> None:
        async with bench.engine(bench.environment(url)) as engine:
            engine.wake()
            while True:
                await bench.tick(engine)

    async with Sink(clock=bench.time, faults=faults) as sink:
        running = asyncio.ensure_future(deliver(sink.url))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await held(bench) == 0
        sink.set_faults(faults[:1])
        async with bench.engine(bench.environment(sink.url)) as engine:
            await bench.settled(engine)
        assert sink.stats.accepted == 1_498
    assert (await bench.journal.counts()).by_environment["production"][State.FAILED] == 2


async def test_lease_of_a_long_request_is_renewed(bench: Bench, other_bench: Bench) -> None:
    await bench.queue(range(10))
    async with Sink(clock=bench.time, faults=["hang@1"]) as sink, other_bench.journal:
        environment = bench.environment(sink.url)
        async with bench.engine(environment, lease=20.0) as engine:
            engine.wake()
            await bench.until(lambda: engine.snapshot().in_flight == 10)
            for _ in range(40):
                bench.time.advance(2.5)
                await bench.tick()
                await bench.journal.lanes()
            other = bench.engine(environment, journal=other_bench.journal)
            async with other:
                other.wake()
                await bench.until(other.idle.is_set)
            assert sink.stats.requests == 1


async def test_expired_lease_is_sent_again_and_late_response_is_ignored(bench: Bench, other_bench: Bench) -> None:
    ids = await bench.queue(range(10))
    faults = [FaultRule(do="slow", seconds=0.4, last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink, other_bench.journal:
        environment = bench.environment(sink.url)
        async with bench.engine(environment, lease=3_600.0) as engine:
            engine.wake()
            await bench.until(lambda: engine.snapshot().in_flight == 10)
            bench.time.jump = 4_000_000  # the machine slept
            async with bench.engine(environment, journal=other_bench.journal) as other:
                other.wake()
                await bench.until(lambda: sink.stats.requests == 2)
                await bench.until(lambda: engine.snapshot().in_flight == 0)
                await bench.settled(other)
        assert (sink.stats.accepted, sink.stats.duplicates) == (10, 10)
    assert set(await bench.states(ids)) == {State.DELIVERED}


async def test_snapshot_keeps_totals_after_drain(bench: Bench) -> None:
    await bench.queue(range(10), poison={3})
    async with Sink(clock=bench.time, faults=["400~POISON"]) as sink:
        async with bench.engine(bench.environment(sink.url), bench.environment(sink.url, "other", key=None)) as engine:
            await bench.settled(engine)
            assert await engine.drain(10)
        end = engine.snapshot().environments["production"]
        assert (end.delivered, end.failed, end.sent) == (9, 1, sink.stats.requests)
        assert (end.in_flight, end.requests, end.rate, end.has_key) == (0, 0, 0.0, True)
        assert not engine.snapshot().environments["other"].has_key
        assert engine.served_environments() == frozenset()


async def test_failed_engine_start_leaves_no_task_running(bench: Bench) -> None:
    await bench.queue(range(10))
    before = asyncio.all_tasks()
    async with Sink(clock=bench.time) as sink:
        bad = bench.environment("gopher://127.0.0.1", "zz-bad")
        with pytest.raises(ConfigError):
            async with bench.engine(bench.environment(sink.url), bad):
                pass
        assert {task for task in asyncio.all_tasks() - before if "LaneWorker" in repr(task)} == set()
        assert sink.stats.requests == 0
    assert await held(bench) == 0
