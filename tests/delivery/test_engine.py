"""The engine over a real journal and a real socket: outcomes, lanes, retries, keys."""

import asyncio

import pytest
from support.engine_bench import LONG, Bench

from sprig_tui.delivery.engine import Engine
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink


async def test_engine_delivers_everything_once_in_few_requests(bench: Bench) -> None:
    ids = await bench.queue(range(6_000))
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (6_000, 0)
        assert sink.stats.requests <= 5
        assert sink.stats.largest_body < 500_000
        assert max(seen.events for seen in sink.requests) <= 2_500
        assert [event["userId"] for event in sink.events][:3] == ["acct_0", "acct_1", "acct_2"]
        assert engine.snapshot().environments["production"].delivered == 6_000
    (detail,) = await bench.details(ids[-1:])
    assert (detail.delivery.attempts, detail.delivery.status) == (1, 200)
    assert [attempt.outcome for attempt in detail.history] == ["delivered"]


async def test_engine_finds_deliveries_of_another_process_without_a_wake(bench: Bench, other_bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine, other_bench.journal:
        await bench.until(engine.idle.is_set)
        await other_bench.queue([1])
        await bench.until(lambda: sink.stats.accepted == 1, engine)


async def test_sent_at_and_retry_count_are_set_per_request(bench: Bench) -> None:
    await bench.queue([1])
    faults = ["503@1-2"]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.settled(engine)
        assert [seen.retry_count for seen in sink.requests] == ["", "1", "2"]
        assert sink.stats.accepted == 1


@pytest.mark.parametrize("fault", ["503", "429", "500", "408", "reset", "close"])
async def test_transient_error_is_retried_by_one_probe_at_a_time(bench: Bench, fault: str) -> None:
    ids = await bench.queue(range(1_800), padding=LONG)
    faults = [f"{fault}@1-6"]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await bench.settled(engine)
        assert sink.stats.accepted == 1_800
        # what was on the wire together fails together and is one failure of the lane; then probes, small and alone
        probes = [seen for seen in sink.requests if seen.events <= 100]
        assert probes
        assert (await bench.lane()).state == "open"
    history = (await bench.details(ids[:1]))[0].history
    assert [attempt.outcome for attempt in history][-1] == "delivered"
    assert {attempt.outcome for attempt in history[:-1]} == {"retry"}


async def test_waiting_lane_sends_nothing_and_other_lanes_deliver(bench: Bench) -> None:
    await bench.queue(range(20))
    async with (
        Sink(clock=bench.time) as healthy,
        Sink(clock=bench.time, faults=[FaultRule(do="status", status=429, retry_after="40", last=1)]) as sink,
    ):
        environments = bench.environment(sink.url), bench.environment(healthy.url, "development", "d" * 32)
        async with bench.engine(*environments) as engine:
            engine.wake()
            await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")
            lane = await bench.lane()
            assert lane.cause == "429, Segment asked for 40 s"
            assert lane.until == bench.time.now() + 40_000
            await bench.queue(range(20, 30))
            await bench.queue(range(30), "development")
            bench.time.advance(39.9)
            engine.wake()
            await bench.until(lambda: healthy.stats.accepted == 30)
            assert sink.stats.requests == 1
            await bench.settled(engine)
            assert sink.stats.accepted == 30


async def test_concurrent_failures_count_as_one_lane_failure(bench: Bench) -> None:
    await bench.queue(range(2_300), padding=LONG)
    faults = ["503@1-4"]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")
        await bench.until(lambda: engine.snapshot().environments["production"].requests == 0)
        assert (await bench.lane()).failures == 1
        assert sink.stats.requests <= 4


@pytest.mark.parametrize("status", [401, 403])
async def test_rejected_key_pauses_the_lane_until_the_key_changes(bench: Bench, status: int) -> None:
    ids = await bench.queue(range(3))
    faults = [FaultRule(do="status", status=status, source="Zq8TinventedKeyOfThirtyTwoChE1Rk")]
    async with Sink(clock=bench.time, faults=faults) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused")
        bench.time.advance(59)
        engine.wake()
        await bench.until(engine.idle.is_set)
        assert sink.stats.requests == 1
        assert (await bench.lane()).cause == f"write key Zq8T…E1Rk refused ({status})"
        assert await bench.states(ids) == [State.QUEUED] * 3
        await engine.reload({"production": bench.environment(sink.url, key="n" * 32)})
        await bench.settled(engine)
        assert [seen.retry_count for seen in sink.requests] == ["", "1"]
        assert sink.stats.accepted == 3


async def test_paused_lane_resumes_at_start_with_another_key(bench: Bench) -> None:
    await bench.queue([1])
    faults = [FaultRule(do="status", status=401, source="Zq8TinventedKeyOfThirtyTwoChE1Rk")]
    async with Sink(clock=bench.time, faults=faults) as sink:
        for _ in range(2):
            async with bench.engine(bench.environment(sink.url)) as engine:
                engine.wake()
                await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused")
        assert sink.stats.requests == 1
        async with bench.engine(bench.environment(sink.url, key="n" * 32)) as engine:
            await bench.settled(engine)
        assert sink.stats.accepted == 1


@pytest.mark.parametrize("status", [404, 405, 415, 501])
async def test_wrong_endpoint_pauses_the_lane_and_fails_nothing(bench: Bench, status: int) -> None:
    ids = await bench.queue(range(50))
    async with (
        Sink(clock=bench.time, faults=[str(status)]) as sink,
        bench.engine(bench.environment(sink.url)) as engine,
    ):
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused")
        assert (await bench.lane()).cause == f"check the endpoint {sink.url}: it answers {status}"
        assert set(await bench.states(ids)) == {State.QUEUED}
        sink.set_faults([])
        await bench.journal.set_lane("production", "open")
        await bench.settled(engine)
        assert sink.stats.accepted == 50


async def test_reload_with_the_same_key_keeps_the_lane_paused(bench: Bench) -> None:
    await bench.queue([1])
    async with Sink(clock=bench.time) as sink:
        await bench.journal.set_lane("production", "paused", "paused by hand")
        async with bench.engine(bench.environment(sink.url)) as engine:
            await engine.reload({"production": bench.environment(sink.url, key="n" * 32)})
            bench.time.advance(400)
            await bench.until(engine.idle.is_set)
            assert sink.stats.requests == 0


async def test_delivery_fails_after_retries_and_window_are_used_up(bench: Bench) -> None:
    ids = await bench.queue([1])
    settings = {"max_retries": 3, "retry_window": 90.0}
    fake_segment = Sink(clock=bench.time, faults=["503"])
    async with fake_segment as sink, bench.engine(bench.environment(sink.url), **settings) as engine:
        await bench.settled(engine)
    (detail,) = await bench.details(ids)
    assert detail.delivery.state is State.FAILED
    assert detail.delivery.status == 503
    assert len(detail.history) == detail.delivery.attempts > 4
    assert detail.history[-1].started_at - detail.history[0].started_at >= 89_000
    assert [seen.retry_count for seen in sink.requests] == ["", *map(str, range(1, len(sink.requests)))]


async def test_refused_connection_is_retried_and_in_the_snapshot(bench: Bench) -> None:
    ids = await bench.queue([1])
    async with bench.engine(bench.environment("http://127.0.0.1:9")) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting")
        assert (await bench.lane()).cause == "connection refused"
        assert engine.snapshot().environments["production"].last_error == "connection refused"
    assert await bench.states(ids) == [State.QUEUED]


async def test_environment_without_key_is_known_and_not_served(bench: Bench) -> None:
    await bench.queue([1], "development")
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url, "development", key=None)) as engine:
            assert not engine.snapshot().environments["development"].has_key
            assert engine.served_environments() == frozenset()
            await engine.reload({"development": bench.environment(sink.url, "development")})
            await bench.settled(engine)
            await engine.reload({"development": bench.environment(sink.url, "development", key=None)})
            assert engine.served_environments() == frozenset()
        assert sink.stats.accepted == 1


