"""Wait until deliveries are settled, and its end when lanes have stalled."""

import asyncio
from typing import Any

from support.engine_bench import Bench

from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import Stall, wait_until_settled
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.segment.sink import FaultRule, Sink


async def flying(bench: Bench, waiting: Any, engine: Engine) -> Any:
    task = asyncio.ensure_future(waiting)
    await bench.until(task.done, engine)
    return await task


async def test_wait_ends_when_everything_is_settled(bench: Bench) -> None:
    ids = await bench.queue(range(500), poison={3})
    faults = [FaultRule(do="status", status=400, contains="POISON")]
    progress: list[int] = []
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        waited = await flying(
            bench,
            wait_until_settled(
                bench.journal,
                IdRanges(ids),
                ["production"],
                engine=engine,
                timing=bench.time,
                on_progress=progress.append,
            ),
            engine,
        )
    assert (waited.queued, waited.stalls) == (0, ())
    assert progress[-1] == 0


async def test_wait_ends_at_once_for_a_rejected_key(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    async with Sink(clock=bench.time, faults=["401"]) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        waited = await flying(
            bench,
            wait_until_settled(bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time),
            engine,
        )
    assert waited.queued == 5
    assert waited.stalls == (Stall("production", "paused", "write key Zq8T…E1Rk refused (401)"),)


async def test_wait_ends_at_once_without_a_write_key(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    async with bench.engine(bench.environment("http://127.0.0.1:9", key=None)) as engine:
        waited = await flying(
            bench,
            wait_until_settled(bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time),
            engine,
        )
    assert waited.stalls == (Stall("production", "no-key"),)


async def test_wait_ends_when_the_endpoint_stays_unreachable(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    async with bench.engine(bench.environment("http://127.0.0.1:9")) as engine:
        engine.wake()
        waited = await flying(
            bench,
            wait_until_settled(
                bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time, timeout_s=60
            ),
            engine,
        )
        assert bench.time.seconds >= 60
    assert waited.stalls == (Stall("production", "unreachable", "connection refused"),)


async def test_wait_ends_after_repeated_retry_after(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    faults = [FaultRule(do="status", status=429, retry_after="7")]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        waited = await flying(
            bench,
            wait_until_settled(
                bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time, timeout_s=60
            ),
            engine,
        )
        assert 60 <= bench.time.seconds < 75
    assert waited.stalls == (Stall("production", "unreachable", "429, Segment asked for 7 s"),)
    assert waited.queued == 5


async def test_first_retry_after_is_no_stall(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    faults = [FaultRule(do="status", status=429, retry_after="290", last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        waited = await flying(
            bench,
            wait_until_settled(
                bench.journal, IdRanges(ids), ["production"], engine=engine, timing=bench.time, timeout_s=60
            ),
            engine,
        )
        assert bench.time.seconds >= 290
    assert waited.queued == 0


async def test_stalled_environment_does_not_end_the_wait_for_another(bench: Bench) -> None:
    ids = await bench.queue(range(5))
    ids += await bench.queue(range(5), "development")
    await bench.journal.set_lane("production", "paused", "paused by hand")
    faults = [FaultRule(do="status", status=503, last=2)]
    async with Sink(clock=bench.time, faults=faults) as sink:
        environments = bench.environment(sink.url), bench.environment(sink.url, "development", "d" * 32)
        async with bench.engine(*environments) as engine:
            engine.wake()
            names = ["production", "development"]
            waited = await flying(
                bench, wait_until_settled(bench.journal, IdRanges(ids), names, engine=engine, timing=bench.time), engine
            )
        assert sink.stats.accepted == 5
    assert waited.queued == 5
    assert waited.stalls == (Stall("production", "held", "held by hand: paused by hand"),)
