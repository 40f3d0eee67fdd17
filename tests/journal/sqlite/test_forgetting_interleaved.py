"""Forgetting between all other work, in random order: nothing is left of the person, lost, or sent twice."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clocks import ManualClock
from support.records import make_entry

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal

PEOPLE = ("ann-4711", "bob-4712", "eve-4713")
FORGOTTEN = "eve-4713"
EVE = [make_identifier("user", FORGOTTEN)]

_adds = st.tuples(
    st.just("add"), st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(1, 4)), min_size=1, max_size=4)
)
_work = st.tuples(st.sampled_from(["send", "send", "claim", "deliver", "fail", "release", "kill"]))
_rare = st.tuples(st.sampled_from(["replay", "as-new", "prune", "begin", "erase", "end", "other-worker"]))
steps = st.lists(st.one_of(_adds, _work, _rare), min_size=5, max_size=20)


def answer(person, number):
    made = make_entry(PEOPLE.index(person) * 100 + number, user_id=person, answer=f"{person} says {number}")
    body = made.body.replace(made.user_id.encode(), person.encode())
    return replace(made, raw=json.dumps({"userId": person, "text": f"{person} says {number}" * 9}).encode(), body=body)


class Walk:
    """One random walk over a journal that two processes share."""

    def __init__(self, journals, clock):
        self.journals = journals
        self.journal = journals[0]
        self.clock = clock
        self.claims = []
        self.new = 0
        self.pruned = 0
        self.begun = False
        self.receipt = 0
        self.delivered = set()
        """Message ids of what Segment took."""

    async def run(self, name, *arguments):
        await getattr(self, name.replace("-", "_"))(*arguments)

    async def add(self, chosen):
        results = await self.journal.add([answer(*one) for one in chosen]) if chosen else []
        self.new += sum(one.outcome != "known" for one in results)
        for (person, _), result in zip(chosen, results, strict=True):
            if self.begun and person == FORGOTTEN:
                assert result.state is not State.QUEUED or result.outcome == "known"

    async def claim(self):
        taken = await self.journal.claim(ClaimRequest("production", events=3, payload_bytes=9_999, lease_ms=60_000))
        if taken.lease:
            self.claims.append(taken)
            assert not (self.begun and FORGOTTEN.encode() in taken.payload)

    async def send(self):
        await self.claim()
        await self.deliver()

    async def _settle(self, state, status):
        if self.claims:
            taken = self.claims.pop(0)
            outcome = "delivered" if state is State.DELIVERED else "refused"
            attempt = Attempt(started_at=self.clock.now(), status=status, outcome=outcome, excerpt=FORGOTTEN)
            await self.journal.settle(taken, [Settlement(ids=taken.ids, state=state, attempt=attempt)])
            rows = await self.journal.get_many(taken.ids)
            self.delivered |= {row.message_id for row in rows if row.state is State.DELIVERED}

    async def deliver(self):
        await self._settle(State.DELIVERED, 200)

    async def fail(self):
        await self._settle(State.FAILED, 400)

    async def release(self):
        if self.claims:
            await self.journal.release(self.claims.pop(0))

    async def kill(self):
        """The worker of a claim ends without a word; its lease expires."""
        if self.claims:
            self.claims.pop(0)
            self.claims.clear()
            self.clock.advance(61_000)

    async def replay(self):
        rows = (await self.journal.page(Query(), limit=100)).deliveries
        await self.journal.requeue([row.id for row in rows][:4])

    async def as_new(self):
        rows = (await self.journal.page(Query(), limit=100)).deliveries
        results = await self.journal.requeue([row.id for row in rows][:2], as_new=True)
        self.new += sum(one.outcome == "new" for one in results)

    async def prune(self):
        self.clock.advance(1)
        self.pruned += sum((await self.journal.prune(self.clock.now())).by_state.values())

    async def begin(self):
        self.receipt = await self.journal.begin_forget(EVE, "ann")
        self.begun = True

    async def erase(self):
        if self.begun:
            step = await self.journal.find_persons(0, forgotten=True)
            await self.journal.erase([one.id for one in step.found][:3])

    async def end(self):
        if self.begun:
            await self.journal.end_forget(self.receipt, {}, done=False)

    async def other_worker(self):
        self.journals.reverse()
        self.journal = self.journals[0]


async def walk_and_forget(path, walk_steps):
    clock = ManualClock()
    async with SQLiteJournal(path, clock=clock) as one, SQLiteJournal(path, clock=clock) as other:
        walk = Walk([one, other], clock)
        await walk.add([(person, 1) for person in PEOPLE])
        for step in walk_steps:
            await walk.run(*step)
        await walk.begin()
        # whoever still had something has ended by now
        clock.advance(61_000)
        others = {
            row.id: await one.get(row.id)
            for row in (await one.page(Query(), limit=1_000)).deliveries
            if row.user_id not in ("", FORGOTTEN)
        }
        after, more = 0, True
        while more:
            step = await one.find_persons(after, forgotten=True)
            assert (await other.erase([found.id for found in step.found])).leased == ()
            after, more = step.reached, step.more
        await one.erase_quotes()
        await one.scrub()
        await one.end_forget(walk.receipt, {})
        assert [file.name for file in Path(path).parent.iterdir() if FORGOTTEN.encode() in file.read_bytes()] == []
        for delivery_id, before in others.items():
            now = await other.get(delivery_id)
            assert (now.raw, now.body, now.delivery.user_id) == (before.raw, before.body, before.delivery.user_id)
        rows = sum(sum(states.values()) for states in (await one.counts()).by_environment.values())
        assert rows == walk.new - walk.pruned
        assert (await one.verify()).problems == ()
        everything = [answer(person, number) for person in PEOPLE for number in range(1, 5)]
        results = await other.add(everything)
        await one.undo_forget(EVE, "ann")
        again = await one.add(everything)
        for entry, first, second in zip(everything, results, again, strict=True):
            if entry.user_id == FORGOTTEN:
                assert first.state is not State.QUEUED
            if entry.message_id in walk.delivered:
                assert (first.outcome, second.outcome) in (("known", "known"), ("new", "known"))
                assert first.outcome == "known" or entry.user_id == FORGOTTEN


@settings(max_examples=30)
@given(steps)
def test_random_interleavings(walk_steps):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk_and_forget(f"{folder}/journal.db", walk_steps))
