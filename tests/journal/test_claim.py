"""Contract of `claim`, `settle`, `extend` and `release`."""

from __future__ import annotations

import asyncio

import pytest

from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Settlement, State


async def test_claim_is_empty_while_nothing_is_due(journal, claim):
    taken = await claim()
    assert (taken.lease, taken.ids, taken.payload, taken.retry_at) == (0, (), b"", 0)


async def test_claim_has_the_oldest_deliveries_and_their_bodies(journal, entry, claim):
    given = [entry() for _ in range(5)]
    added = await journal.add(given)
    taken = await claim(events=3)
    assert taken.ids == tuple(one.id for one in added[:3])
    assert taken.payload == b",".join(one.body for one in given[:3])
    assert taken.sizes == tuple(len(one.body) for one in given[:3])
    assert (await claim()).ids == tuple(one.id for one in added[3:])
    assert (await claim()).ids == ()


async def test_claim_respects_the_byte_limit_but_takes_at_least_one(journal, entry, claim):
    await journal.add([entry(body=b"x" * 100) for _ in range(5)])
    assert len((await claim(payload_bytes=302)).ids) == 3
    assert len((await claim(payload_bytes=10)).ids) == 1
    taken = await claim(payload_bytes=100)
    assert len(taken.payload) == 100


async def test_withheld_deliveries_and_other_environments_are_not_claimed(journal, entry, claim):
    await journal.add([entry(reason="anonymous"), entry("development")])
    assert (await claim()).ids == ()
    assert len((await claim("development")).ids) == 1


async def test_delivered_delivery_has_its_attempt(journal, entry, claim, attempt, clock):
    (added,) = await journal.add([entry()])
    taken = await claim()
    assert (await journal.get(added.id)).delivery.leased
    assert (
        await journal.settle(
            taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt(excerpt='{"success":true}'))]
        )
        == 1
    )
    detail = await journal.get(added.id)
    assert (detail.delivery.state, detail.delivery.status, detail.delivery.attempts) == (State.DELIVERED, 200, 1)
    assert (detail.delivery.latency_ms, detail.delivery.leased) == (38.0, False)
    assert detail.delivery.settled_at == clock.now() + 38
    assert [one.excerpt for one in detail.history] == ['{"success":true}']
    assert (await journal.lanes())["production"].last_status == 200


async def test_settle_of_an_expired_claim_changes_nothing(journal, entry, claim, attempt, clock):
    await journal.add([entry()])
    late = await claim(lease_ms=1000)
    clock.advance(2)
    current = await claim()
    assert current.ids == late.ids
    assert await journal.settle(late, [Settlement(ids=late.ids, state=State.FAILED, attempt=attempt(400))]) == 0
    assert not await journal.extend(late, 1000)
    await journal.release(late)
    assert (await journal.get(current.ids[0])).delivery.leased
    assert await journal.settle(current, [Settlement(ids=current.ids, state=State.DELIVERED, attempt=attempt())]) == 1
    assert await journal.settle(current, [Settlement(ids=current.ids, state=State.FAILED, attempt=attempt(400))]) == 0
    assert (await journal.counts()).by_environment["production"][State.DELIVERED] == 1


async def test_renewed_lease_is_not_claimed_by_others(journal, entry, claim, clock):
    await journal.add([entry()])
    taken = await claim(lease_ms=1000)
    clock.advance(0.9)
    assert await journal.extend(taken, 1000)
    clock.advance(0.9)
    assert (await claim()).ids == ()
    clock.advance(0.2)
    assert (await claim()).ids == taken.ids


async def test_empty_claim_says_when_to_claim_again(journal, entry, claim, clock):
    await journal.add([entry()])
    await claim(lease_ms=5000)
    assert (await claim()).retry_at == clock.now() + 5000


@pytest.mark.parametrize("back_s", [5, 280, 300, 301, 86_400])
async def test_clock_set_back_delays_no_delivery(journal, entry, claim, attempt, clock, back_s):
    await journal.add([entry(), entry()])
    taken = await claim(events=1)
    failed = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now())
    await journal.settle(taken, [failed])
    clock.advance(-back_s)
    assert (await claim()).ids == (2, 1)


async def test_retry_window_that_begins_in_the_future_is_restarted(journal, entry, claim, attempt, clock):
    await journal.add([entry()])
    for seconds in (0, -280, 60):
        clock.advance(seconds)
        taken = await claim()
        failed = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now())
        await journal.settle(taken, [failed])
    clock.advance(1)
    assert (await claim()).first_attempts == (clock.now() - 61_000,)


async def test_lease_made_under_a_clock_far_ahead_does_not_block(journal, entry, claim, clock):
    clock.advance(86_400)
    await journal.add([entry(), entry()])
    taken = await claim(events=1, lease_ms=1000)
    clock.advance(-86_400)
    assert (await claim()).ids == (taken.ids[0], taken.ids[0] + 1)


