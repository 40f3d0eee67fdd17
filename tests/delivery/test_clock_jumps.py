"""Clock jumps while an engine runs."""

import logging
from typing import Any

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery.clock_jumps import ClockJumpDetector, describe_jump
from sprig_tui.delivery.engine import Engine
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink

DAY = 86_400_000


async def waiting(bench: Bench, engine: Engine) -> None:
    await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")


@pytest.mark.parametrize("jump", [-280_000, -20_000, -400 * DAY, 400 * DAY])
async def test_lane_wait_ends_on_time_after_a_clock_jump(bench: Bench, jump: int) -> None:
    ids = await bench.queue(range(5))
    faults = [FaultRule(do="status", status=429, retry_after="30", last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await waiting(bench, engine)
        await bench.until(engine.idle.is_set)
        bench.time.jump = jump
        await bench.settled(engine)
        assert bench.time.seconds < 40
        assert sink.stats.accepted == 5
    assert await bench.states(ids) == [State.DELIVERED] * 5


async def test_clock_jump_forward_uses_up_no_retry_window(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    faults = [FaultRule(do="status", status=429, retry_after="2", last=3)]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await waiting(bench, engine)
        bench.time.jump = 400 * DAY
        await bench.settled(engine)
        assert sink.stats.requests == 4
    assert await bench.states(ids) == [State.DELIVERED] * 5


async def test_retry_window_keeps_its_length_when_the_clock_is_set_back(bench: Bench) -> None:
    ids = await bench.queue([1])
    async with Sink(clock=bench.time, faults=["429+retry-after=300"]) as sink:
        async with bench.engine(bench.environment(sink.url), retry_window=600.0) as engine:
            engine.wake()
            await waiting(bench, engine)
            bench.time.jump = -400 * DAY
            await bench.settled(engine)
        assert 600 <= bench.time.seconds < 1_000
    assert await bench.states(ids) == [State.FAILED]


async def test_clock_jump_is_logged_and_in_the_snapshot(bench: Bench, caplog: Any) -> None:
    async with bench.engine(bench.environment("http://127.0.0.1:9")) as engine:
        await bench.until(engine.idle.is_set)
        bench.time.jump = 2 * DAY
        with caplog.at_level(logging.WARNING):
            engine.idle.clear()
            engine.wake()
            await bench.until(engine.idle.is_set)
        (jump,) = engine.snapshot().clock_jumps
    assert jump.by_ms == 2 * DAY
    assert [record.getMessage() for record in caplog.records] == [describe_jump(jump)]
    assert describe_jump(jump) == (
        "the clock went forward by 2 d (it was set, or the machine slept); waits and retry windows go on as before"
    )


def test_small_clock_steps_are_ignored(bench: Bench) -> None:
    jumps = ClockJumpDetector(bench.time, bench.time)
    for _ in range(100):
        bench.time.jump += 4_000
        bench.time.seconds += 1
        assert jumps.check() is None


def test_wall_times_are_adjusted_to_the_current_clock(bench: Bench) -> None:
    jumps = ClockJumpDetector(bench.time, bench.time)
    bench.time.seconds = 10
    before = bench.time.now()
    bench.time.jump += 400 * DAY
    jumps.check()
    bench.time.seconds = 20
    between = bench.time.now()
    assert jumps.adjust(before) == before + 400 * DAY
    assert jumps.adjust(between) == between
    bench.time.jump -= 400 * DAY
    jumps.check()
    bench.time.seconds = 30
    assert jumps.adjust(before) == before
    assert jumps.adjust(between) == between - 400 * DAY
    assert jumps.adjust(bench.time.now()) == bench.time.now()
    assert jumps.adjust(0) == 0
