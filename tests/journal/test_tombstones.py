"""Contract of tombstones: what was delivered stays known after it was removed, on both stores."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from sprig_tui.journal import tombstone_filter
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import REMOVED_ID, Settlement, State


@pytest.fixture
def prune(journal, clock):
    """Remove all that has ended so far."""

    async def run(**how):
        clock.advance(100)
        return await journal.prune(clock.now(), **how)

    return run


@pytest.fixture
def small_filter(monkeypatch):
    """A filter that is read at once, and whose log joins its bitmap after a few keys."""
    monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", 0)
    monkeypatch.setattr(tombstone_filter, "_LOG_KEYS", (4, 8))


async def add_one(journal, entry):
    (added,) = await journal.add([entry])
    return added


async def test_removed_delivery_is_known_without_its_content(journal, entry, deliver, prune):
    given = [entry(), entry("development")]
    await journal.add(given)
    await deliver()
    await prune()
    again = await journal.add(given)
    assert [(one.id, one.outcome, one.state) for one in again] == [
        (REMOVED_ID, "known", State.DELIVERED),
        (2, "known", State.QUEUED),
    ]
    assert not again[0].for_other_endpoint
    assert await journal.find("production", given[0].message_id) is None
    assert await journal.count(Query()) == 1
    assert (await journal.tombstones()).by_environment == {"production": 1}
    assert (await journal.tombstones()).bytes > 0


async def test_only_what_arrived_or_was_decided_stays_known(journal, entry, deliver, prune):
    delivered, failed, withdrawn, replayed = (entry() for _ in range(4))
    anonymous = entry(reason="anonymous")
    revised = replace(delivered, digest=b"\1" * 8, question_id="", updated_at=1)
    await journal.add([delivered])
    await deliver()
    (back,) = await journal.add([withdrawn])
    await journal.withdraw([back.id])
    await journal.add([failed])
    await deliver(State.FAILED, status=400)
    (other,) = await journal.add([revised])
    assert other.outcome == "duplicate"
    (again,) = await journal.add([replayed])
    claim_ids = await deliver(status=200)
    assert claim_ids == (again.id,)
    await journal.add([anonymous])
    await prune()
    given = [delivered, withdrawn, revised, replayed, failed, anonymous]
    results = await journal.add(given)
    assert [(one.outcome, one.state, one.reason) for one in results] == [
        ("known", State.DELIVERED, ""),
        ("known", State.WITHHELD, "withdrawn"),
        ("known", State.WITHHELD, "possible-duplicate"),
        ("known", State.DELIVERED, ""),
        ("new", State.QUEUED, ""),
        ("new", State.WITHHELD, "anonymous"),
    ]


async def test_delivered_once_stays_known_though_its_replay_failed(journal, entry, claim, attempt, prune):
    answer = entry()
    added = await add_one(journal, answer)
    for state, status, outcome in ((State.DELIVERED, 200, "delivered"), (State.FAILED, 400, "refused")):
        taken = await claim()
        made = attempt(status, outcome=outcome)
        await journal.settle(taken, [Settlement(ids=taken.ids, state=state, attempt=made)])
        if state is State.DELIVERED:
            await journal.requeue([added.id])
    await prune()
    again = await add_one(journal, answer)
    assert (again.outcome, again.id, again.state) == ("known", REMOVED_ID, State.FAILED)


async def test_other_content_of_a_removed_answer_is_withheld_and_a_tie_is_sent(journal, entry, deliver, prune):
    answer = entry(question_id="q1", updated_at=1_000_000)
    await journal.add([answer])
    await deliver()
    await prune()
    revision = replace(answer, digest=b"\1" * 8)
    later = replace(answer, digest=b"\2" * 8, question_id="", updated_at=1_002_000)
    same_time = replace(answer, digest=b"\3" * 8, question_id="")
    tie = replace(answer, digest=b"\4" * 8, question_id="q2")
    added = await journal.add([revision, later, same_time, tie])
    assert [one.outcome for one in added] == ["revision", "revision", "duplicate", "new"]
    detail = await journal.get(added[0].id)
    assert (detail.delivery.origin_id, detail.delivery.reason) == (0, "newer-revision")
    assert "removed" in detail.delivery.detail
    await deliver()
    await prune()
    added = await journal.add([answer, revision, later, same_time, tie])
    assert [(one.outcome, one.id) for one in added] == [("known", REMOVED_ID)] * 5


async def test_replay_as_new_takes_no_message_id_of_a_removed_one(journal, entry, deliver, clock):
    added = await add_one(journal, entry())
    await deliver()
    (first,) = await journal.requeue([added.id], as_new=True)
    taken = (await journal.get(first.id)).delivery.message_id
    await deliver()
    clock.advance(100)
    await journal.requeue([added.id])
    await deliver()
    await journal.prune(clock.now() - 50_000)
    assert await journal.get(first.id) is None
    (second,) = await journal.requeue([added.id], as_new=True)
    assert (await journal.get(second.id)).delivery.message_id != taken


async def test_forgotten_identities_are_new(journal, entry, deliver, clock, prune):
    early, late, young = entry(), entry(), entry()
    await journal.add([early])
    await deliver()
    await prune()
    await journal.add([late])
    await deliver()
    clock.advance(3_600)
    await journal.add([young])
    await deliver()
    before = clock.now() - 1_800_000
    planned = await journal.prune(before, dry_run=True, forget=True)
    assert (planned.by_state, planned.forgotten) == ({State.DELIVERED: 1}, 1)
    assert await journal.prune(before, forget=True) == planned
    results = await journal.add([early, late, young])
    assert [one.outcome for one in results] == ["new", "new", "known"]
    await deliver()
    assert (await prune(forget=True)).forgotten == 0
    assert (await journal.tombstones()).by_environment == {}
    assert [one.outcome for one in await journal.add([early, late, young])] == ["new"] * 3


async def test_identities_are_known_to_every_process_that_shares_the_journal(
    journal, journal_place, clock, entry, deliver, prune, small_filter
):
    given = [entry() for _ in range(60)]
    async with open_journal(journal_place, clock=clock) as other:
        for start in range(0, 60, 3):
            some = given[start : start + 3]
            assert [one.outcome for one in await other.add(some)] == ["new"] * 3
            await deliver()
            await prune()
            known = await other.add([*some, given[start // 2]])
            assert [(one.outcome, one.id) for one in known] == [("known", REMOVED_ID)] * 4
        assert {one.outcome for one in await journal.add(given)} == {"known"}
        assert [one.outcome for one in await other.add([entry() for _ in range(50)])] == ["new"] * 50
        async with open_journal(journal_place, clock=clock) as third:
            assert {one.id for one in await third.add(given)} == {REMOVED_ID}
            clock.advance(100)
            assert (await third.prune(clock.now(), forget=True)).forgotten == 60
        assert {one.outcome for one in await other.add(given[:20])} == {"new"}


async def test_chunks_of_pruning_and_forgetting(
    journal, entry, deliver, prune, small_filter, monkeypatch, journal_place
):
    kind = "postgres" if "postgresql" in journal_place else "sqlite"
    monkeypatch.setattr(f"sprig_tui.journal.{kind}.maintenance.PRUNE_CHUNK_ROWS", 7)
    monkeypatch.setattr(f"sprig_tui.journal.{kind}.tombstones.FORGET_SCAN_ROWS", 7)
    monkeypatch.setattr(f"sprig_tui.journal.{kind}.tombstone_filter.SCAN_KEYS", 7)
    given = [entry() for _ in range(50)]
    await journal.add(given)
    await deliver()
    assert (await prune()).by_state == {State.DELIVERED: 50}
    assert {one.outcome for one in await journal.add(given)} == {"known"}
    assert (await prune(forget=True)).forgotten == 50
    assert {one.outcome for one in await journal.add(given)} == {"new"}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_was_delivered_once_is_known(journal, entry, claim, attempt, clock, prune, small_filter, seed):
    """Random adds, deliveries, refusals, replays, removals and second readings, against a model."""
    rng = random.Random(seed)
    answers = [entry() for _ in range(30)]
    by_message_id = {one.message_id: number for number, one in enumerate(answers)}
    arrived: set[int] = set()
    for _ in range(60):
        match rng.randrange(5):
            case 0 | 1:
                some = rng.sample(range(30), rng.randrange(1, 6))
                results = await journal.add([answers[number] for number in some])
                for number, result in zip(some, results, strict=True):
                    assert number not in arrived or result.outcome == "known"
            case 2:
                taken = await claim(events=rng.randrange(1, 8))
                if taken.lease:
                    sent = {by_message_id[one.message_id] for one in await journal.get_many(taken.ids)}
                    if rng.random() < 0.7:
                        arrived |= sent
                        state, made = State.DELIVERED, attempt(outcome="delivered")
                    else:
                        state, made = State.FAILED, attempt(400, outcome="refused")
                    await journal.settle(taken, [Settlement(ids=taken.ids, state=state, attempt=made)])
            case 3:
                await prune()
            case 4:
                page = await journal.page(Query(), limit=100)
                if page.deliveries:
                    await journal.requeue([rng.choice(page.deliveries).id])
    await prune()
    results = await journal.add(answers)
    assert all(results[number].outcome == "known" for number in arrived)
