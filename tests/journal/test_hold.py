"""Contract of holds: who, when and why; what is claimed; and what is counted."""

from __future__ import annotations

import pytest
from support.records import make_worker

from sprig_tui.delivery.hold import hold_lane, read_holds, wait_until_quiet
from sprig_tui.delivery.withdraw import find_queued
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.pause_reasons import PauseReason
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import LaneChange, Settlement, State


async def test_a_hold_says_who_when_and_why_and_counts_what_waits(journal, entry, claim, clock):
    assert await read_holds(journal) == {}
    await hold_lane(journal, "production", "check [the] survey", by="anna@build")
    empty = (await read_holds(journal))["production"]
    assert (empty.waiting, empty.oldest_at) == (0, 0)
    held_at = clock.now()
    clock.advance(60)
    await journal.add([entry(), entry(), entry("staging")])
    clock.advance(120)
    hold = (await read_holds(journal))["production"]
    assert (hold.by, hold.since, hold.why) == ("anna@build", held_at, "check [the] survey")
    assert (hold.waiting, hold.sending, hold.oldest_at) == (2, 0, held_at + 60_000)
    assert hold.text(clock.now()).startswith("held by anna@build since ")
    assert hold.queue_text(clock.now()) == "2 held, the oldest for 2 m"
    assert (await claim()).ids == (), "nothing of it is claimed"
    assert (await claim("staging")).ids == (3,), "others go on"
    lane = (await journal.lanes())["production"]
    assert (lane.state, lane.until, lane.reason) == ("paused", 0, PauseReason.MANUAL)
    await journal.set_lane("production", "open")
    assert await read_holds(journal) == {}
    assert (await claim()).ids == (1, 2)


async def test_what_is_leased_at_the_hold_ends_and_does_not_reopen_the_lane(journal, entry, claim, attempt, clock):
    await journal.add([entry(), entry(), entry()])
    await journal.heartbeat(make_worker(id="w1", host="elsewhere"))
    first = await claim(events=1, owner="w1")
    await hold_lane(journal, "production", by="anna@build")
    assert (await read_holds(journal))["production"].queue_text(clock.now()).endswith(", 1 still being sent")
    seen: list[int] = []
    assert await wait_until_quiet(journal, ["production"], 0.0, seen.append) == 1
    failed = Settlement(ids=first.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now())
    until = clock.now() + 1_000
    await journal.settle(first, [failed], LaneChange(epoch=first.lane.epoch, state="waiting", until=until))
    assert await wait_until_quiet(journal, ["production"], 0.0, seen.append) == 0
    assert seen == [1]
    clock.advance(3_600)
    assert (await claim()).ids == ()
    assert (await journal.lanes())["production"].is_held
    assert (await journal.withdraw([1, 2])).withdrawn == 2, "it can be taken back while it is held"


@pytest.mark.parametrize("state", ["waiting", "paused"])
async def test_a_lane_that_waits_can_be_held(journal, entry, claim, attempt, clock, state):
    await journal.add([entry()])
    taken = await claim()
    until = clock.now() + 1_000
    failed = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now())
    await journal.settle(taken, [failed], LaneChange(epoch=taken.lane.epoch, state=state, until=until))
    clock.advance(0.5)
    await hold_lane(journal, "production", by="anna@build")
    assert (await read_holds(journal))["production"].since == clock.now()
    clock.advance(86_400)
    assert (await claim()).ids == ()
    await journal.set_lane("production", "open")
    assert (await claim()).ids == (1,)


async def test_nothing_is_claimed_with_an_add_while_held(journal, entry):
    await hold_lane(journal, "production", by="anna@build")
    request = ClaimRequest("production", events=10, payload_bytes=475_000, lease_ms=60_000)
    results, claims = await journal.add_and_claim([entry()], (request,))
    assert ([one.state for one in results], claims) == ([State.QUEUED], ())


async def test_held_deliveries_are_found_by_the_lane(journal, entry, claim):
    await journal.add([entry(), entry(), entry("staging"), entry(endpoint="http://127.0.0.1:8080")])
    assert (await claim(events=1)).ids == (1,)
    held = parse_filter("is:held", now_ms=0)
    assert (await journal.ids(held)).ids == ()
    await hold_lane(journal, "production", by="anna@build")
    assert (await journal.ids(held)).ids == (2,), "what is leased, elsewhere or of others is not held"
    assert (await journal.ids(parse_filter("-is:held", now_ms=0))).ids == (4, 3, 1)
    rows = (await journal.page(Query())).deliveries
    assert [row.id for row in rows if row.held] == [row.id for row in rows if held.matches(row)] == [2]
    assert list((await find_queued(journal, held)).ids) == [2]
    await journal.set_lane("production", "open")
    assert (await journal.ids(held)).ids == ()
