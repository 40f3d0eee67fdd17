"""Leases of dead workers: released half a minute after the last heartbeat."""

from __future__ import annotations

import pytest
from support.records import make_worker

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import LaneChange, Settlement, State, WorkerInfo


def worker(name: str) -> WorkerInfo:
    return make_worker(id=name)


@pytest.fixture
def held_by(journal):
    async def take(owner: str):
        return await journal.claim(
            ClaimRequest("production", events=10, payload_bytes=10**6, lease_ms=120_000, owner=owner)
        )

    return take


async def test_claim_of_a_dead_worker_is_released_after_30_s(journal, entry, held_by, clock):
    await journal.add([entry()])
    await journal.heartbeat(worker("a"))
    taken = await held_by("a")
    clock.advance(10)
    await journal.heartbeat(worker("a"))
    clock.advance(29)
    await journal.heartbeat(worker("b"))
    assert not (await held_by("b")).lease, "heard of 29 s ago"
    clock.advance(2)
    again = await held_by("b")
    assert again.ids == taken.ids
    assert await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED)]) == 0
    assert await journal.extend(taken, 120_000) is False
    assert await journal.settle(again, [Settlement(ids=again.ids, state=State.DELIVERED)]) == 1


async def test_worker_with_heartbeats_keeps_its_claim(journal, entry, held_by, clock):
    await journal.add([entry()])
    taken = await held_by("a")
    for _ in range(11):
        await journal.heartbeat(worker("a"))
        clock.advance(10)
        assert not (await held_by("b")).lease
    assert await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)]) == 1


async def test_lease_of_a_worker_without_heartbeat_lasts_as_long(journal, entry, held_by, clock):
    await journal.add([entry()])
    taken = await held_by("a")
    clock.advance(29)
    assert not (await held_by("b")).lease
    assert await journal.extend(taken, 120_000)
    clock.advance(29)
    assert not (await held_by("b")).lease, "it was heard of when it kept its lease"
    clock.advance(2)
    assert (await held_by("b")).ids == taken.ids


async def test_claim_without_an_owner_lasts_until_its_lease_expires(journal, entry, held_by, clock):
    await journal.add([entry()])
    await held_by("")
    clock.advance(100)
    assert not (await held_by("b")).lease
    clock.advance(21)
    assert (await held_by("b")).lease


async def test_probe_of_a_dead_worker_is_claimed_by_the_next(journal, entry, held_by, attempt, clock):
    await journal.add([entry(), entry()])
    first = await held_by("a")
    await journal.settle(
        first,
        [Settlement(ids=first.ids, state=State.QUEUED, attempt=attempt(503))],
        LaneChange(
            epoch=first.lane.epoch,
            state="waiting",
            until=clock.now() + 1000,
            reason=PauseReason.HTTP_ERROR,
            detail=PauseDetail(status=503),
        ),
    )
    clock.advance(2)
    await journal.heartbeat(worker("a"))
    probe = await held_by("a")
    assert probe.probe
    clock.advance(20)
    assert not (await held_by("b")).lease
    clock.advance(11)
    taken = await held_by("b")
    assert (taken.probe, taken.ids) == (True, probe.ids)
    assert not (await held_by("c")).lease, "one probe and no other"
    await journal.settle(
        taken,
        [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())],
        LaneChange(epoch=taken.lane.epoch, state="open"),
    )
    assert (await journal.lanes())["production"].state == "open"
    assert (await journal.counts()).by_environment["production"][State.DELIVERED] == len(taken.ids)


async def test_worker_leases_say_when_deliveries_are_due_again(journal, entry, held_by, clock):
    await journal.add([entry()])
    await journal.heartbeat(worker("a"))
    begun = clock.now()
    await held_by("a")
    clock.advance(5)
    (hold,) = await journal.worker_leases()
    assert (hold.owner, hold.deliveries, hold.until) == ("a", 1, begun + 30_000)
