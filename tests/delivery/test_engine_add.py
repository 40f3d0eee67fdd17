"""Engine.add: entries are claimed in the transaction that stores them, as far as the lanes have room."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from support.engine_bench import Bench

from sprig_tui.config.environment import DeliverySettings
from sprig_tui.delivery.lane import ADD_CLAIM_FACTOR, PREFETCH_CLAIMS
from sprig_tui.errors import JournalFullError
from sprig_tui.journal.base import ClaimRequest
from sprig_tui.journal.records import AddResult, Claim, NewDelivery, State
from sprig_tui.segment.sink import Sink


class Told:
    """A journal that notes what it is asked to claim while it stores, and may be held up."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.rows_wanted: list[tuple[ClaimRequest, ...]] = []
        self.claimed: list[Claim] = []
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def add_and_claim(
        self, entries: Sequence[NewDelivery], wanted: tuple[ClaimRequest, ...]
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        self.rows_wanted.append(wanted)
        if self.full:
            raise JournalFullError("the disk is full")
        added, claims = await self._journal.add_and_claim(entries, wanted)
        self.claimed += claims
        self.held.set()
        await self.go_on.wait()
        return added, claims


@pytest.fixture
def told(bench: Bench) -> Told:
    return Told(bench.journal)


async def test_added_entries_are_sent_without_a_claim_query(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink:
        there = bench.environment(sink.url)
        async with bench.engine(there, journal=told) as engine:
            added = await engine.add(bench.entries(range(5)))
            assert [one.ids for one in told.claimed] == [(1, 2, 3, 4, 5)]
            await bench.settled(engine)
        assert await bench.states(one.id for one in added) == [State.DELIVERED] * 5
        assert sink.stats.requests == 1


async def test_full_lane_claims_nothing_on_add(bench: Bench, told: Told) -> None:
    async with (
        Sink(clock=bench.time, faults=["hang"]) as sink,
        bench.engine(bench.environment(sink.url), journal=told, connections=1) as engine,
    ):
        room = ADD_CLAIM_FACTOR * (1 + PREFETCH_CLAIMS)
        for number in range(room):
            await engine.add(bench.entries([number]))
            assert told.rows_wanted[-1][0].claims == room - number
        await engine.add(bench.entries([room]))
        assert told.rows_wanted[-1] == ()
        assert len(told.claimed) == room
        await engine.drain(0.0)


@pytest.mark.parametrize(("rate", "claims"), [(2.0, 6), (9.0, 9), (50.0, 12), (0.0, 12)])
async def test_add_claims_at_most_one_second_of_pacing_slots(
    bench: Bench, told: Told, rate: float, claims: int
) -> None:
    async with (
        Sink(clock=bench.time) as sink,
        bench.engine(bench.environment(sink.url, rate=rate), journal=told, connections=4) as engine,
    ):
        await engine.add(bench.entries([1]))
        assert told.rows_wanted[0][0].claims == claims
        await bench.settled(engine)


async def test_concurrent_adds_share_the_claim_room(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=told) as engine:
        told.go_on.clear()
        first, second = (asyncio.ensure_future(engine.add(bench.entries([number]))) for number in range(2))
        await bench.until(lambda: len(told.rows_wanted) == 2)
        assert told.rows_wanted[1] == ()
        told.go_on.set()
        await first
        await second
        await bench.settled(engine)


async def test_add_for_an_environment_without_lane_is_queued(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=told) as engine:
        (added,) = await engine.add(bench.entries([1], "development"))
        assert (added.state, told.rows_wanted) == (State.QUEUED, [()])


async def test_cancelled_add_completes_and_is_delivered(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=told) as engine:
        told.go_on.clear()
        storing = asyncio.ensure_future(engine.add(bench.entries([1])))
        await told.held.wait()
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        told.go_on.set()
        await bench.settled(engine)
        assert sink.stats.accepted == 1


async def test_entries_added_while_the_engine_stops_are_released(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url), journal=told) as engine:
            told.go_on.clear()
            storing = asyncio.ensure_future(engine.add(bench.entries([1])))
            await told.held.wait()
            ending = asyncio.ensure_future(engine.drain(5.0))
            await bench.until(lambda: engine.snapshot().draining)
            told.go_on.set()
            assert (await storing)[0].state is State.QUEUED
            assert await ending
        assert sink.stats.requests == 0
        claim = await bench.journal.claim(ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=1000))
        assert claim.ids == told.claimed[0].ids == (1,)


async def test_entries_added_after_their_lane_ended_are_released(bench: Bench, told: Told) -> None:
    # no two of them fit a claim
    apart = [replace(one, body=one.body + b" " * 300_000) for one in bench.entries(range(3))]
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url), journal=told) as engine:
            told.go_on.clear()
            storing = asyncio.ensure_future(engine.add(apart))
            await told.held.wait()
            assert len(told.claimed) == 3
            ending = asyncio.ensure_future(engine.drain(0.0))
            await bench.until(lambda: engine.snapshot().draining)
            await asyncio.sleep(0.05)
            told.go_on.set()
            assert {one.state for one in await storing} == {State.QUEUED}
            await ending
        assert sink.stats.requests == 0
        claim = await bench.journal.claim(ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=1000))
        assert claim.ids == (1, 2, 3)


async def test_claim_made_while_adding_lasts_as_long_as_its_lease(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink:
        there = {"production": bench.environment(sink.url)}
        async with bench.engine(*there.values(), journal=told, lease=10.0) as engine:
            told.go_on.clear()
            storing = asyncio.ensure_future(engine.add(bench.entries([1])))
            await told.held.wait()
            bench.time.advance(11)
            claim = await bench.journal.claim(
                ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=60_000)
            )
            assert claim.ids == (1,)
            await engine.reload(there, DeliverySettings(lease=1_000.0))
            told.go_on.set()
            await storing
            for _ in range(50):
                await bench.tick()
            assert sink.stats.requests == 0
            await bench.journal.release(claim)
            await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (1, 0)


async def test_failed_add_frees_the_reserved_room(bench: Bench, told: Told) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=told) as engine:
        told.full = True
        for _ in range(3):
            with pytest.raises(JournalFullError):
                await engine.add(bench.entries([1]))
        assert len({wanted[0].claims for wanted in told.rows_wanted}) == 1


async def test_endpoint_failure_applies_to_claims_made_on_add(bench: Bench, told: Told) -> None:
    async with (
        Sink(clock=bench.time, faults=["503@1"]) as sink,
        bench.engine(bench.environment(sink.url), journal=told) as engine,
    ):
        await engine.add(bench.entries([1]))
        await bench.until(lambda: sink.stats.requests == 1)
        async with asyncio.timeout(10):
            while (await bench.lane()).state == "open":
                await bench.tick()
        await engine.add(bench.entries([2]))
        assert len(told.claimed) == 1
        await bench.settled(engine)
        assert sink.stats.accepted == 2