async def test_retries_are_counted_and_recorded(journal, entry, claim, attempt, clock):
    await journal.add([entry()])
    first_at = clock.now()
    for number in range(3):
        taken = await claim()
        assert taken.attempts == taken.retries_used == (number,)
        assert taken.first_attempts == ((first_at,) if number else (0,))
        await journal.settle(
            taken,
            [
                Settlement(
                    ids=taken.ids, state=State.QUEUED, attempt=attempt(503, error="unavailable"), error="unavailable"
                )
            ],
        )
        clock.advance(1)
    detail = await journal.get(taken.ids[0])
    assert (detail.delivery.attempts, detail.delivery.status, detail.delivery.error) == (3, 503, "unavailable")
    assert [one.status for one in detail.history] == [503, 503, 503]
    assert [one.started_at for one in detail.history] == [first_at, first_at + 1000, first_at + 2000]


async def test_retry_after_starts_the_retry_window_and_uses_no_retry(journal, entry, claim, attempt, clock):
    await journal.add([entry()])
    first_at = clock.now()
    for number in range(3):
        taken = await claim()
        assert (taken.attempts, taken.retries_used) == ((number,), (0,))
        assert taken.first_attempts == ((first_at,) if number else (0,))
        back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(429), uses_retry=False, error="429")
        await journal.settle(taken, [back])
        clock.advance(1)


async def test_rejected_key_uses_no_retry(journal, entry, claim, attempt):
    await journal.add([entry()])
    taken = await claim()
    await journal.settle(
        taken,
        [
            Settlement(
                ids=taken.ids,
                state=State.QUEUED,
                attempt=attempt(401),
                uses_retry=False,
                starts_window=False,
                error="key refused",
            )
        ],
    )
    again = await claim()
    assert (again.retries_used, again.first_attempts) == ((0,), (0,))
    assert again.attempts == (1,), "Segment is told of every request that carried it"
    assert [one.status for one in (await journal.get(again.ids[0])).history] == [401]


async def test_split_batch_stays_claimed_and_records_the_rejection(journal, entry, claim, attempt):
    await journal.add([entry(), entry()])
    taken = await claim()
    await journal.settle(taken, [Settlement(ids=taken.ids, state=None, attempt=attempt(400))])
    assert (await claim()).ids == ()
    good, bad = taken.ids
    await journal.settle(taken, [Settlement(ids=(good,), state=State.DELIVERED, attempt=attempt())])
    await journal.settle(
        taken, [Settlement(ids=(bad,), state=State.FAILED, attempt=attempt(400), error="invalid_request")]
    )
    assert [one.status for one in (await journal.get(good)).history] == [400, 200]
    assert [one.status for one in (await journal.get(bad)).history] == [400, 400]
    assert (await journal.counts()).leased == {}


async def test_release_makes_deliveries_due_without_using_a_retry(journal, entry, claim):
    await journal.add([entry(), entry()])
    taken = await claim(events=1)
    assert (await journal.counts()).leased == {"production": 1}
    await journal.release(taken)
    assert (await journal.counts()).leased == {}
    again = await claim()
    assert again.attempts == (0, 0)


async def test_settle_records_mixed_outcomes(journal, entry, claim, attempt):
    await journal.add([entry() for _ in range(4)])
    taken = await claim()
    a, b, c, _ = taken.ids
    shared = attempt(503)
    done = await journal.settle(
        taken,
        [
            Settlement(ids=(a, c), state=State.DELIVERED, attempt=attempt()),
            Settlement(ids=(b,), state=State.FAILED, attempt=shared, error="given up"),
        ],
    )
    assert done == 3
    counts = (await journal.counts()).by_environment["production"]
    assert counts == {State.QUEUED: 1, State.DELIVERED: 2, State.FAILED: 1}
    assert await journal.count_queued(a, taken.ids[-1]) == 1
    assert await journal.count_by_state(a, taken.ids[-1]) == {
        (State.QUEUED, ""): 1,
        (State.DELIVERED, ""): 2,
        (State.FAILED, ""): 1,
    }


async def test_claims_never_overlap(journal, entry, claim):
    await journal.add([entry() for _ in range(200)])
    taken = await asyncio.gather(*(claim(events=7) for _ in range(40)))
    ids = [one for each in taken for one in each.ids]
    assert len(ids) == len(set(ids)) == 200


async def test_released_delivery_is_always_visible_to_readers(journal, entry, claim):
    (added,) = await journal.add([entry()])

    async def take_and_give_back() -> None:
        for _ in range(200):
            await journal.release(await claim())

    working = asyncio.create_task(take_and_give_back())
    seen = set()
    while not working.done():
        seen.add(await journal.count_queued(added.id, added.id))
    await working
    assert seen == {1}


