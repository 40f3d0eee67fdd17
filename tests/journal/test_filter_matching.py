"""Filter conditions: what each database finds is what the query's own evaluation finds."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clocks import InstantTiming

from sprig_tui.delivery.retention import RetentionWorker
from sprig_tui.journal.query import CONDITIONS, MATCH_ALL, Group, Query, Term
from sprig_tui.journal.records import Settlement, State
from sprig_tui.journal.retention import RetentionPolicy
from sprig_tui.journal.stored_query import decode_query, encode_query

URLS = ("https://api.segment.io", "https://events.eu1.segmentapis.com")
TEXTS = ("acct_1", "ACCT", "größe", "GRÖSSE", "Größe 100%", "slow", "%", "_", "1")


async def fill(journal, entry, claim, attempt, clock) -> None:
    """Deliveries in every state and in most combinations of what filters look at."""
    draw = random.Random(15)
    added = await journal.add(
        [
            entry(
                draw.choice(("production", "development")),
                user_id=draw.choice(("acct_1", "acct_12", "Acct_1", "Änne_1", "")),
                survey_name=draw.choice(("Checkout effort", "Größe 100%", "slow_1")),
                survey_id=draw.choice(("1", "5120")),
                answer=draw.choice(("slow", "GRÖSSE", "grösse", "4")),
                reason=draw.choice(("", "", "", "anonymous")),
                edited=draw.random() < 0.3,
                endpoint=draw.choice(("", "", "", URLS[1])),
                body=b"x" * draw.choice((200, 2_000)),
            )
            for _ in range(60)
        ]
    )
    ended: list[int] = []
    for number in range(14):
        clock.advance(60)
        taken = await claim(draw.choice(("production", "development")), events=5)
        if not taken.lease:
            continue
        state = draw.choice((State.DELIVERED, State.FAILED, State.QUEUED))
        one = replace(
            attempt({State.DELIVERED: 200, State.FAILED: 400, State.QUEUED: draw.choice((0, 503))}[state]),
            latency_ms=draw.choice((0.0, 38.0, 512.5, 1500.0)),
            endpoint=URLS[number % 2],
        )
        ids = taken.ids[:-1] or taken.ids
        due = clock.now() + draw.choice((0, 10**7))
        ended.append(clock.now())
        await journal.settle(taken, [Settlement(ids=ids, state=state, attempt=one, due_at=due)])
        if number % 4 == 3:
            await journal.requeue([ids[0]], as_new=number % 8 == 7)
    assert len(added) == 60
    policy = RetentionPolicy(content_ms=clock.now() - ended[len(ended) // 2])
    assert await RetentionWorker(journal, policy, timing=InstantTiming()).apply_if_due()


FIELD_VALUES: dict[str, st.SearchStrategy[str]] = {
    "status": st.sampled_from((*map(str, State), "200", "5xx")),
    "reason": st.sampled_from(("anonymous", "withdrawn")),
    "env": st.sampled_from(("production", "development", "other")),
    "survey": st.sampled_from(TEXTS),
    "survey-id": st.sampled_from(("1", "512", "5120", "*")),
    "user": st.sampled_from(("acct_1", "acct_1*", "ACCT*", "ÄNNE*", "*")),
    "id": st.sampled_from(("1", "7", "sprig-")),
    "origin": st.sampled_from(("1", "2", "20")),
    "endpoint": st.sampled_from(("segment", "EU1", URLS[0], f"={URLS[0]}", f"={URLS[0][:-1]}")),
    "is": st.sampled_from(tuple(CONDITIONS)),
    "attempts": st.sampled_from((">0", "=1", ">=2", "<1", "<=9999999999999")),
    "latency": st.sampled_from((">0", ">500", "<=512", "=38", ">=1500", "<40")),
    "size": st.sampled_from((">1000", "<=200", "=2000", ">99999999999")),
    "text": st.sampled_from(TEXTS),
}
TERMS = st.one_of(*(st.builds(Term, st.just(field), values, st.booleans()) for field, values in FIELD_VALUES.items()))
BRANCHES = st.recursive(
    st.lists(TERMS, min_size=1, max_size=3),
    lambda branch: st.lists(
        TERMS | st.builds(Group, st.lists(branch.map(tuple), min_size=1, max_size=3).map(tuple), st.booleans()),
        min_size=1,
        max_size=3,
    ),
    max_leaves=6,
)


async def test_a_database_finds_what_the_query_matches(journal, entry, claim, attempt, clock):
    await fill(journal, entry, claim, attempt, clock)
    await journal.set_lane("development", "paused", "look first", by="anna@build")
    rows = (await journal.page(MATCH_ALL, limit=1_000)).deliveries
    for name, condition in CONDITIONS.items():
        assert 0 < sum(map(condition, rows)) < len(rows), f"the journal shows nothing about is:{name}"
    queries: list[Query] = []

    # drawn first: hypothesis runs no coroutine, and the journal is the same for all
    @settings(max_examples=120, database=None, suppress_health_check=list(HealthCheck))
    @given(BRANCHES)
    def draw(branch):
        queries.append(Query(tuple(branch)))

    draw()
    for query in queries:
        expected = [row.id for row in rows if query.matches(row)]
        assert sorted((await journal.ids(query, limit=1_000)).ids) == expected, query
        assert decode_query(encode_query(query)) == query
    assert sum(any(query.matches(row) for row in rows) for query in queries) > 40, "most queries find something"
    for query in queries[:20]:
        expected = [row.id for row in rows if query.matches(row)]
        assert await journal.count(query) == len(expected)
        assert [row.id for row in (await journal.page(query, limit=1_000)).deliveries] == expected
        assert [row.id for row in await journal.get_many([row.id for row in rows], query)] == expected


@pytest.mark.parametrize("value", ["replayed", "edited"])
async def test_replays_and_edits_are_told(journal, entry, deliver, value):
    first, second, third = await journal.add([entry(), entry(edited=True), entry(reason="withdrawn")])
    await deliver()
    await journal.requeue([first.id, third.id])
    await deliver()
    found = (await journal.ids(Query((Term("is", value),)))).ids
    assert sorted(found) == ([first.id, third.id] if value == "replayed" else [second.id])
    assert (await journal.get(third.id)).delivery.replayed
    assert [one.status for one in (await journal.get(third.id)).history] == [200], "the mark is no request"


async def test_a_replay_job_keeps_its_groups(journal, entry, deliver):
    wanted = [one.id for one in await journal.add([entry(user_id="x"), entry(edited=True), entry(), entry()])]
    await deliver()
    either = Query((Group(((Term("user", "x"),), (Term("is", "edited"),))),), "user:x OR is:edited")
    job = await journal.start_replay(either)
    assert (job.total, job.filter) == (2, "user:x OR is:edited")
    done = await journal.step_replay(job.id)
    assert (done.state, done.queued) == ("done", 2)
    assert sorted((await journal.ids(Query((Term("is", "queued"),)))).ids) == wanted[:2]
