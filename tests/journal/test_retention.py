"""Contract of retention: what is kept no longer goes in steps, and nothing else does; on both stores."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace
from support.clocks import InstantTiming

from sprig_tui.delivery.retention import PASS_INTERVAL_MS, RetentionWorker
from sprig_tui.journal import payload_codec
from sprig_tui.journal.content import CONTENT_DROPPED_TEXT, record_absence
from sprig_tui.journal.query import Query
from sprig_tui.journal.quotes import REMOVED_WITH_CONTENT
from sprig_tui.journal.records import REMOVED_ID, Settlement, State
from sprig_tui.journal.retention import Cutoffs, RetentionPolicy, RetentionState, state_from
from sprig_tui.mapping.digest import digest

DAY_S = 86_400
DAY = 1000 * DAY_S
KEEP = RetentionPolicy(delivered_ms=DAY, failed_ms=DAY, withheld_ms=DAY)


@pytest.fixture
def apply(journal):
    """One pass of a worker; returns what it reported."""

    async def run(policy, *, owner=None):
        said: list[str] = []
        worker = owner or RetentionWorker(journal, policy, timing=InstantTiming(), on_report=said.append)
        assert await worker.apply_if_due()
        return said

    return run


@pytest.fixture
def small_packs(monkeypatch):
    monkeypatch.setattr(payload_codec, "MAX_PACK_ITEMS", 3)


async def states(journal):
    page = await journal.page(Query(), limit=100)
    return [(one.id, one.state.value) for one in page.deliveries]


async def test_each_state_is_kept_as_long_as_its_setting_says(journal, clock, entry, deliver, apply):
    await journal.add([entry(), entry(reason="anonymous")])
    await deliver()
    await journal.add([entry()])
    await deliver(State.FAILED, status=400)
    await journal.add([entry("development")])  # nothing delivers it
    clock.advance(2 * DAY_S)
    await journal.add([entry()])
    await deliver()
    assert await apply(RetentionPolicy(failed_ms=DAY)) != []
    assert await states(journal) == [(1, "delivered"), (2, "withheld"), (4, "queued"), (5, "delivered")]
    said = await apply(RetentionPolicy(delivered_ms=DAY, failed_ms=3 * DAY, withheld_ms=3 * DAY))
    assert await states(journal) == [(2, "withheld"), (4, "queued"), (5, "delivered")]
    assert said[0].startswith("retention: removed 1 delivery (1 delivered), in ")
    counts = (await journal.counts()).by_environment
    assert {name: sum(found.values()) for name, found in counts.items()} == {"production": 2, "development": 1}
    assert (await journal.retention.state()).removed == {"failed": 1, "delivered": 1}
    assert (await journal.verify()).problems == ()


async def test_what_was_delivered_stays_known_and_failed_answers_are_new(journal, clock, entry, deliver, apply):
    sent, failed = entry(), entry()
    await journal.add([sent])
    await deliver()
    await journal.add([failed])
    await deliver(State.FAILED, status=400)
    clock.advance(2 * DAY_S)
    await apply(KEEP)
    again = await journal.add([sent, failed])
    assert [(one.id, one.outcome) for one in again] == [(REMOVED_ID, "known"), (3, "new")]


async def test_leased_and_waiting_deliveries_are_never_touched(journal, clock, entry, claim, attempt, apply):
    await journal.add([entry(raw=b"the record") for _ in range(3)])
    clock.advance(9 * DAY_S)
    taken = await claim(events=1)
    await apply(RetentionPolicy(DAY, DAY, DAY, DAY))
    assert [state for _, state in await states(journal)] == ["queued"] * 3
    assert (await journal.get(taken.ids[0])).raw == b"the record"


async def test_payloads_of_removed_deliveries_go_from_packs_that_others_need(
    journal, clock, entry, deliver, apply, small_packs
):
    await journal.add(
        [entry(raw=b"secret one"), entry(reason="anonymous", raw=b"kept two"), entry(raw=b"secret three")]
    )
    await deliver()
    clock.advance(2 * DAY_S)
    await apply(RetentionPolicy(delivered_ms=DAY))
    assert (await journal.get(2)).raw == b"kept two"
    raws, bodies = await packed(journal)
    assert raws == [b"", b"kept two", b""]
    assert [bool(body) for body in bodies] == [False, True, False]
    assert (await journal.retention.state()).dirty is None


async def test_prune_too_leaves_no_payload_in_packs_that_others_need(journal, clock, entry, deliver):
    await journal.add([entry(raw=b"secret one"), entry("development", raw=b"kept two")])
    await deliver()
    clock.advance(100)
    await journal.prune(clock.now())
    assert (await packed(journal))[0] == [b"", b"kept two"]
    assert (await journal.get(2)).raw == b"kept two"


async def packed(journal):
    """Records and calls of the first pack, whether their deliveries are there or not."""
    if hasattr(journal, "read"):
        row = await journal.read(lambda c: c.execute("SELECT first, raws, bodies FROM packs").fetchone())
    else:
        row = await journal._server.execute(lambda c: c.fetchrow("SELECT first, raws, bodies FROM packs"))
    return [payload_codec.unpack_every(bytes(blob), row[0])[0] for blob in tuple(row)[1:]]


async def test_content_goes_before_its_row_which_says_so(journal, clock, entry, claim, attempt, apply, small_packs):
    given = [entry(raw=b"record", answer="Slow") for _ in range(5)]
    await journal.add(given)
    taken = await claim()
    sent = attempt(200, outcome="delivered")
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=sent)])
    cursor = (await journal.changes()).cursor
    clock.advance(2 * DAY_S)
    await journal.add([entry(raw=b"young", answer="Fast")])
    said = await apply(RetentionPolicy(content_ms=DAY))
    assert said[0].startswith("retention: dropped the content of 5, in ")
    found = await journal.get(1)
    assert (found.raw, found.body, found.delivery.answer, found.delivery.size) == (b"", b"", "", 0)
    assert found.delivery.content_dropped
    assert record_absence(found) == CONTENT_DROPPED_TEXT
    assert found.delivery.user_id
    assert found.history
    young = await journal.get(6)
    assert (young.raw, young.delivery.answer, young.delivery.content_dropped) == (b"young", "Fast", False)
    assert [one.id for one in (await journal.changes(cursor)).deliveries] == [1, 2, 3, 4, 5, 6]
    assert (await journal.verify()).problems == ()
    # the account, and what is known, stay as they are
    assert [one.outcome for one in await journal.add(given)] == ["known"] * 5
    accepted = await journal.accepted("production", since=0, until=clock.now() + 1)
    assert sum(one.first for one in accepted) == 5


async def test_no_text_of_the_row_quotes_the_content_that_was_dropped(journal, clock, entry, claim, attempt, apply):
    given = [entry(raw=b"1"), entry(raw=b"2", reason="invalid", detail="response: Mira is too long")]
    given.append(entry(raw=b"3", reason="withdrawn", detail="by a person"))
    await journal.add(given)
    taken = await claim()
    refused = attempt(400, outcome="refused", error="bad Mira", excerpt='{"message": "Mira"}')
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, error="bad Mira", attempt=refused)])
    clock.advance(2 * DAY_S)
    await apply(RetentionPolicy(content_ms=DAY))
    found = [await journal.get(one) for one in (1, 2, 3)]
    assert "Mira" not in str(found)
    assert [(one.delivery.status, one.delivery.reason, one.delivery.detail) for one in found] == [
        (400, "", ""),
        (0, "invalid", ""),
        (0, "withdrawn", "by a person"),
    ]
    assert found[0].delivery.error == REMOVED_WITH_CONTENT == found[0].history[0].excerpt


async def test_a_digest_does_not_show_an_answer_of_which_nothing_else_is_stored(journal, clock, entry, deliver, apply):
    short = digest(b'"Mira"')
    sent, bare = entry(digest=short, raw=b"record"), entry(digest=short, reason="withdrawn", raw=b"", body=b"")
    await journal.add([sent, bare])
    await deliver()
    clock.advance(2 * DAY_S)
    assert [b"Mira" in one for one in await digests(journal)] == [True, False]
    await apply(RetentionPolicy(content_ms=DAY))
    assert not any(b"Mira" in one for one in await digests(journal))
    assert len({*await digests(journal)}) == 2
    for others in ("duplicate", "known"):  # of rows, then of tombstones
        # the same answer is known, another one is not
        assert [one.outcome for one in await journal.add([sent, bare])] == ["known"] * 2
        changed = [replace(one, digest=digest(b"4")) for one in (sent, bare)]
        assert [one.outcome for one in await journal.add(changed)] == [others] * 2
        clock.advance(PASS_INTERVAL_MS / 1000)
        await apply(KEEP)


async def digests(journal):
    if hasattr(journal, "read"):
        rows = await journal.read(lambda c: c.execute("SELECT digest FROM deliveries ORDER BY id").fetchall())
    else:
        rows = await journal._server.execute(lambda c: c.fetch("SELECT digest FROM deliveries ORDER BY id"))
    return [bytes(row[0]) for row in rows]


async def test_a_delivery_without_its_content_cannot_be_replayed(journal, clock, entry, deliver, apply):
    await journal.add([entry(raw=b"record")])
    await deliver()
    clock.advance(2 * DAY_S)
    await apply(RetentionPolicy(content_ms=DAY))
    for how in (False, True):
        (result,) = await journal.requeue([1], as_new=how)
        assert (result.outcome, result.state) == ("known", State.DELIVERED)
    job = await journal.start_replay(Query())
    job = await journal.step_replay(job.id)
    assert (job.queued, job.skipped) == (0, 1)
    # the row itself goes later
    clock.advance(PASS_INTERVAL_MS / 1000)
    await apply(KEEP)
    assert await states(journal) == []


async def test_a_replayed_delivery_is_kept_from_then_on(journal, clock, entry, deliver, apply):
    await journal.add([entry(raw=b"record")])
    await deliver()
    clock.advance(2 * DAY_S)
    await journal.requeue([1])
    await deliver()
    await apply(RetentionPolicy(DAY, DAY, DAY, DAY))
    assert (await journal.get(1)).raw == b"record"


async def test_one_process_at_a_time_has_the_turn_and_a_killed_one_loses_it(journal, clock, entry, deliver, apply):
    await journal.add([entry()])
    await deliver()
    clock.advance(2 * DAY_S)
    assert await journal.retention.take_turn("killed") is not None
    other = RetentionWorker(journal, KEEP, timing=InstantTiming())
    assert not await other.apply_if_due()
    assert await journal.retention.take_turn("another") is None
    clock.advance(61)
    assert await other.apply_if_due()
    step = await journal.retention.remove("killed", KEEP.cutoffs(clock.now()), [1])
    assert step.lost


async def test_the_next_pass_waits_and_another_policy_begins_from_the_first(journal, clock, entry, deliver, apply):
    await journal.add([entry()])
    await deliver()
    clock.advance(2 * DAY_S)
    worker = RetentionWorker(journal, RetentionPolicy(delivered_ms=9 * DAY), timing=InstantTiming())
    assert await worker.apply_if_due()
    assert not await worker.apply_if_due()
    await apply(KEEP)
    assert await states(journal) == []


async def test_random_histories_leave_an_even_account(journal, clock, entry, claim, attempt, apply, small_packs):
    """Ends of all kinds in random order, with replays between, under policies that differ."""
    dice = random.Random(7)
    for round_ in range(6):
        await journal.add([entry(raw=b"r%d" % round_, reason=dice.choice(["", "", "anonymous"])) for _ in range(7)])
        taken = await claim(events=dice.randint(1, 6))
        if taken.lease:
            state = dice.choice([State.DELIVERED, State.FAILED])
            settled = Settlement(ids=taken.ids[: dice.randint(0, 6)], state=state, attempt=attempt(200))
            await journal.settle(taken, [settled])
        ids = [one.id for one in (await journal.page(Query(), limit=100)).deliveries]
        await journal.requeue(dice.sample(ids, min(3, len(ids))))
        queued = {one.id for one in (await journal.page(Query(), limit=200)).deliveries if one.state is State.QUEUED}
        clock.advance(DAY_S)
        await apply(RetentionPolicy(*(dice.choice([0, DAY // 2, 2 * DAY]) for _ in range(3)), DAY // 2 + round_))
        rows = (await journal.page(Query(), limit=200)).deliveries
        assert queued <= {one.id for one in rows}
        assert (await journal.verify()).problems == ()
        for one in rows:
            detail = await journal.get(one.id)
            assert bool(detail.body) == (not one.content_dropped)
            assert not (one.content_dropped and one.state is State.QUEUED)


def test_a_stored_state_that_cannot_be_read_is_an_empty_one():
    assert state_from(b"{broken") == RetentionState() == state_from(None)


def test_cutoffs_never_name_queued_deliveries_or_times_that_are_not_set():
    assert Cutoffs().rows_sql() == "(1 = 0)" == Cutoffs().content_sql()
    assert "d.state = 0" not in Cutoffs(5, 5, 5, 5).rows_sql()


def test_a_policy_tells_whether_it_removes_more():
    policy = RetentionPolicy(DAY, 3 * DAY, DAY, 0)
    assert policy.removes_more_than(RetentionPolicy())
    assert policy.removes_more_than(RetentionPolicy(DAY, 0, DAY, 0))
    assert not policy.removes_more_than(policy)
    assert not policy.removes_more_than(RetentionPolicy(DAY, DAY, DAY, DAY))
    assert policy.text() == "delivered 1 d, failed 3 d, withheld 1 d"
