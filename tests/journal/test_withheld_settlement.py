"""Contract of `settle` for what is withheld when it is to be sent, on both journals."""

from __future__ import annotations

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.records import Settlement, State
from sprig_tui.reasons import Reason

WITHHELD = {"state": State.WITHHELD, "reason": Reason.SUPPRESSED, "detail": "Segment suppresses this user"}


async def test_settlement_withholds_with_a_reason_and_without_an_attempt(journal, entry, claim, attempt):
    await journal.add([entry() for _ in range(3)])
    taken = await claim()
    delivered = Settlement(ids=(taken.ids[1],), state=State.DELIVERED, attempt=attempt())
    ids = taken.ids[0], taken.ids[2]
    assert await journal.settle(taken, [Settlement(ids=ids, **WITHHELD), delivered]) == 3
    for number in ids:
        found = await journal.get(number)
        assert (found.delivery.state, found.delivery.reason) == (State.WITHHELD, "suppressed")
        assert (found.delivery.detail, found.delivery.error) == ("Segment suppresses this user", "")
        assert (found.delivery.attempts, list(found.history)) == (0, [])
    assert (await journal.get(taken.ids[1])).delivery.reason == ""
    counts = (await journal.counts()).by_environment["production"]
    assert {state: number for state, number in counts.items() if number} == {State.WITHHELD: 2, State.DELIVERED: 1}
    page = await journal.page(parse_filter("reason:suppressed", now_ms=0), limit=10)
    assert [one.id for one in page.deliveries] == list(ids)
    assert not (await claim()).ids


async def test_lost_claim_withholds_nothing(journal, entry, claim, clock):
    await journal.add([entry()])
    late = await claim(lease_ms=1_000)
    clock.advance(2)
    current = await claim()
    assert await journal.settle(late, [Settlement(ids=late.ids, **WITHHELD)]) == 0
    assert (await journal.get(current.ids[0])).delivery.reason == ""
    await journal.withdraw(current.ids)
    await journal.release(current)
    await journal.withdraw(current.ids)
    assert await journal.settle(late, [Settlement(ids=late.ids, **WITHHELD)]) == 0
    assert (await journal.get(current.ids[0])).delivery.reason == "withdrawn"


async def test_replay_queues_it_again_and_the_same_answer_does_not(journal, entry, claim):
    answer = entry()
    (added,) = await journal.add([answer])
    taken = await claim()
    await journal.settle(taken, [Settlement(ids=taken.ids, **WITHHELD)])
    (again,) = await journal.add([answer])
    assert (again.outcome, again.state, again.reason) == ("known", State.WITHHELD, "suppressed")
    assert [one.outcome for one in await journal.requeue([added.id])] == ["new"]
    found = (await journal.get(added.id)).delivery
    assert (found.state, found.reason, found.detail) == (State.QUEUED, "", "")
    request = ClaimRequest("production", events=10, payload_bytes=10_000, lease_ms=1_000)
    assert (await journal.claim(request)).ids == (added.id,)
