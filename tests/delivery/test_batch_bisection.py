"""Bisection by a running engine: real journal, client and fake Segment."""

import asyncio
from math import ceil, log2
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.engine_bench import Bench

from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink

POISON = (FaultRule(do="status", status=400, contains="POISON"),)


async def test_bisection_finds_one_poison_event_among_many(bench: Bench) -> None:
    ids = await bench.queue(range(1_500), poison={777})
    async with Sink(clock=bench.time, faults=POISON) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (1_499, 0)
        assert sink.stats.requests <= 2 * ceil(log2(1_500)) + 2
        snapshot = engine.snapshot().environments["production"]
        assert (snapshot.delivered, snapshot.failed) == (1_499, 1)
        assert snapshot.lane.state == "open"
    poisoned, neighbour = await bench.details([ids[777], ids[776]])
    assert poisoned.delivery.state is State.FAILED
    assert (poisoned.delivery.status, poisoned.delivery.error) == (400, "fault_400")
    assert poisoned.history[-1].events == 1
    assert {attempt.outcome for attempt in poisoned.history} == {"refused"}
    assert [attempt.events for attempt in poisoned.history] == sorted(
        (attempt.events for attempt in poisoned.history), reverse=True
    )
    assert neighbour.delivery.state is State.DELIVERED
    assert [attempt.outcome for attempt in neighbour.history][-1] == "delivered"
    assert neighbour.delivery.attempts == len(neighbour.history) > 2


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_single_rejected_event_is_not_split(bench: Bench, status: int) -> None:
    ids = await bench.queue([1])
    async with (
        Sink(clock=bench.time, faults=[str(status)]) as sink,
        bench.engine(bench.environment(sink.url)) as engine,
    ):
        await bench.settled(engine)
        assert sink.stats.requests == 1
    assert await bench.states(ids) == [State.FAILED]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_engine_isolates_every_poison_set(tmp_path_factory: pytest.TempPathFactory, case: tuple[int, set[int]]) -> None:
    size, poison = case

    async def run(path: Path) -> None:
        bench = Bench(path / "journal.sqlite")
        async with bench.journal, Sink(clock=bench.time, faults=POISON) as sink:
            ids = await bench.queue(range(size), poison=poison)
            async with bench.engine(bench.environment(sink.url)) as engine:
                await bench.settled(engine)
            failed = {n for n, state in enumerate(await bench.states(ids)) if state is State.FAILED}
            assert failed == poison
            assert (sink.stats.accepted, sink.stats.duplicates) == (size - len(poison), 0)
            assert sink.stats.requests <= 2 * size - 1

    asyncio.run(run(tmp_path_factory.mktemp("poison")))


async def test_bisection_requests_are_paced(bench: Bench) -> None:
    await bench.queue(range(16), poison=range(16))
    fake_segment = Sink(clock=bench.time, faults=POISON)
    async with fake_segment as sink, bench.engine(bench.environment(sink.url, rate=10.0)) as engine:
        await bench.settled(engine)
        times = [seen.at for seen in sink.requests]
    assert len(times) == 31
    assert times[-1] - times[0] >= (31 - 1 - 3) * 100


async def test_outage_during_bisection_loses_nothing(bench: Bench) -> None:
    ids = await bench.queue(range(300), poison={7, 250})
    faults = [FaultRule(do="status", status=503, first=4, last=6), *POISON]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (298, 0)
    assert [n for n, state in enumerate(await bench.states(ids)) if state is State.FAILED] == [7, 250]
