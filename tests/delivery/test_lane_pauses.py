"""Lanes paused over a key or an endpoint, and how they resume."""

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery.engine import Engine
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink

MINUTE = 60


async def paused(bench: Bench, engine: Engine, pauses: int) -> None:
    await bench.until(
        lambda: (lane := engine.snapshot().environments["production"].lane).state == "paused" and lane.pauses == pauses
    )


async def later(bench: Bench, engine: Engine, seconds: float) -> None:
    """Let so much time pass, and the lane look once more."""
    bench.time.advance(seconds)
    engine.idle.clear()
    engine.wake()
    await bench.until(engine.idle.is_set)


@pytest.mark.parametrize("fault", ["403", "404", "511"])
async def test_paused_lane_is_probed_and_resumes_automatically(bench: Bench, fault: str) -> None:
    ids = await bench.queue(range(20))
    async with (
        Sink(clock=bench.time, faults=[f"{fault}@1-3"]) as sink,
        bench.engine(bench.environment(sink.url)) as engine,
    ):
        engine.wake()
        await paused(bench, engine, 1)
        await bench.queue(range(20, 40))
        for pauses, minutes in ((2, 1), (3, 5)):
            await later(bench, engine, minutes * MINUTE - 1)
            assert sink.stats.requests == pauses - 1, "not before its time"
            bench.time.advance(1)
            engine.wake()
            await paused(bench, engine, pauses)
            assert sink.requests[-1].body_bytes < 400, "a probe risks one delivery"
        bench.time.advance(15 * MINUTE)
        engine.wake()
        await bench.settled(engine)
        lane = await bench.lane()
    assert (lane.state, lane.pauses, lane.cause) == ("open", 0, "")
    assert State.QUEUED not in await bench.states(ids)
    if fault == "511":
        assert sink.stats.accepted == 40 - 22, "the batch that was told to sign in, and a probe each, have failed"
    else:
        assert sink.stats.accepted == 40


async def test_manual_pause_is_never_probed(bench: Bench) -> None:
    await bench.queue(range(3))
    await bench.journal.set_lane("production", "paused", "by hand")
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        for _ in range(3):
            await later(bench, engine, 120 * MINUTE)
        assert sink.stats.requests == 0
        assert (await bench.lane()).state == "paused"


async def test_retry_count_includes_every_earlier_request(bench: Bench) -> None:
    await bench.queue([1])
    faults = [
        FaultRule(do="status", status=403, last=1),
        FaultRule(do="status", status=429, retry_after="2", first=2, last=2),
        FaultRule(do="redirect", first=3, last=3),
        FaultRule(do="status", status=503, first=4, last=4),
    ]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await paused(bench, engine, 1)
        bench.time.advance(MINUTE)
        engine.wake()
        await bench.settled(engine)
        assert [seen.retry_count for seen in sink.requests] == ["", "1", "2", "3", "4"]


async def test_sign_in_page_with_status_200_delivers_nothing(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    faults = [FaultRule(do="html", last=2, accept=False)]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")
        assert (await bench.lane()).cause == "http 200 with a web page: check the endpoint"
        assert await bench.states(ids) == [State.QUEUED] * 5
        await bench.settled(engine)
        assert sink.stats.accepted == 5
    assert await bench.states(ids) == [State.DELIVERED] * 5


async def test_success_false_counts_as_unconfirmed(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    async with (
        Sink(clock=bench.time, faults=["unsuccess"]) as sink,
        bench.engine(bench.environment(sink.url)) as engine,
    ):
        engine.wake()
        await bench.settled(engine)
        seen = engine.snapshot().environments["production"]
    assert (seen.delivered, seen.unconfirmed) == (5, 5)
    (detail, *_) = await bench.details(ids)
    assert detail.delivery.state is State.DELIVERED
    assert [one.error for one in detail.history] == ['answered "success": false']
    assert detail.delivery.error == 'answered "success": false'
