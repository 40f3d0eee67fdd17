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
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import AddResult, Claim, NewDelivery, State
from sprig_tui.segment.sink import Sink


class RecordingJournal:
    """Journal that records the claims made with an add, and can be blocked or full."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.requests: list[tuple[ClaimRequest, ...]] = []
        self.claimed: list[Claim] = []
        self.stored = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def add_and_claim(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest]
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        self.requests.append(tuple(claim_requests))
        if self.full:
            raise JournalFullError("the disk is full")
        added, claims = await self._journal.add_and_claim(entries, claim_requests)
        self.claimed += claims
        self.stored.set()
        await self.go_on.wait()
        return added, claims


@pytest.fixture
def journal(bench: Bench) -> RecordingJournal:
    return RecordingJournal(bench.journal)


async def test_added_entries_are_sent_without_a_claim_query(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink:
        environment = bench.environment(sink.url)
        async with bench.engine(environment, journal=journal) as engine:
            added = await engine.add(bench.entries(range(5)))
            assert [claim.ids for claim in journal.claimed] == [(1, 2, 3, 4, 5)]
            await bench.settled(engine)
        assert await bench.states(one.id for one in added) == [State.DELIVERED] * 5
        assert sink.stats.requests == 1


async def test_full_lane_claims_nothing_on_add(bench: Bench, journal: RecordingJournal) -> None:
    async with (
        Sink(clock=bench.time, faults=["hang"]) as sink,
        bench.engine(bench.environment(sink.url), journal=journal, connections=1) as engine,
    ):
        room = ADD_CLAIM_FACTOR * (1 + PREFETCH_CLAIMS)
        for number in range(room):
            await engine.add(bench.entries([number]))
            assert journal.requests[-1][0].claims == room - number
        await engine.add(bench.entries([room]))
        assert journal.requests[-1] == ()
        assert len(journal.claimed) == room
        await engine.drain(0.0)


@pytest.mark.parametrize(("rate", "claims"), [(2.0, 6), (9.0, 9), (50.0, 12), (0.0, 12)])
async def test_add_claims_at_most_one_second_of_pacing_slots(
    bench: Bench, journal: RecordingJournal, rate: float, claims: int
) -> None:
    async with (
        Sink(clock=bench.time) as sink,
        bench.engine(bench.environment(sink.url, rate=rate), journal=journal, connections=4) as engine,
    ):
        await engine.add(bench.entries([1]))
        assert journal.requests[0][0].claims == claims
        await bench.settled(engine)


async def test_concurrent_adds_share_the_claim_room(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        journal.go_on.clear()
        first, second = (asyncio.ensure_future(engine.add(bench.entries([number]))) for number in range(2))
        await bench.until(lambda: len(journal.requests) == 2)
        assert journal.requests[1] == ()
        journal.go_on.set()
        await first
        await second
        await bench.settled(engine)


async def test_add_for_an_environment_without_lane_is_queued(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        (added,) = await engine.add(bench.entries([1], "development"))
        assert (added.state, journal.requests) == (State.QUEUED, [()])


async def test_cancelled_add_completes_and_is_delivered(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        journal.go_on.clear()
        storing = asyncio.ensure_future(engine.add(bench.entries([1])))
        await journal.stored.wait()
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        journal.go_on.set()
        await bench.settled(engine)
        assert sink.stats.accepted == 1


async def test_entries_added_while_the_engine_stops_are_released(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url), journal=journal) as engine:
            journal.go_on.clear()
            storing = asyncio.ensure_future(engine.add(bench.entries([1])))
            await journal.stored.wait()
            ending = asyncio.ensure_future(engine.drain(5.0))
            await bench.until(lambda: engine.snapshot().draining)
            journal.go_on.set()
            assert (await storing)[0].state is State.QUEUED
            assert await ending
        assert sink.stats.requests == 0
        claim = await bench.journal.claim(ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=1000))
        assert claim.ids == journal.claimed[0].ids == (1,)


async def test_entries_added_after_their_lane_ended_are_released(bench: Bench, journal: RecordingJournal) -> None:
    # no two of them fit a claim
    apart = [replace(one, body=one.body + b" " * 300_000) for one in bench.entries(range(3))]
    async with Sink(clock=bench.time) as sink:
        async with bench.engine(bench.environment(sink.url), journal=journal) as engine:
            journal.go_on.clear()
            storing = asyncio.ensure_future(engine.add(apart))
            await journal.stored.wait()
            assert len(journal.claimed) == 3
            ending = asyncio.ensure_future(engine.drain(0.0))
            await bench.until(lambda: engine.snapshot().draining)
            await asyncio.sleep(0.05)
            journal.go_on.set()
            assert {one.state for one in await storing} == {State.QUEUED}
            await ending
        assert sink.stats.requests == 0
        claim = await bench.journal.claim(ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=1000))
        assert claim.ids == (1, 2, 3)


async def test_claim_made_while_adding_lasts_as_long_as_its_lease(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink:
        environments = {"production": bench.environment(sink.url)}
        async with bench.engine(*environments.values(), journal=journal, lease=10.0) as engine:
            journal.go_on.clear()
            storing = asyncio.ensure_future(engine.add(bench.entries([1])))
            await journal.stored.wait()
            bench.time.advance(11)
            claim = await bench.journal.claim(
                ClaimRequest("production", events=9, payload_bytes=10**6, lease_ms=60_000)
            )
            assert claim.ids == (1,)
            await engine.reload(environments, DeliverySettings(lease=1_000.0))
            journal.go_on.set()
            await storing
            for _ in range(50):
                await bench.tick()
            assert sink.stats.requests == 0
            await bench.journal.release(claim)
            await bench.settled(engine)
        assert (sink.stats.accepted, sink.stats.duplicates) == (1, 0)


async def test_failed_add_frees_the_reserved_room(bench: Bench, journal: RecordingJournal) -> None:
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url), journal=journal) as engine:
        journal.full = True
        for _ in range(3):
            with pytest.raises(JournalFullError):
                await engine.add(bench.entries([1]))
        assert len({wanted[0].claims for wanted in journal.requests}) == 1


async def test_endpoint_failure_applies_to_claims_made_on_add(bench: Bench, journal: RecordingJournal) -> None:
    async with (
        Sink(clock=bench.time, faults=["503@1"]) as sink,
        bench.engine(bench.environment(sink.url), journal=journal) as engine,
    ):
        await engine.add(bench.entries([1]))
        await bench.until(lambda: sink.stats.requests == 1)
        async with asyncio.timeout(10):
            while (await bench.lane()).state == "open":
                await bench.tick()
        await engine.add(bench.entries([2]))
        assert len(journal.claimed) == 1
        await bench.settled(engine)
        assert sink.stats.accepted == 2