async def test_pacing_is_shared_by_workers(journal, entry, claim, clock):
    await journal.add([entry() for _ in range(6)])
    times = [(await claim(events=1, rate=50)).send_at - clock.now() for _ in range(4)]
    assert times == [0, 20, 40, 60]
    clock.advance(0.010)
    assert (await claim(events=1, rate=50)).send_at == clock.now() + 70
    clock.advance(-100_000)
    await journal.add([entry()])
    assert (await claim(events=1, rate=50)).send_at - clock.now() <= 20


async def test_empty_claim_takes_no_pacing_slot(journal, entry, claim, clock):
    for _ in range(5):
        await claim(rate=1)
    await journal.add([entry()])
    assert (await claim(rate=1)).send_at == clock.now()


async def test_filters_match_the_results_of_settlements(journal, entry, deliver):
    await journal.add([entry(), entry()])
    await deliver(State.FAILED, status=400, error="invalid_request")
    assert await journal.count(Query((Term("status", "failed"),))) == 2
    assert await journal.count(Query((Term("status", "400"),))) == 2
    assert await journal.count(Query((Term("status", "4xx"), Term("text", "INVALID_req")))) == 2
    assert await journal.count(Query((Term("status", "5xx"),))) == 0


async def test_lease_renewed_past_its_first_length_is_kept(journal, entry, claim, clock):
    await journal.add([entry()])
    taken = await claim(lease_ms=1000)
    assert await journal.extend(taken, 60_000)
    clock.advance(59)
    assert (await claim()).ids == ()
    clock.advance(1)
    assert (await claim()).ids == taken.ids


async def test_pacing_below_one_request_per_second_is_kept(journal, entry, claim, clock):
    await journal.add([entry() for _ in range(8)])
    times = [(await claim(events=1, rate=0.2)).send_at - clock.now() for _ in range(8)]
    assert times == [number * 5000 for number in range(8)]


async def test_count_queued_counts_small_and_large_ranges(journal, entry, claim, attempt):
    added = await journal.add([entry() for _ in range(40)])
    taken = await claim(events=10)
    first, last = added[0].id, added[-1].id
    assert await journal.count_queued(first, last) == 40
    assert await journal.count_queued(first, first + 1) == 2, "claimed ones wait still"
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
    assert await journal.count_queued(first, first + 12) == 3
    assert await journal.count_queued(first, first + 3) == 0
    assert await journal.count_queued(first, last) == 30


async def test_payload_of_scattered_deliveries_has_their_bodies(journal, entry, claim, deliver):
    given = [[entry(body=f'{{"n":"{chunk}-{number}"}}'.encode()) for number in range(7)] for chunk in range(5)]
    added = [await journal.add(chunk) for chunk in given]
    while await deliver():
        pass
    picked = [(0, 0), (0, 6), (2, 3), (4, 0), (4, 6)]
    await journal.requeue([added[chunk][number].id for chunk, number in picked])
    taken = await claim()
    assert taken.ids == tuple(added[chunk][number].id for chunk, number in picked)
    assert taken.payload == b",".join(given[chunk][number].body for chunk, number in picked)


async def test_often_tried_delivery_is_claimed_alone(journal, entry, claim, attempt):
    await journal.add([entry() for _ in range(6)])
    for _ in range(4):
        taken = await claim(events=2)
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503))])
    assert [(await claim()).ids for _ in range(3)] == [(1, 2), (3, 4, 5, 6), ()]


async def test_untried_deliveries_are_claimed_before_retries(journal, entry, claim, attempt, clock):
    await journal.add([entry() for _ in range(4)])
    taken = await claim(events=2)
    back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now())
    await journal.settle(taken, [back])
    assert (await claim()).ids == (3, 4, 1, 2)


async def test_lane_wait_set_by_a_clock_far_ahead_is_over(journal, entry, claim, attempt, clock):
    await journal.add([entry(), entry()])
    taken = await claim(events=1)
    await journal.settle(
        taken, [Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now() + 86_400_000)]
    )
    assert (await claim()).ids == (2, 1)


async def test_old_retries_are_not_starved_by_new_deliveries(journal, entry, claim, attempt, clock):
    (failed,) = await journal.add([entry()])
    taken = await claim()
    back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now(), error="503")
    await journal.settle(taken, [back])
    sent_after = 0
    for _ in range(10):
        fresh = await journal.add([entry() for _ in range(3)])
        clock.advance(20)
        taken = await claim(events=2)
        if failed.id in taken.ids:
            break
        sent_after += 1
        assert taken.ids <= tuple(one.id for one in fresh)
    assert failed.id in taken.ids
    assert 0 < sent_after < 5
    assert len(set(taken.ids)) == len(taken.ids) == 2


async def test_claim_takes_each_delivery_once_across_queue_ranges(journal, entry, claim, attempt, clock):
    await journal.add([entry() for _ in range(4)])
    for seconds in (50, 20):
        taken = await claim(events=1)
        back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now(), error="503")
        await journal.settle(taken, [back])
        clock.advance(seconds)
    # the first has waited for more than a minute, the second has not
    assert (await claim()).ids == (1, 3, 4, 2)
