"""Contract of `requeue`, replay jobs and `prune`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprig_tui.errors import JournalError
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import State

FAILED = Query((Term("status", "failed"),), "status:failed")


async def test_requeue_sends_the_same_message_id_again(journal, entry, deliver):
    (added,) = await journal.add([entry()])
    before = (await journal.get(added.id)).delivery
    await deliver(State.FAILED, status=400, error="invalid_request")
    (again,) = await journal.requeue([added.id])
    assert (again.id, again.outcome, again.state) == (added.id, "new", State.QUEUED)
    await deliver()
    detail = await journal.get(added.id)
    assert (detail.delivery.state, detail.delivery.attempts, detail.delivery.error) == (State.DELIVERED, 2, "")
    assert detail.delivery.message_id == before.message_id
    assert [one.status for one in detail.history] == [400, 200]
    assert (await journal.counts()).by_environment["production"] == {
        State.QUEUED: 0,
        State.FAILED: 0,
        State.DELIVERED: 1,
    }


async def test_requeue_resets_the_retries(journal, entry, deliver, claim):
    await journal.add([entry()])
    await deliver(State.QUEUED, status=503)
    ids = await deliver(State.FAILED, status=503)
    await journal.requeue(ids)
    taken = await claim()
    assert (taken.retries_used, taken.first_attempts) == ((0,), (0,))
    assert taken.attempts == (2,), "Segment is told of every request that carried it"


async def test_requeue_as_new_has_a_new_message_id_each_time(journal, entry, deliver, claim):
    given = entry()
    (added,) = await journal.add([given])
    await deliver()
    (one,) = await journal.requeue([added.id], as_new=True)
    (two,) = await journal.requeue([added.id], as_new=True)
    details = [await journal.get(one.id), await journal.get(two.id)]
    ids = {given.message_id, *(detail.delivery.message_id for detail in details)}
    assert len(ids) == 3
    for detail in details:
        assert detail.delivery.origin_id == added.id
        assert detail.delivery.message_id.encode() in detail.body
        assert detail.delivery.state is State.QUEUED
    assert (await journal.get(added.id)).delivery.state is State.DELIVERED
    assert (await claim()).ids == (one.id, two.id)


@pytest.mark.parametrize("as_new", [False, True])
async def test_replay_skips_deliveries_that_cannot_be_sent(journal, entry, as_new):
    queued, anonymous = await journal.add([entry(), entry(reason="anonymous")])
    answers = await journal.requeue([queued.id, anonymous.id, 999], as_new=as_new)
    assert [(one.id, one.outcome) for one in answers] == [(queued.id, "known"), (anonymous.id, "known")]


async def test_revision_can_be_requeued(journal, entry, claim):
    given = entry(updated_at=1)
    _, revision = await journal.add([given, replace(given, digest=b"2" * 8, updated_at=2)])
    await journal.requeue([revision.id])
    delivery = (await journal.get(revision.id)).delivery
    assert (delivery.state, delivery.reason) == (State.QUEUED, "")
    assert revision.id in (await claim()).ids


async def test_replay_job_queues_all_that_matched_at_its_start(journal, entry, deliver, claim):
    await journal.add([entry() for _ in range(12)])
    await deliver(State.FAILED, status=400)
    job = await journal.start_replay(FAILED)
    assert (job.total, job.state, job.filter) == (12, "running", "status:failed")
    (live,) = await journal.add([entry()])
    job = await journal.step_replay(job.id, 5)
    assert (job.queued, job.state) == (5, "running")
    first = await claim(events=1)
    assert first.ids == (live.id,), "live traffic keeps its place in front"
    job = await journal.set_replay(job.id, "paused")
    assert (await journal.step_replay(job.id, 5)).queued == 5
    await journal.set_replay(job.id, "running")
    while job.state != "done":
        job = await journal.step_replay(job.id, 5)
    assert (job.queued, job.skipped) == (12, 0)
    assert len((await claim()).ids) == 12


async def test_cancelled_replay_job_stays_cancelled(journal, entry, deliver):
    await journal.add([entry() for _ in range(4)])
    await deliver(State.FAILED, status=400)
    job = await journal.start_replay(FAILED)
    await journal.step_replay(job.id, 1)
    await journal.set_replay(job.id, "cancelled")
    assert (await journal.set_replay(job.id, "running")).state == "cancelled"
    assert (await journal.step_replay(job.id, 5)).queued == 1
    assert [one.id for one in await journal.replays()] == [job.id]


async def test_replay_job_counts_skipped_deliveries(journal, entry, deliver):
    await journal.add([entry(reason="anonymous"), entry()])
    job = await journal.start_replay(Query())
    job = await journal.step_replay(job.id)
    assert (job.state, job.queued, job.skipped) == ("done", 0, 2)


async def test_unknown_replay_job_is_named(journal):
    with pytest.raises(JournalError, match="no replay job 7"):
        await journal.step_replay(7)


async def test_prune_deletes_only_ended_deliveries(journal, entry, deliver, clock):
    given = [entry() for _ in range(3)] + [entry(reason="anonymous")]
    added = await journal.add(given)
    await deliver()
    clock.advance(100)
    (queued,) = await journal.add([entry()])
    kept = await journal.add([entry(reason="anonymous")])
    before = clock.now() - 50_000
    planned = await journal.prune(before, dry_run=True)
    assert planned.by_state == {State.DELIVERED: 3, State.WITHHELD: 1}
    assert await journal.count(Query()) == 6
    assert await journal.prune(before) == planned
    assert [one.id for one in (await journal.page(Query())).deliveries] == [queued.id, kept[0].id]
    assert await journal.get(added[0].id) is None
    assert (await journal.counts()).by_environment["production"] == {
        State.QUEUED: 1,
        State.DELIVERED: 0,
        State.WITHHELD: 1,
    }
    detail = await journal.get(queued.id)
    assert detail.body
    (again, other) = await journal.add([given[0], given[3]])
    assert (again.outcome, again.id, again.state) == ("known", 0, State.DELIVERED)
    assert (other.outcome, other.state) == ("new", State.WITHHELD)
    assert other.id > queued.id


async def test_prune_leaves_half_a_pack_readable(journal, entry, claim, deliver, clock, attempt):
    given = [entry() for _ in range(10)]
    added = await journal.add(given)
    await deliver()
    await journal.requeue([added[4].id])
    clock.advance(100)
    await journal.prune(clock.now())
    detail = await journal.get(added[4].id)
    assert detail.body == given[4].body
    taken = await claim()
    assert taken.payload == given[4].body


async def test_prune_of_an_empty_journal(journal, clock):
    assert (await journal.prune(clock.now())).by_state == {}


async def test_requeue_as_new_skips_message_ids_in_use(journal, entry, deliver, clock):
    (added,) = await journal.add([entry()])
    await deliver()
    await journal.requeue([added.id], as_new=True)
    await deliver()
    clock.advance(100)
    await journal.requeue([added.id])
    await deliver()
    (second,) = await journal.requeue([added.id], as_new=True)
    await deliver()
    # the first sending goes, the delivery and its second sending are younger and stay
    await journal.prune(clock.now() - 50_000)
    (third,) = await journal.requeue([added.id], as_new=True)
    identities = [(await journal.get(one.id)).delivery.message_id for one in (added, second, third)]
    assert len(set(identities)) == 3


async def test_requeue_as_new_twice_in_one_call(journal, entry, deliver, claim):
    (added,) = await journal.add([entry()])
    await deliver()
    made = await journal.requeue([added.id, added.id], as_new=True)
    assert [one.outcome for one in made] == ["new", "new"]
    assert len({(await journal.get(one.id)).delivery.message_id for one in made}) == 2
