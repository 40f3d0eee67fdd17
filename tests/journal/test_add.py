"""Contract of `add`: durable, all or none, with the rules of de-duplication."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.dedup import as_changed
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State
from sprig_tui.reasons import Reason


async def test_add_of_no_entries(journal):
    assert await journal.add([]) == []
    assert await journal.count(Query()) == 0


async def test_ids_grow_in_order_of_arrival(journal, entry):
    first = await journal.add([entry() for _ in range(3)])
    second = await journal.add([entry()])
    ids = [one.id for one in first + second]
    assert ids == sorted(ids)
    assert len(set(ids)) == 4


async def test_every_field_of_a_delivery_is_read_back(journal, entry, clock):
    given = entry(detail="", question_id="90311", updated_at=5, edited=True)
    (added,) = await journal.add([given])
    detail = await journal.get(added.id)
    delivery = detail.delivery
    assert (detail.raw, detail.body) == (given.raw, given.body)
    for name in ("environment", "message_id", "survey_id", "survey_name", "user_id", "question_type", "answer"):
        assert getattr(delivery, name) == getattr(given, name), name
    assert (delivery.answered_at, delivery.source, delivery.line) == (given.answered_at, given.source, given.line)
    assert (delivery.state, delivery.added_at, delivery.edited) == (State.QUEUED, clock.now(), True)
    assert (delivery.status, delivery.attempts, delivery.leased, delivery.size) == (0, 0, False, len(given.body))


async def test_payloads_of_many_sizes_are_read_back(journal, entry):
    sizes = [0, 1, 255, 256, 1_000_001, 30_000, *range(2, 1200)]
    given = [entry(raw=b"r" * size, body=b"%d" % size) for size in sizes]
    added = await journal.add(given)
    pairs = list(zip(given, added, strict=True))
    for one, back in [*pairs[::97], pairs[4], pairs[-1]]:
        detail = await journal.get(back.id)
        assert (detail.raw, detail.body) == (one.raw, one.body)


def packed(entries):
    """The entries as the mapping process sends them, in two chunks."""
    halves = [EntryColumns.of(entries[:3]), EntryColumns.of(entries[3:])]
    return EntryColumns.joined([EntryColumns.from_packed(half.packed()) for half in halves])


async def test_payloads_that_were_packed_before_are_read_back(journal, entry):
    known = entry(raw=b"known", body=b'{"known":1}')
    await journal.add([known])
    new = [entry(raw=b"r%d" % at, body=b'{"call":%d}' % at) for at in range(9)]
    # all are new; then one is known, so that those behind it have other places than in their pack
    for given in (new[:5], [new[5], known, *new[6:]]):
        added = await journal.add(packed(given))
        assert [one.outcome for one in added] == ["known" if one is known else "new" for one in given]
        for one, back in zip(given, added, strict=True):
            detail = await journal.get(back.id)
            assert (detail.raw, detail.body) == (one.raw, one.body)


async def test_claims_send_the_calls_that_were_packed_before(journal, entry, claim):
    given = [entry(body=b'{"call":%d}' % at) for at in range(5)]
    given[1] = replace(given[1], reason=Reason.ANONYMOUS)
    wanted = ClaimRequest("production", events=2, payload_bytes=475_000, lease_ms=60_000, claims=2)
    for entries in (given, [entry(body=b'{"call":%d}' % at) for at in (5, 6, 7, 8)]):
        _, claims = await journal.add_and_claim(packed(entries), (wanted,))
        while len(claims) < 2:  # a journal may leave them for later
            claims = (*claims, await claim(events=2))
        sent = [one.body for one in entries if not one.reason]
        assert [one.payload for one in claims] == [b",".join(sent[:2]), b",".join(sent[2:])]


async def test_same_answer_added_again_is_known(journal, entry):
    given = entry()
    (first,) = await journal.add([given])
    (again,) = await journal.add([replace(given, source="other.jsonl", raw=b"{}")])
    assert (again.id, again.outcome) == (first.id, "known")
    assert await journal.count(Query()) == 1
    assert (await journal.get(first.id)).delivery.source == "responses.jsonl"


async def test_same_answer_twice_in_one_call_is_known(journal, entry):
    given = entry()
    first, again = await journal.add([given, given])
    assert (again.id, again.outcome) == (first.id, "known")


async def test_later_update_is_a_withheld_revision(journal, entry):
    given = entry(updated_at=1000)
    (first,) = await journal.add([given])
    changed = replace(given, digest=b"1" * 8, updated_at=2000)
    (revision,) = await journal.add([changed])
    assert (revision.outcome, revision.state, revision.reason) == ("revision", State.WITHHELD, Reason.NEWER_REVISION)
    detail = await journal.get(revision.id)
    assert detail.delivery.origin_id == first.id
    assert detail.delivery.message_id.encode() in detail.body
    assert given.message_id.encode() not in detail.body
    (again,) = await journal.add([changed])
    assert (again.id, again.outcome) == (revision.id, "known")


async def test_other_content_without_update_time_is_a_possible_duplicate(journal, entry):
    given = entry()
    first, other = await journal.add([given, replace(given, digest=b"2" * 8)])
    assert (other.outcome, other.reason) == ("duplicate", Reason.POSSIBLE_DUPLICATE)
    assert (await journal.get(other.id)).delivery.origin_id == first.id


async def test_other_content_with_the_same_question_id_is_a_revision(journal, entry):
    given = entry(question_id="7")
    _, other = await journal.add([given, replace(given, digest=b"2" * 8)])
    assert other.outcome == "revision"


async def test_questions_with_the_same_text_are_distinguished_by_id(journal, entry):
    given = entry(question_id="7")
    twin = replace(given, question_id="8")
    first, second = await journal.add([given, twin])
    assert (second.outcome, second.state) == ("new", State.QUEUED)
    detail = await journal.get(second.id)
    assert detail.delivery.message_id != given.message_id
    assert detail.delivery.message_id.encode() in detail.body
    again = await journal.add([given, twin])
    assert [one.id for one in again] == [first.id, second.id]


async def test_withheld_delivery_is_replaced_once_complete(journal, entry):
    lacking = entry(reason=Reason.ANONYMOUS.value, user_id="")
    (withheld,) = await journal.add([lacking])
    complete = replace(lacking, reason="", user_id="acct_1")
    (queued,) = await journal.add([complete])
    assert (queued.outcome, queued.state) == ("new", State.QUEUED)
    assert queued.id != withheld.id
    (again,) = await journal.add([complete])
    assert (again.id, again.outcome) == (queued.id, "known")
    (lacking_again,) = await journal.add([lacking])
    assert (lacking_again.id, lacking_again.outcome) == (queued.id, "known")


async def test_withheld_delivery_is_repaired_by_what_takes_its_place(journal, entry):
    lacking, other = entry(reason=Reason.ANONYMOUS.value, user_id=""), entry(reason=Reason.INVALID.value, updated_at=1)
    withheld, open_one = await journal.add([lacking, other])
    assert await journal.repaired() == {}
    (repair,) = await journal.add([replace(lacking, reason="", user_id="acct_1")])
    assert [row.repaired_by for row in await journal.get_many([withheld.id, open_one.id, repair.id])] == [
        repair.id,
        0,
        0,
    ]
    assert await journal.repaired() == {lacking.environment: {State.WITHHELD: 1}}
    assert await journal.count(parse_filter("is:withheld -is:repaired", now_ms=0)) == 1
    await journal.withdraw([repair.id])
    assert await journal.repaired() == {}, "a repair that is not sent is none"
    assert (await journal.get(withheld.id)).delivery.repaired_by == 0


async def test_unsendable_other_content_is_stored_with_its_reason(journal, entry):
    given = entry(updated_at=1000)
    (first,) = await journal.add([given])
    deleted = replace(
        given,
        digest=b"3" * 8,
        updated_at=2000,
        reason=Reason.DELETED.value,
        detail="deleted in Sprig at 12:04",
        raw=b'{"response":null,"deletedAt":"12:04"}',
    )
    (kept,) = await journal.add([deleted])
    assert (kept.outcome, kept.state, kept.reason) == ("revision", State.WITHHELD, Reason.DELETED)
    detail = await journal.get(kept.id)
    assert (detail.raw, detail.delivery.origin_id) == (deleted.raw, first.id)
    assert detail.delivery.detail.startswith("deleted in Sprig at 12:04; ")
    assert detail.delivery.message_id != given.message_id
    (again,) = await journal.add([deleted])
    assert (again.id, again.outcome, again.reason) == (kept.id, "known", Reason.DELETED)
    (resent,) = await journal.requeue([kept.id])
    assert (resent.outcome, resent.state) == ("known", State.WITHHELD)


async def test_unsendable_entry_added_again_is_known(journal, entry):
    given = entry()
    (first,) = await journal.add([given])
    (again,) = await journal.add([replace(given, reason=Reason.DELETED.value)])
    assert (again.id, again.outcome, again.state) == (first.id, "known", State.QUEUED)


async def test_revision_is_sendable_once_complete(journal, entry):
    given = entry(updated_at=1000)
    (first,) = await journal.add([given])
    complete = replace(given, digest=b"4" * 8, updated_at=2000)
    (lacking,) = await journal.add([replace(complete, reason=Reason.ANONYMOUS.value, user_id="")])
    (revision,) = await journal.add([complete])
    assert (revision.outcome, revision.reason) == ("revision", Reason.NEWER_REVISION)
    assert revision.id != lacking.id
    assert (await journal.get(revision.id)).delivery.origin_id == first.id
    (again,) = await journal.add([complete])
    assert (again.id, again.outcome) == (revision.id, "known")


async def test_environments_do_not_share_identities(journal, entry):
    one = entry("production", message_id="sprig-" + "a" * 32)
    two = entry("development", message_id="sprig-" + "a" * 32)
    added = await journal.add([one, two])
    assert [item.outcome for item in added] == ["new", "new"]


async def test_counts_are_maintained_by_add(journal, entry):
    await journal.add([entry(), entry(), entry(reason="anonymous"), entry("development")])
    counts = await journal.counts()
    assert counts.by_environment == {
        "production": {State.QUEUED: 2, State.WITHHELD: 1},
        "development": {State.QUEUED: 1},
    }


async def test_concurrent_adds_lose_and_repeat_nothing(journal, entry):
    shared = [entry() for _ in range(50)]
    results = await asyncio.gather(*(journal.add(shared[i : i + 10]) for i in range(0, 50, 5) for _ in range(3)))
    new = [one for result in results for one in result if one.outcome == "new"]
    assert len({one.id for one in new}) == len(new) == 50
    assert await journal.count(Query()) == 50


async def test_find_returns_the_delivery_of_an_identity(journal, entry):
    given = entry()
    (added,) = await journal.add([given])
    assert (await journal.find("production", given.message_id)).id == added.id
    assert await journal.find("development", given.message_id) is None
    assert await journal.find("production", "nothing") is None


async def test_known_result_has_the_stored_state(journal, entry, claim, attempt):
    given = entry()
    await journal.add([given])
    taken = await claim()
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
    (again,) = await journal.add([given])
    assert (again.outcome, again.state) == ("known", State.DELIVERED)


async def test_a_changed_call_is_a_delivery_of_its_own_that_is_linked(journal, entry):
    given = entry()
    (first,) = await journal.add([given])
    changed = as_changed(replace(given, body=given.body.replace(b"}", b',"more":1}', 1), edited=True), first.id)
    (made,) = await journal.add([changed])
    assert (made.outcome, made.state) == ("new", State.QUEUED)
    delivery = (await journal.get(made.id)).delivery
    assert (delivery.origin_id, delivery.edited) == (first.id, True)
    assert delivery.message_id != given.message_id
    (again, other) = await journal.add([changed, entry()])
    assert (again.id, again.outcome) == (made.id, "known")
    assert (await journal.get(other.id)).delivery.origin_id == 0
