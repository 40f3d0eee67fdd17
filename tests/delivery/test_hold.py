"""Holds and the engine: nothing is sent, whatever was prepared before, until the queue is resumed."""

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery import lane
from sprig_tui.delivery.hold import hold_lane, read_holds
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink


async def test_claims_that_were_made_before_a_hold_are_not_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MAX_BATCH_EVENTS", 2)
    await bench.queue(range(20))
    async with (
        Sink(clock=bench.time) as sink,
        bench.engine(bench.environment(sink.url, rate=0.1), connections=1) as engine,
    ):
        await bench.until(lambda: sink.stats.accepted == 2)
        # by another process: this one hears nothing of it
        await hold_lane(bench.journal, "production", "look first", by="anna@build")
        assert (await read_holds(bench.journal))["production"].sending > 0
        while (await bench.journal.counts()).leased:
            await bench.tick(engine)
        for _ in range(3):
            bench.time.advance(600)
            engine.idle.clear()
            engine.wake()
            await bench.until(engine.idle.is_set)
        assert sink.stats.accepted == 2
        hold = (await read_holds(bench.journal))["production"]
        assert (hold.waiting, hold.sending, hold.by, hold.why) == (18, 0, "anna@build", "look first")
        await bench.journal.withdraw([20])
        await bench.journal.set_lane("production", "open")
        await bench.settled(engine)
        assert sink.stats.accepted == 19


async def test_a_hold_survives_a_restart_and_a_bulk_replay_queues_behind_it(bench: Bench) -> None:
    ids = await bench.queue(range(30))
    async with Sink(clock=bench.time) as sink:
        environment = bench.environment(sink.url)
        async with bench.engine(environment) as engine:
            await bench.settled(engine)
        await hold_lane(bench.journal, "production", by="anna@build")
        async with bench.engine(environment) as engine:
            job = await bench.journal.start_replay(Query())
            engine.wake()
            while (await bench.journal.replays())[0].state != "done":
                await bench.tick(engine)
            bench.time.advance(600)
            await engine.add(bench.entries(range(30, 35)))
            assert set(await bench.states(ids)) == {State.QUEUED}
            assert sink.stats.events == 30
        [done] = await bench.journal.replays()
        assert (done.id, done.state, done.queued) == (job.id, "done", 30)
        assert (await read_holds(bench.journal))["production"].waiting == 35
        async with bench.engine(environment) as engine:
            kept = await hold_lane(bench.journal, "production", "other", by="bob", keep=True)
            assert (kept.detail.by, kept.detail.text) == ("anna@build", "")
            await bench.journal.set_lane("production", "open")
            await bench.settled(engine)
        assert sink.stats.events == 65
