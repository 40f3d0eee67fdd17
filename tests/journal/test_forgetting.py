"""Contract of forgetting, on both stores: content goes, the account stays even, and nothing of theirs comes in."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.errors import JournalError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.postgres import payloads as postgres_payloads
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import maintenance as sqlite_maintenance

JANE = (
    make_identifier("user", "jane"),
    make_identifier("email", "Jane@Example.com"),
    make_identifier("visitor", "V-9"),
)


@pytest.fixture
def answer(entry):
    """Make an answer of a person, with a record that names them."""

    def make(user: str = "jane", environment: str = "production", **fields):
        made = entry(environment, user_id=user)
        email = {"jane": "jane@example.com"}.get(user, f"{user}@example.com")
        record = {"userId": user, "email": email, "response": f"said by {user}", **fields}
        call = {"messageId": made.message_id, "type": "track", "userId": user, "properties": {"response": 4}}
        return replace(made, answer=f"said by {user}", raw=json.dumps(record).encode(), body=json.dumps(call).encode())

    return make


@pytest.fixture
def forget(journal):
    """Forget somebody as `sprig-tui forget` does, without waiting; returns the receipt and those that are leased."""

    async def run(identifiers=JANE, *, done=True):
        receipt = await journal.begin_forget(identifiers, "ann@mill-1")
        found = await found_ids(journal, identifiers)
        leased = (await journal.erase(found)).leased if found else ()
        return await journal.end_forget(receipt, {}, done=done), leased

    return run


async def found_ids(journal, identifiers=JANE, **how):
    """Ids that hold one of the persons, by a scan from the beginning."""
    found, after, more = [], 0, True
    while more:
        step = await journal.find_persons(after, identifiers, **how)
        found += [one.id for one in step.found]
        after, more = step.reached, step.more
    return found


async def content_of(journal, delivery_id):
    detail = await journal.get(delivery_id)
    shown = detail.delivery
    texts = (shown.user_id, shown.answer, shown.survey_name, shown.source, shown.error, shown.detail)
    return detail.raw, detail.body, texts, tuple((one.error, one.excerpt) for one in detail.history)


async def test_delivered_answer_leaves_its_row_without_content(journal, answer, deliver, forget):
    others = [answer("kim"), answer("lee")]
    given = [others[0], answer(), others[1]]
    await journal.add(given)
    await deliver()
    before = [await journal.get(one) for one in (1, 3)]
    receipt, leased = await forget()
    assert (receipt.counts, leased) == ({"identifiers": 3, "delivered": 1}, ())
    assert receipt.actor == "ann@mill-1"
    assert await content_of(journal, 2) == (b"", b"", ("",) * 6, (("", ""),))
    shown = (await journal.get(2)).delivery
    assert (shown.state, shown.reason, shown.status, shown.attempts) == (State.DELIVERED, "forgotten", 200, 1)
    assert shown.message_id.startswith("forgotten-")
    assert [await journal.get(one) for one in (1, 3)] == before
    counts = await journal.counts()
    assert counts.by_environment["production"][State.DELIVERED] == 3
    assert counts.forgotten == {"production": {State.DELIVERED: 1}}
    assert await found_ids(journal) == []
    assert (await journal.verify()).problems == ()


async def test_answers_of_forgotten_persons_are_not_taken_in(journal, answer, deliver, forget):
    delivered = answer()
    await journal.add([delivered])
    await deliver()
    await forget()
    new = [
        delivered,
        answer(),
        replace(answer("kim"), raw=b'{"userId": "kim", "attributes": {"mail": " JANE@example.com"}}'),
        replace(answer(""), raw=b'{"visitorUuid": "v-9"}'),
        answer("kim"),
    ]
    added = await journal.add(new)
    assert [(one.outcome, one.state, one.reason) for one in added] == [
        ("known", State.DELIVERED, "forgotten"),
        ("new", State.WITHHELD, "forgotten"),
        ("new", State.WITHHELD, "forgotten"),
        ("new", State.WITHHELD, "forgotten"),
        ("new", State.QUEUED, ""),
    ]
    for result in added[1:4]:
        assert (await content_of(journal, result.id))[:3] == (b"", b"", ("",) * 6)
    again = await journal.add(new)
    assert [one.outcome for one in again] == ["known"] * 5
    assert (await journal.verify()).problems == ()


async def test_their_packed_payloads_are_not_stored(journal, answer, forget):
    await forget()
    given = EntryColumns.from_packed(EntryColumns.of([answer("jane", response="x"), answer("joe")]).packed())
    theirs, other = await journal.add(given)
    assert (theirs.state, other.state) == (State.WITHHELD, State.QUEUED)
    assert (await content_of(journal, theirs.id))[:2] == (b"", b"")
    assert b"said by joe" in (await content_of(journal, other.id))[0]


async def test_claims_made_with_an_add_take_nothing_of_theirs(journal, answer, forget):
    await forget()
    request = ClaimRequest("production", events=10, payload_bytes=100_000, lease_ms=60_000)
    added, claims = await journal.add_and_claim([answer(), answer("kim")], (request,))
    assert [one.state for one in added] == [State.WITHHELD, State.QUEUED]
    assert all(one.ids == (added[1].id,) for one in claims)


async def test_queued_answers_are_withheld_and_leased_ones_wait(journal, answer, claim, attempt, forget):
    await journal.add([answer(), answer("kim")])
    taken = await claim()
    await journal.add([answer()])
    receipt, leased = await forget(done=False)
    assert leased == (1,)
    assert receipt.counts == {"identifiers": 3, "queued": 1}
    assert (await journal.get(3)).delivery.reason == "forgotten"
    refused = attempt(400, outcome="refused", error="invalid_request", excerpt='{"userId": "jane"}')
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, attempt=refused, error="jane")])
    erased = await journal.erase(leased)
    assert (erased.counts, erased.leased) == ({"failed": 1, "responses": 1}, ())
    _, _, texts, history = await content_of(journal, 1)
    assert texts == ("",) * 6
    assert history == (("invalid_request", "(removed, because it may quote a forgotten person)"),)
    states = (await journal.counts()).by_environment["production"]
    assert (states.get(State.QUEUED, 0), states[State.WITHHELD], states[State.FAILED]) == (0, 1, 2)


async def test_a_worker_notices_with_its_next_claim(journal, answer, claim):
    await journal.add([answer("kim"), answer(), answer("lee")])
    await journal.begin_forget(JANE, "ann")
    taken = await claim()
    assert taken.ids == (1, 3)
    assert b"jane" not in taken.payload
    assert len(taken.sizes) == 2
    assert taken.payload == b",".join([(await journal.get(one)).body for one in taken.ids])
    assert (await journal.get(2)).delivery.reason == "forgotten"
    assert await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)]) == 2
    (receipt,) = await journal.forget_receipts()
    assert (receipt.ended_at, receipt.counts) == (0, {"identifiers": 3, "queued": 1})


async def test_a_claim_of_theirs_alone_is_empty_and_a_probe_is_not_lost(journal, answer, claim):
    await journal.add([answer()])
    await journal.set_lane("production", "paused", "by hand")
    await journal.set_lane("production", "open")
    await journal.begin_forget(JANE, "ann")
    assert (await claim()).ids == ()
    await journal.add([answer("kim")])
    assert (await claim()).ids == (2,)


async def test_delivery_of_a_killed_worker_may_have_arrived(journal, answer, claim, clock, forget):
    await journal.heartbeat(make_worker())
    await journal.add([answer()])
    await claim(owner=make_worker().id)
    assert (await forget(done=False))[1] == (1,)
    clock.advance(61_000)
    erased = await journal.erase((1,))
    assert erased.counts == {"queued": 1, "unsettled": 1}
    assert (await journal.get(1)).delivery.detail.startswith("it may have reached Segment")
    # it may have arrived: taken in again, it is not sent twice
    await journal.undo_forget(JANE, "ann")
    assert (await journal.tombstones()).by_environment == {"production": 1}


async def test_unanswered_request_may_have_arrived(journal, answer, claim, attempt, forget):
    await journal.add([answer()])
    taken = await claim()
    unanswered = attempt(0, outcome="retry", error="timeout")
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.QUEUED, attempt=unanswered, error="timeout")])
    receipt, _ = await forget()
    assert receipt.counts == {"identifiers": 3, "queued": 1, "unsettled": 1}


async def test_undo_takes_new_ones_again_and_sends_nothing_twice(journal, answer, deliver, forget):
    delivered, later = answer(), answer()
    await journal.add([delivered])
    await deliver()
    await forget()
    await journal.add([later])
    assert await journal.undo_forget(JANE[:1], "ann") == 1
    assert (await journal.add([later]))[0].reason == "forgotten"
    assert await journal.undo_forget(JANE, "ann") == 2
    added = await journal.add([delivered, later])
    assert [(one.outcome, one.state) for one in added] == [("known", State.DELIVERED), ("new", State.QUEUED)]
    assert await journal.forgotten() == ()
    assert [one.action for one in await journal.forget_receipts()] == ["forget", "undo", "undo"]


async def test_forgotten_twice_and_pruned(journal, answer, deliver, forget, clock):
    one = answer()
    await journal.add([one])
    await forget()
    await journal.undo_forget(JANE, "ann")
    (again,) = await journal.add([one])
    assert again.outcome == "new"
    await deliver()
    receipt, _ = await forget()
    assert receipt.counts["delivered"] == 1
    clock.advance(100)
    assert sum((await journal.prune(clock.now())).by_state.values()) == 2
    assert (await journal.counts()).forgotten == {}
    (read,) = await journal.add([one])
    assert (read.outcome, read.state) == ("known", State.DELIVERED)
    assert (await journal.verify()).problems == ()


async def test_payload_that_a_delivery_pruned_by_an_older_version_left_is_removed(
    journal, answer, deliver, forget, clock, monkeypatch
):
    async def leave(*_: object) -> None:
        """Older versions left the payloads of removed deliveries in packs that others need."""

    monkeypatch.setattr(sqlite_maintenance, "blank_removed", lambda *_: None)
    monkeypatch.setattr(postgres_payloads, "blank", leave)
    await journal.add([answer(), answer("kim")])
    await journal.withdraw([2])
    await deliver()
    clock.advance(100)
    await journal.requeue([2])
    await journal.prune(clock.now())
    assert await found_ids(journal) == [1]
    receipt, _ = await forget()
    assert receipt.counts == {"identifiers": 3, "leftovers": 1}
    assert await found_ids(journal) == []
    assert b"kim" in (await journal.get(2)).raw


async def test_replays_of_forgotten_persons(journal, answer, deliver, forget):
    await journal.add([answer(), answer("kim")])
    await deliver()
    job = await journal.start_replay(Query((Term("user", "jane"),), "user:jane"))
    other = await journal.start_replay(Query((Term("status", "delivered"),), "status:delivered"), as_new=True)
    await journal.begin_forget(JANE, "ann")
    jobs = {one.id: one for one in await journal.replays()}
    assert (jobs[job.id].filter, jobs[job.id].state) == ("a forgotten person", "cancelled")
    done = await journal.step_replay(other.id)
    assert (done.queued, done.skipped) == (1, 1)
    assert [one.outcome for one in await journal.requeue([1], as_new=True)] == ["known"]
    await forget()
    assert [one.outcome for one in await journal.requeue([1])] == ["known"]


async def test_accepted_counts_stay(journal, answer, claim, attempt, forget, clock):
    await journal.add([answer(), answer("kim")])
    taken = await claim()
    accepted = attempt(outcome="delivered")
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=accepted)])
    window = {"since": clock.now() - 1_000, "until": clock.now() + 1_000}
    before = await journal.accepted("production", **window)
    assert sum(one.first for one in before) == 2
    await forget()
    assert await journal.accepted("production", **window) == before


async def test_without_its_key_nothing_is_taken_in(journal, journal_place, answer, forget, clock, tmp_path):
    await forget()
    journal.forget_key_file.rename(tmp_path / "elsewhere")
    async with open_journal(journal_place, clock=clock, key_folder=tmp_path) as other:
        with pytest.raises(JournalError, match="key"):
            await other.add([answer("kim")])
        assert await other.undo_forget(None, "ann") == 3
        assert (await other.add([answer()]))[0].state is State.QUEUED
    # a new key can be made then
    await forget()
    assert (await journal.add([answer()]))[0].reason == "forgotten"
    assert journal.forget_key_file.stat().st_mode & 0o777 == 0o600


async def test_another_process_takes_the_list_over_at_once(journal, journal_place, answer, clock, tmp_path):
    async with open_journal(journal_place, clock=clock, key_folder=tmp_path) as other:
        await other.add([answer("kim")])
        await journal.begin_forget(JANE, "ann")
        assert (await other.add([answer()]))[0].reason == "forgotten"
        await journal.undo_forget(JANE, "ann")
        assert (await other.add([answer()]))[0].state is State.QUEUED


async def test_response_that_quotes_a_person_goes_from_other_deliveries_too(journal, answer, claim, attempt, forget):
    await journal.add([answer("kim")])
    taken = await claim()
    quoting = attempt(400, outcome="refused", error="no jane@example.com.", excerpt='{"user":"jane"}')
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, attempt=quoting, error=quoting.error)])
    await forget(done=False)
    assert await journal.erase_quotes() == 1
    detail = await journal.get(1)
    removed = "(removed, because it may quote a forgotten person)"
    assert (detail.delivery.error, detail.history[0].error, detail.history[0].excerpt) == (removed,) * 3
    assert detail.delivery.user_id == "kim"
    assert (await journal.forget_receipts())[0].counts["responses"] == 1


@pytest.mark.parametrize(("status", "error"), [(503, "http 503"), (0, "no answer within 503 s")])
async def test_errors_of_the_program_quote_nobody(journal, answer, claim, attempt, status, error):
    """A user id may be a number that stands in them too."""
    await journal.add([answer("kim")])
    taken = await claim()
    told = attempt(status, outcome="retry", error=error, excerpt="")
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, attempt=told, error=error)])
    await journal.begin_forget([make_identifier("user", "503")], "ann")
    assert await journal.erase_quotes() == 0
    detail = await journal.get(1)
    assert (detail.delivery.error, detail.history[0].error) == (error, error)


async def test_attempt_of_a_whole_batch_is_cleaned_once(journal, answer, claim, forget, clock):
    await journal.add([answer(), answer(), answer("kim")])
    taken = await claim()
    told = Attempt(started_at=clock.now(), status=200, outcome="delivered", excerpt='{ "success": true }')
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=told)])
    receipt, _ = await forget()
    assert receipt.counts == {"identifiers": 3, "delivered": 2}
    assert (await journal.get(3)).history[0].excerpt == '{ "success": true }'
