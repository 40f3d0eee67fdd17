"""Worker heartbeat: registered at the start, unregistered at the end, never in the way of a delivery."""

import asyncio
import os
import socket
from collections.abc import Callable

import pytest
from support.engine_bench import Bench
from support.faulty_journal import FaultyJournal

import sprig_tui
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat
from sprig_tui.errors import JournalError, JournalFullError
from sprig_tui.journal.claim_rules import WORKER_TTL_MS
from sprig_tui.journal.records import WorkerInfo
from sprig_tui.segment.sink import Sink

FULL = JournalFullError("the disk that holds journal.sqlite is full")


async def alive(bench: Bench, engine: Engine, number: int = 1) -> tuple[WorkerInfo, ...]:
    """The live workers, once there are `number` of them."""
    async with asyncio.timeout(20):
        while len(found := await bench.journal.workers()) != number:
            await bench.tick(engine)
    return found


async def until(bench: Bench, holds: Callable[[tuple[WorkerInfo, ...]], bool]) -> tuple[WorkerInfo, ...]:
    """The live workers, once this holds for them; time stands still meanwhile."""
    async with asyncio.timeout(20):
        while not holds(found := await bench.journal.workers()):
            await bench.tick()
    return found


async def test_engine_is_registered_from_start_to_drain(bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink:
        production, development = bench.environment(sink.url), bench.environment(sink.url, "development", key=None)
        async with bench.engine(production, development) as engine:
            [worker] = await alive(bench, engine)
            assert (worker.host, worker.pid) == (socket.gethostname(), os.getpid())
            assert (worker.role, worker.version) == ("engine", sprig_tui.__version__)
            assert worker.environments == ("production",), "the other has no key"
            assert worker.started_at <= worker.seen_at <= bench.time.now()
            assert await engine.drain(5)
            assert await bench.journal.workers() == ()
    assert await bench.journal.workers() == ()


async def test_heartbeat_is_refreshed(bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        [first] = await alive(bench, engine)
        await bench.until(lambda: bench.time.seconds > 2 * WORKER_TTL_MS / 1000, engine)
        [later] = await alive(bench, engine)
        assert (later.id, later.started_at) == (first.id, first.started_at)
        assert later.seen_at > first.seen_at + WORKER_TTL_MS


async def test_heartbeat_reports_rate(bench: Bench) -> None:
    await bench.queue(range(40))
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().rate > 0)
        await engine.reload({"production": bench.environment(sink.url)})
        await until(bench, lambda found: [worker.rate for worker in found] == [40.0])


async def test_heartbeat_reports_leased_deliveries(bench: Bench) -> None:
    await bench.queue(range(30))
    async with Sink(clock=bench.time, faults=["hang@1"]) as sink:
        async with bench.engine(bench.environment(sink.url)) as engine:
            engine.wake()
            await bench.until(lambda: sink.stats.requests == 1)
            [worker] = await bench.journal.workers()
            assert worker.leased == 30
        assert await bench.journal.workers() == ()


async def test_two_engines_are_two_workers(bench: Bench, other_bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink, other_bench.journal:
        one = bench.engine(bench.environment(sink.url))
        two = other_bench.engine(bench.environment(sink.url, "development"))
        async with one, two:
            found = await alive(bench, one, 2)
            assert {worker.environments for worker in found} == {("production",), ("development",)}
            await two.drain(5)
            assert [worker.environments for worker in await bench.journal.workers()] == [("production",)]


async def test_reload_sends_a_heartbeat_at_once(bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await alive(bench, engine)
        await engine.reload({name: bench.environment(sink.url, name) for name in ("staging", "production")})
        await until(bench, lambda found: found[0].environments == ("production", "staging"))
        assert bench.time.seconds < HEARTBEAT_INTERVAL_S


@pytest.mark.parametrize("error", [FULL, ZeroDivisionError("a fault of ours")])
async def test_failing_heartbeats_do_not_stop_deliveries(bench: Bench, error: Exception) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    journal.faults = {"heartbeat": error}
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        await bench.settled(engine)
        assert sink.stats.accepted == 10
        snapshot = engine.snapshot()
        assert (snapshot.replay_error, snapshot.environments["production"].local_error) == ("", "")
        await bench.until(lambda: journal.calls.count("heartbeat") > 2, engine)
        journal.faults = {}
        assert len(await alive(bench, engine)) == 1


async def test_hanging_heartbeat_does_not_block_deliveries(bench: Bench) -> None:
    await bench.queue(range(10))
    journal = FaultyJournal(bench.journal)
    journal.held = {"heartbeat"}
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        await bench.settled(engine)
        assert sink.stats.accepted == 10
        async with asyncio.timeout(20):
            assert await engine.drain(5)


@pytest.mark.parametrize("how", ["error", "held"])
async def test_failed_unregistration_does_not_block_drain(bench: Bench, how: str) -> None:
    journal = FaultyJournal(bench.journal)
    journal.faults = {"unregister_worker": JournalError("gone")} if how == "error" else {}
    journal.held = {"unregister_worker"} if how == "held" else set()
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        await alive(bench, engine)
        async with asyncio.timeout(20):
            assert await engine.drain(5)
    bench.time.advance(WORKER_TTL_MS / 1000)
    assert await bench.journal.workers() == (), "it is forgotten by itself"


async def test_engine_that_never_started_unregisters_no_worker(bench: Bench) -> None:
    journal = FaultyJournal(bench.journal)
    engine = bench.engine(bench.environment("http://127.0.0.1:9"), journal=journal)
    await engine.drain(0)
    assert "unregister_worker" not in journal.calls


async def test_heartbeat_works_without_an_engine(bench: Bench) -> None:
    async with Heartbeat(bench.journal, "listen", clock=bench.time, timing=bench.time) as heartbeat:
        [worker] = await until(bench, lambda found: len(found) == 1)
        assert (worker.id, worker.role, worker.environments) == (heartbeat.owner, "listen", ())
    assert await bench.journal.workers() == ()
