"""Deliveries of runs with `--endpoint`: own lanes and queues, and identities that the environment does not know."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State

SINK = "http://127.0.0.1:8080"
OTHER = "http://127.0.0.1:9090"


@pytest.fixture
def take(journal):
    async def claim(endpoint="", *, environment="production", adopt=False, events=100):
        return await journal.claim(
            ClaimRequest(
                environment, events=events, payload_bytes=475_000, lease_ms=60_000, endpoint=endpoint, adopt=adopt
            )
        )

    return claim


@pytest.fixture
def carry(journal, take, attempt):
    """Claim what is bound for an endpoint, and settle it there."""

    async def run(endpoint="", *, state=State.DELIVERED, url=None, adopt=False):
        claim = await take(endpoint, adopt=adopt)
        if claim.lease:
            made = attempt(endpoint=url or endpoint or "https://api.segment.io")
            await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=made)])
        return claim.ids

    return run


async def states(journal, *ids):
    return [(await journal.get(one)).delivery.state.value for one in ids]


async def test_attempt_stores_its_endpoint(journal, entry, carry):
    await journal.add([entry()])
    await carry(state=State.QUEUED, url="https://old.example")
    assert await carry() == (1,)
    found = await journal.get(1)
    assert [one.endpoint for one in found.history] == ["https://old.example", "https://api.segment.io"]
    assert (found.delivery.endpoint, found.delivery.bound_for) == ("https://api.segment.io", "")
    [row] = (await journal.page(Query())).deliveries
    assert row.endpoint == "https://api.segment.io"


async def test_delivery_to_another_endpoint_is_sent_again_with_the_same_id(journal, entry, carry):
    answer = entry()
    assert [one.outcome for one in await journal.add([replace(answer, endpoint=SINK)])] == ["new"]
    assert await carry() == (), "an engine to the environment's own endpoint leaves it alone"
    assert await carry(SINK) == (1,)
    [again] = await journal.add([replace(answer, endpoint=SINK)])
    assert (again.outcome, again.state, again.for_other_endpoint) == ("known", State.DELIVERED, False)
    [real] = await journal.add([answer])
    assert (real.outcome, real.state, real.id) == ("new", State.QUEUED, 2)
    assert await carry() == (2,)
    assert {(await journal.get(one)).delivery.message_id for one in (1, 2)} == {answer.message_id}
    assert [one.outcome for one in await journal.add([answer])] == ["known"]
    [tried] = await journal.add([replace(answer, endpoint=SINK)])
    assert (tried.outcome, tried.for_other_endpoint) == ("known", True), (
        "what the environment got is known to everybody"
    )
    assert (await journal.find("production", answer.message_id)).id == 2


async def test_changed_answer_after_a_run_with_endpoint_is_no_revision(journal, entry, carry):
    answer = entry(question_id="7")
    await journal.add([replace(answer, endpoint=SINK)])
    await carry(SINK)
    [real] = await journal.add([replace(answer, digest=b"changed!")])
    assert (real.outcome, real.state) == ("new", State.QUEUED)


async def test_delivery_to_one_trial_endpoint_is_new_to_another(journal, entry, carry):
    answer = entry()
    await journal.add([replace(answer, endpoint=SINK)])
    await carry(SINK)
    assert [one.outcome for one in await journal.add([replace(answer, endpoint=OTHER)])] == ["new"]
    assert await carry(OTHER) == (2,)


async def test_queued_trial_is_withdrawn_when_the_answer_is_added_again(journal, entry, carry):
    answer, left = entry(), entry()
    await journal.add([replace(answer, endpoint=SINK), replace(left, endpoint=SINK)])
    assert [one.outcome for one in await journal.add([answer])] == ["new"]
    first = (await journal.get(1)).delivery
    assert (first.state, first.reason) == (State.WITHHELD, "withdrawn")
    counts = await journal.counts()
    assert counts.by_environment["production"] == {State.QUEUED: 2, State.WITHHELD: 1}
    assert counts.queued_elsewhere == {"production": 1}
    assert await carry() == (3,)
    assert await carry(SINK) == (2,)


async def test_leased_trial_is_not_withdrawn(journal, entry, take, carry, attempt):
    answer = entry()
    await journal.add([replace(answer, endpoint=SINK)])
    claim = await take(SINK)
    assert [one.outcome for one in await journal.add([answer])] == ["new"]
    done = Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt(endpoint=SINK))
    assert await journal.settle(claim, [done]) == 1
    assert await carry() == (2,)
    assert await states(journal, 1, 2) == ["delivered", "delivered"]


async def test_lanes_of_endpoints_are_separate(journal, entry, take):
    await journal.add([entry(), entry(endpoint=SINK)])
    await journal.set_lane("production", "paused", "a trial failed", endpoint=SINK)
    assert (await journal.lanes())["production"].state == "open"
    assert (await journal.lanes(SINK))["production"].cause == "held by hand: a trial failed"
    assert (await take(SINK)).ids == ()
    assert (await take()).ids == (1,)
    await journal.set_lane("production", "paused", "by hand")
    await journal.set_lane("production", "open", endpoint=SINK)
    assert (await take(SINK)).ids == (2,)


async def test_oldest_queued_ignores_deliveries_of_other_endpoints(journal, entry, clock):
    await journal.add([entry(endpoint=SINK)])
    assert await journal.oldest_queued() == {}
    clock.advance(1)
    await journal.add([entry()])
    assert await journal.oldest_queued() == {"production": clock.now()}


async def test_add_and_claim_claims_only_for_the_same_endpoint(journal, entry):
    wanted = ClaimRequest("production", 100, 475_000, 60_000, 0.0, "me", 4, SINK)
    _, claims = await journal.add_and_claim([entry(), entry(endpoint=SINK)], [wanted])
    assert [one.ids for one in claims] in ([], [(2,)])
    for claim in claims:
        assert claim.endpoint == SINK
        await journal.release(claim)
    assert (await journal.counts()).leased == {}


async def test_claim_with_adopt_rebinds_queued_deliveries(journal, entry, carry):
    answer, paused = entry(), entry("staging")
    await journal.add([answer, paused])
    assert await carry(SINK) == ()
    assert await carry(SINK, adopt=True) == (1,)
    assert (await journal.get(1)).delivery.bound_for == SINK
    assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 0, State.DELIVERED: 1}
    assert [one.outcome for one in await journal.add([answer])] == ["new"], "the environment never got it"
    await journal.set_lane("staging", "paused", "by hand")
    claim = await journal.claim(
        ClaimRequest("staging", events=9, payload_bytes=9_999, lease_ms=60_000, endpoint=SINK, adopt=True)
    )
    assert claim.ids == (), "what is paused by hand is not taken elsewhere"


async def test_replay_of_another_endpoints_delivery_goes_to_the_own_endpoint(journal, entry, carry):
    answer = entry()
    await journal.add([replace(answer, endpoint=SINK)])
    await carry(SINK)
    assert [one.id for one in await journal.requeue([1])] == [1]
    assert (await journal.get(1)).delivery.bound_for == ""
    assert await carry() == (1,)
    assert [one.endpoint for one in (await journal.get(1)).history] == [SINK, "https://api.segment.io"]
    assert [one.outcome for one in await journal.add([answer])] == ["known"]


async def test_trial_of_a_delivered_answer_is_not_replayed(journal, entry, carry):
    answer, other = entry(), entry()
    await journal.add([replace(answer, endpoint=SINK), replace(other, endpoint=SINK)])
    await journal.add([answer])
    await carry()
    assert await states(journal, 1, 3) == ["withheld", "delivered"], "it took the place of what waited for another run"
    await carry(SINK)
    await journal.add([replace(other, endpoint=OTHER)])
    assert [one.outcome for one in await journal.requeue([1, 2, 4])] == ["known", "known", "known"]
    assert await carry() == ()
    await carry(OTHER)
    assert [one.outcome for one in await journal.requeue([1, 2, 4])] == ["known", "known", "new"]
    assert await carry() == (4,), "once, by that which stands for the answer"
    [copy] = await journal.requeue([3], overrides={"production": SINK})
    await carry(SINK)
    assert [one.outcome for one in await journal.requeue([copy.id])] == ["known"]


async def test_replay_to_another_endpoint_keeps_the_own_delivery(journal, entry, carry):
    answer = entry()
    await journal.add([answer])
    await carry()
    [copy] = await journal.requeue([1], overrides={"production": SINK})
    assert (copy.id, copy.outcome) == (2, "new")
    assert await carry(SINK) == (2,)
    was, made = (await journal.get(1)).delivery, (await journal.get(2)).delivery
    assert (was.state, was.endpoint) == (State.DELIVERED, "https://api.segment.io")
    assert (made.message_id, made.origin_id, made.endpoint) == (was.message_id, 1, SINK)
    assert (await journal.get(2)).body == (await journal.get(1)).body
    assert [(one.id, one.outcome) for one in await journal.add([answer])] == [(1, "known")]
    assert [one.id for one in await journal.requeue([2], overrides={"production": SINK})] == [2]


async def test_replay_as_new_goes_to_the_given_endpoint(journal, entry, carry):
    await journal.add([entry()])
    await carry()
    [made] = await journal.requeue([1], as_new=True, overrides={"production": SINK})
    assert (await journal.get(made.id)).delivery.bound_for == SINK
    assert await carry(SINK) == (made.id,)


async def test_replay_job_keeps_its_endpoints(journal, entry, carry):
    await journal.add([entry(), replace(entry(), endpoint=SINK), entry("staging")])
    await carry()
    await carry(SINK)
    job = await journal.start_replay(Query(), overrides={"production": OTHER})
    job = await journal.step_replay(job.id)
    assert (job.state, job.queued, job.skipped) == ("done", 2, 1)
    assert sorted(await carry(OTHER)) == [2, 4], "a trial itself, of the other a copy"
    assert await states(journal, 1, 3) == ["delivered", "queued"]


async def test_endpoint_filter_finds_deliveries(journal, entry, carry):
    await journal.add([entry(), entry(endpoint=SINK), entry(endpoint=OTHER)])
    await carry(url="https://events.eu1.segmentapis.com")

    async def found(text):
        return [one.id for one in (await journal.page(parse_filter(text, now_ms=0))).deliveries]

    assert await found("endpoint:127.0.0.1:8080") == [2]
    assert await found("endpoint:EU1") == [1]
    assert await found("-endpoint:127.0.0.1") == [1]
    assert await found(f"endpoint:={SINK} to:=https://events.eu1.segmentapis.com") == [1, 2]
    assert await found(f"endpoint:={SINK[:-1]}") == [], "a whole URL is not a part of a longer one"
    assert await found(f"-endpoint:={SINK}") == [1, 3]
    assert await found("endpoint:=127.0.0.1") == [], "without a scheme it is a part, as it was"
    assert await found("-status:200") == [2, 3]


async def test_pruned_deliveries_of_other_endpoints_leave_no_identity(journal, entry, carry, clock):
    answer, trial = entry(), replace(entry(), endpoint=SINK)
    await journal.add([replace(answer, endpoint=SINK), trial])
    await carry(SINK)
    await journal.add([answer])
    await carry()
    clock.advance(10)
    await journal.prune(clock.now())
    assert await journal.find("production", answer.message_id) is None
    assert (await journal.tombstones()).by_environment == {"production": 1}
    assert [one.outcome for one in await journal.add([trial, replace(trial, endpoint="")])] == ["new", "new"]
    known = await journal.add([answer, replace(answer, endpoint=SINK)])
    assert [(one.outcome, one.for_other_endpoint) for one in known] == [("known", False), ("known", True)]


async def test_replay_to_an_endpoint_that_took_the_removed_answer_sends_nothing(
    journal, entry, take, carry, attempt, clock
):
    answer = entry()
    (trial,) = await journal.add([replace(answer, endpoint=SINK)])
    held = await take(SINK)
    await journal.add([answer])
    assert len(await carry()) == 1
    clock.advance(100)
    await journal.settle(held, [Settlement(ids=held.ids, state=State.DELIVERED, attempt=attempt(endpoint=SINK))])
    assert (await journal.prune(clock.now() - 50_000)).by_state == {State.DELIVERED: 1}
    assert [(one.id, one.outcome) for one in await journal.requeue([trial.id])] == [(trial.id, "known")]
    assert [one.outcome for one in await journal.requeue([trial.id], overrides={"production": SINK})] == ["new"]


async def test_trial_endpoint_that_becomes_the_default_resends_nothing(journal, entry, carry, take):
    sent, left = entry(), entry()
    await journal.add([replace(sent, endpoint=SINK)])
    await carry(SINK)
    await journal.add([replace(left, endpoint=SINK)])
    held = await take(SINK)
    assert await journal.merge_endpoint("production", SINK) == 0, "not while one is on the wire"
    await journal.release(held)
    assert await journal.merge_endpoint("production", OTHER) == 0
    assert await journal.merge_endpoint("production", SINK) == 2
    assert [one.outcome for one in await journal.add([sent, left])] == ["known", "known"]
    assert (await journal.counts()).queued_elsewhere == {}
    assert await carry() == (2,)
    assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 0, State.DELIVERED: 2}