async def test_two_engines_on_one_journal_send_nothing_twice(bench: Bench, other_bench: Bench) -> None:
    async with Sink(clock=bench.time) as sink, other_bench.journal:
        environment = bench.environment(sink.url)
        async with (
            bench.engine(environment) as engine,
            other_bench.engine(environment, journal=other_bench.journal) as other,
        ):
            for start in range(0, 8_000, 1_000):
                await bench.queue(range(start, start + 1_000))
                engine.wake()
                other.wake()
            await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (8_000, 0)


async def test_write_key_is_in_no_repr_or_snapshot(bench: Bench) -> None:
    await bench.queue([1])
    async with Sink(clock=bench.time, faults=["401"]) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused")
        assert "inventedKey" not in repr(engine.snapshot())
    assert b"inventedKey" not in bench.path.read_bytes()


async def test_event_that_crashes_the_endpoint_blocks_no_other(bench: Bench) -> None:
    ids = await bench.queue(range(3_000), poison={700})
    async with (
        Sink(clock=bench.time, faults=["503~POISON"]) as sink,
        bench.engine(bench.environment(sink.url)) as engine,
    ):
        engine.wake()
        async with asyncio.timeout(60):
            while sink.stats.accepted < 2_999:
                await bench.tick(engine)
        assert bench.time.seconds < 3_600
        await bench.until(lambda: engine.snapshot().environments["production"].lane.failures > 3, engine)
        assert await bench.states([ids[700]]) == [State.QUEUED]
        # and what comes later passes it by
        await bench.queue(range(3_000, 3_100))
        await bench.until(lambda: sink.stats.accepted == 3_099, engine)
    assert sink.stats.duplicates == 0


async def test_error_in_result_listener_keeps_the_result(bench: Bench) -> None:
    await bench.queue(range(10))

    def fail(*_: object) -> None:
        msg = "a fault of the listener"
        raise ValueError(msg)

    async with Sink(clock=bench.time) as sink:
        engine = Engine(
            bench.journal,
            {"production": bench.environment(sink.url)},
            clock=bench.time,
            timing=bench.time,
            on_result=fail,
        )
        async with engine:
            await bench.settled(engine)
        assert sink.stats.requests == 1
