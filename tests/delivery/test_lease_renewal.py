"""Lease renewal by monotonic time: renewed early enough, not trusted once expired, unaffected by clock jumps."""

import asyncio

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery.heartbeat import Heartbeat
from sprig_tui.delivery.lease_renewal import LeaseRenewer
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Claim
from sprig_tui.segment.sink import Sink


@pytest.fixture
def heartbeat(bench: Bench) -> Heartbeat:
    return Heartbeat(bench.journal, "engine", clock=bench.time, timing=bench.time)


@pytest.fixture
def leases(bench: Bench, heartbeat: Heartbeat) -> LeaseRenewer:
    return LeaseRenewer(bench.journal, bench.time, heartbeat)


async def claimed(bench: Bench, seconds: float, rate: float = 0.0) -> Claim:
    return await bench.journal.claim(
        ClaimRequest("production", events=1, payload_bytes=10**6, lease_ms=int(seconds * 1000), rate=rate)
    )


async def test_expired_lease_is_not_trusted(bench: Bench, leases: LeaseRenewer) -> None:
    await bench.queue([1])
    claim = await claimed(bench, 10)
    assert not leases.is_held(claim)
    leases.track(claim, 10, bench.time.now(), bench.time.monotonic())
    bench.time.advance(9.9)
    assert leases.is_held(claim)
    bench.time.advance(0.1)
    assert not leases.is_held(claim)


async def test_worker_without_heartbeat_stops_trusting_its_leases(
    bench: Bench, leases: LeaseRenewer, heartbeat: Heartbeat
) -> None:
    await bench.queue([1])
    claim = await claimed(bench, 120)
    leases.track(claim, 120, bench.time.now(), bench.time.monotonic())
    bench.time.advance(26)
    assert leases.is_held(claim), "it was heard of when it claimed"
    bench.time.advance(2)
    assert not leases.is_held(claim)
    heartbeat.last_beat_at = bench.time.monotonic()
    assert leases.is_held(claim)
    bench.time.advance(28)
    assert not leases.is_held(claim), "others may have taken over what it holds"


async def test_leases_are_renewed_while_tracked(bench: Bench, leases: LeaseRenewer) -> None:
    await bench.queue([1])
    claim = await claimed(bench, 10)
    leases.track(claim, 10, bench.time.now(), bench.time.monotonic())
    keeping = asyncio.create_task(leases.run(lambda: 10))
    for _ in range(20):
        await asyncio.sleep(0.002)
        bench.time.advance(2.5)
        await bench.until(lambda: not bench.time.busy)
    await asyncio.sleep(0.02)
    assert leases.is_held(claim)
    await bench.journal.release(claim)
    async with asyncio.timeout(10):
        while leases.is_held(claim):
            await asyncio.sleep(0.002)
            bench.time.advance(0.5)
    keeping.cancel()


@pytest.mark.parametrize("jump", [-3_600_000, 3_600_000])
async def test_pacing_slot_does_not_move_with_the_wall_clock(bench: Bench, leases: LeaseRenewer, jump: int) -> None:
    await bench.queue([1, 2])
    await claimed(bench, 10, rate=1)
    claim = await claimed(bench, 10, rate=1)
    leases.track(claim, 10, bench.time.now(), bench.time.monotonic())
    bench.time.jump = jump
    assert leases.seconds_until_send(claim) == 1.0
    assert leases.is_held(claim)


async def test_worker_suspended_past_its_leases_sends_nothing(bench: Bench, other_bench: Bench) -> None:
    await bench.queue(range(5_000))
    async with Sink(clock=bench.time, faults=["slow=2@1"]) as sink, other_bench.journal:
        async with bench.engine(bench.environment(sink.url), connections=1) as engine:
            engine.wake()
            await bench.until(lambda: engine.snapshot().in_flight > 0)
            while sum((await bench.journal.counts()).leased.values()) < 5_000:
                await bench.tick()
            # the process stands still for an hour, and another takes over what it had claimed
            bench.time.seconds += 3_600
            taken = 0
            while (
                theirs := await other_bench.journal.claim(
                    ClaimRequest("production", events=2_500, payload_bytes=10**6, lease_ms=10**9)
                )
            ).lease:
                taken += len(theirs.ids)
            await bench.until(lambda: sink.stats.accepted > 0)
            await bench.until(lambda: engine.snapshot().environments["production"].requests == 0)
            assert await engine.drain(10)
        # what only waited for the wire is no longer its own, but for a lease that it kept before the other came
        assert sum(request.events for request in list(sink.requests)[1:]) + taken <= 5_000
        assert taken or sink.stats.duplicates == 0
