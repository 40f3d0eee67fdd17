"""Contract of `withdraw`: leased deliveries are never withdrawn."""

from __future__ import annotations

import asyncio
import random

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State, WithdrawResult


async def test_withdrawn_delivery_is_withheld_and_never_claimed(journal, entry, claim):
    await journal.add([entry() for _ in range(3)])
    assert await journal.withdraw([1, 3]) == WithdrawResult(withdrawn=2, leased=0, not_queued=0)
    one = (await journal.get(1)).delivery
    assert (one.state, one.reason, one.detail, one.due_at) == (State.WITHHELD, "withdrawn", "", 0)
    assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 1, State.WITHHELD: 2}
    assert (await claim()).ids == (2,)


async def test_withdrawal_is_among_the_changes(journal, entry):
    await journal.add([entry()])
    cursor = (await journal.changes()).cursor
    await journal.withdraw([1])
    assert [one.state for one in (await journal.changes(cursor)).deliveries] == [State.WITHHELD]


async def test_leased_ended_and_unknown_deliveries_are_not_withdrawn(journal, entry, claim, deliver):
    await journal.add([entry()])
    await deliver()
    await journal.add([entry(), entry()])
    held = await claim(events=1)
    assert await journal.withdraw([1, 2, 3, 3, 99]) == WithdrawResult(withdrawn=1, leased=1, not_queued=2)
    assert held.ids == (2,)
    assert (await journal.get(2)).delivery.state is State.QUEUED
    assert await journal.withdraw([]) == WithdrawResult(0, 0, 0)


async def test_delivery_with_an_expired_lease_can_be_withdrawn(journal, entry, claim, clock):
    await journal.add([entry()])
    held = await claim(lease_ms=1_000)
    clock.advance(2)
    assert (await journal.withdraw([1])).withdrawn == 1
    assert await journal.settle(held, [Settlement(ids=(1,), state=State.DELIVERED)]) == 0


async def test_replay_queues_a_withdrawn_delivery(journal, entry, claim):
    await journal.add([entry()])
    await journal.withdraw([1])
    assert [one.outcome for one in await journal.requeue([1])] == ["new"]
    assert (await claim()).ids == (1,)
    assert (await journal.get(1)).delivery.reason == ""


async def test_same_answer_added_again_does_not_queue_a_withdrawn_delivery(journal, entry):
    answer = entry()
    await journal.add([answer])
    await journal.withdraw([1])
    [again] = await journal.add([answer])
    assert (again.outcome, again.state, again.reason) == ("known", State.WITHHELD, "withdrawn")


async def test_delivery_is_withdrawn_or_sent_never_both(journal, journal_place, entry, attempt, clock):
    """Workers claim and settle while others withdraw the same: every delivery ends once."""
    number, rounds = 120, random.Random(7)
    await journal.add([entry() for _ in range(number)])
    sent: list[int] = []
    taken_back = 0

    async def work(own) -> None:
        while True:
            held = await own.claim(
                ClaimRequest("production", events=rounds.randint(1, 7), payload_bytes=475_000, lease_ms=60_000)
            )
            if not held.lease:
                return
            await asyncio.sleep(0)
            done = Settlement(ids=held.ids, state=State.DELIVERED, attempt=attempt())
            assert await own.settle(held, [done]) == len(held.ids), "nobody else changed what was held"
            sent.extend(held.ids)

    async def withdraw(own, ids: list[int]) -> None:
        nonlocal taken_back
        for start in range(0, len(ids), 3):
            told = await own.withdraw(ids[start : start + 3])
            taken_back += told.withdrawn
            assert told.withdrawn + told.leased + told.not_queued == len(ids[start : start + 3])

    async with open_journal(journal_place, clock=clock) as one, open_journal(journal_place, clock=clock) as other:
        shuffled = [rounds.sample(range(1, number + 1), number // 2) for _ in range(2)]
        await asyncio.gather(work(one), work(other), withdraw(one, shuffled[0]), withdraw(journal, shuffled[1]))
    states = {row.id: row.state for row in (await journal.page(Query(), limit=number)).deliveries}
    assert sorted(sent) == [one for one, state in states.items() if state is State.DELIVERED]
    assert len(sent) + taken_back == number
    counted = (await journal.counts()).by_environment["production"]
    assert (counted.get(State.DELIVERED, 0), counted.get(State.WITHHELD, 0)) == (len(sent), taken_back)
    assert sum(counted.values()) == number
