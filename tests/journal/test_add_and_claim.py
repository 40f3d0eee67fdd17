"""Contract of `add_and_claim`, for journals that make claims there and for those that do not."""

import pytest
from msgspec.structs import replace

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import LaneChange, Settlement, State

TERMS = ClaimRequest("production", 3, 475_000, 60_000, 0.0, "a worker", 2)


async def test_add_and_claim_stores_like_add_and_claims_once(journal, entry, claim, attempt):
    entries = [entry(), entry(reason="anonymous"), *(entry() for _ in range(8)), entry("development")]
    added, claims = await journal.add_and_claim([*entries, entries[0]], (TERMS,))
    assert [(one.outcome, one.state) for one in added] == [
        ("new", State.QUEUED),
        ("new", State.WITHHELD),
        *[("new", State.QUEUED)] * 9,
        ("known", State.QUEUED),
    ]
    assert (await journal.counts()).by_environment == {
        "production": {State.QUEUED: 9, State.WITHHELD: 1},
        "development": {State.QUEUED: 1},
    }
    bodies = {one.id: made.body for one, made in zip(added, entries, strict=False)}
    queued = [one.id for one, made in zip(added, entries, strict=False) if made.environment == "production"]
    queued.remove(added[1].id)
    taken = [*claims]
    while (more := await claim(events=3)).lease:
        taken.append(more)
    assert [delivery_id for one in taken for delivery_id in one.ids] == queued
    for one in taken:
        assert len(one.ids) <= 3
        assert one.payload == b",".join(bodies[delivery_id] for delivery_id in one.ids)
        assert one.sizes == tuple(len(bodies[delivery_id]) for delivery_id in one.ids)
        assert one.attempts == one.first_attempts == (0,) * len(one.ids)
        settled = await journal.settle(one, [Settlement(ids=one.ids, state=State.DELIVERED, attempt=attempt())])
        assert settled == len(one.ids)
    counts = (await journal.counts()).by_environment["production"]
    assert counts == {State.QUEUED: 0, State.DELIVERED: 9, State.WITHHELD: 1}


async def test_add_and_claim_of_no_entries(journal):
    assert await journal.add_and_claim([], (TERMS,)) == ([], ())


@pytest.mark.parametrize("state", ["waiting", "paused"])
async def test_add_makes_no_claims_for_a_lane_that_is_not_open(journal, clock, entry, claim, attempt, state):
    await journal.add([entry()])
    first = await claim()
    change = LaneChange(epoch=first.lane.epoch, state=state, until=clock.now() + 10_000 if state == "waiting" else 0)
    await journal.settle(first, [Settlement(ids=first.ids, state=State.QUEUED, attempt=attempt(503))], change)
    _, claims = await journal.add_and_claim([entry()], (TERMS,))
    assert claims == ()
    # the wait is over, but the lane has not been tried: one probe comes first
    clock.advance(11)
    _, claims = await journal.add_and_claim([entry()], (TERMS,))
    assert claims == ()


async def test_add_makes_no_claims_while_older_deliveries_are_due(journal, entry, claim):
    (older,) = await journal.add([entry()])
    added, claims = await journal.add_and_claim([entry(), entry()], (TERMS,))
    assert claims == ()
    assert (await claim()).ids == (older.id, *(one.id for one in added))


async def test_claim_made_while_adding_expires_with_its_worker(journal, clock, entry, claim):
    added, _ = await journal.add_and_claim([entry(), entry()], (replace(TERMS, lease_ms=5_000),))
    clock.advance(6)
    assert (await claim()).ids == tuple(one.id for one in added)


async def test_expired_claims_of_another_worker_are_claimed_first(journal, clock, entry, claim):
    await journal.add([entry()])
    left = await claim(lease_ms=5_000)
    clock.advance(6)
    _, claims = await journal.add_and_claim([entry()], (TERMS,))
    assert claims == ()
    assert (await claim()).ids == (*left.ids, 2)


async def test_released_claim_made_while_adding_is_claimed_again(journal, entry, claim):
    added, claims = await journal.add_and_claim([entry(), entry()], (TERMS,))
    for one in claims:
        await journal.release(one)
    assert (await claim()).ids == tuple(one.id for one in added)
