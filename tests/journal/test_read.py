"""Contract of pages, counts, changes and filters."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Settlement, State


async def test_pages_in_both_directions_return_every_delivery_once(journal, entry):
    ids = [one.id for one in await journal.add([entry() for _ in range(25)])]
    seen, cursor = [], 0
    while True:
        page = await journal.page(Query(), cursor=cursor, limit=10)
        seen = [one.id for one in page.deliveries] + seen
        if not page.more:
            break
        cursor = page.deliveries[0].id
    assert seen == ids
    newer = await journal.page(Query(), cursor=ids[9], limit=10, direction="newer")
    assert [one.id for one in newer.deliveries] == ids[10:20]
    assert newer.more
    first = await journal.page(Query(), limit=3, direction="newer")
    assert [one.id for one in first.deliveries] == ids[:3]
    end = await journal.page(Query(), cursor=ids[-1], direction="newer")
    assert (end.deliveries, end.more) == ((), False)


@pytest.fixture
async def mixed(journal, entry, claim, attempt, clock):
    """Deliveries to filter: names by what they are."""
    clock.advance(10)
    added = await journal.add(
        [
            entry(survey_name="Checkout effort", survey_id="5120", user_id="acct_1", answer="slow shipping"),
            entry(survey_name="Größe 100%", survey_id="77", user_id="acct_2", answer="ÄRGER"),
            entry(survey_name="NPS", survey_id="9", user_id="", reason="anonymous", answer="9"),
        ]
    )
    taken = await claim()
    await journal.settle(
        taken,
        [
            Settlement(ids=(added[0].id,), state=State.DELIVERED, attempt=attempt()),
            Settlement(ids=(added[1].id,), state=State.FAILED, attempt=attempt(400), error="invalid_request: bad"),
        ],
    )
    clock.advance(10)
    (late,) = await journal.add([entry("development", user_id="acct_12", survey_name="nps", survey_id="10")])
    return {"delivered": added[0].id, "failed": added[1].id, "anonymous": added[2].id, "late": late.id}


FOUND_BY_TERMS = [
    ([("status", "failed")], {"failed"}),
    ([("status", "failed"), ("status", "withheld")], {"failed", "anonymous"}),
    ([("status", "queued")], {"late"}),
    ([("status", "delivered", True)], {"failed", "anonymous", "late"}),
    ([("status", "2xx")], {"delivered"}),
    ([("status", "400")], {"failed"}),
    ([("reason", "anonymous")], {"anonymous"}),
    ([("env", "development")], {"late"}),
    ([("survey", "5120")], {"delivered"}),
    ([("survey", "nps")], {"anonymous", "late"}),
    ([("survey", "größe")], {"failed"}),
    ([("survey", "100%")], {"failed"}),
    ([("survey", "1_0")], set()),
    ([("user", "acct_1")], {"delivered"}),
    ([("user", "acct_1*")], {"delivered", "late"}),
    ([("text", "SLOW"), ("text", "checkout")], {"delivered"}),
    ([("text", "slow"), ("text", "nps")], set()),
    ([("text", "ärger")], {"failed"}),
    ([("text", "invalid_req")], {"failed"}),
    ([("text", "nps"), ("env", "development", True)], {"anonymous"}),
    ([("survey", "5120"), ("env", "development")], set()),
]


async def test_page_returns_deliveries_that_match_the_filter(journal, mixed):
    found, counted = [], []
    for terms, _ in FOUND_BY_TERMS:
        query = Query(tuple(Term(*term) for term in terms))
        ids = {one.id for one in (await journal.page(query)).deliveries}
        found.append((terms, {name for name, number in mixed.items() if number in ids}))
        counted.append((terms, await journal.count(query)))
    assert found == FOUND_BY_TERMS
    assert counted == [(terms, len(expected)) for terms, expected in FOUND_BY_TERMS]


async def test_page_filters_by_id_message_id_and_time(journal, mixed, clock):
    one = (await journal.get(mixed["failed"])).delivery
    for value in (str(one.id), one.message_id, one.message_id[:20]):
        page = await journal.page(Query((Term("id", value),)))
        assert [found.id for found in page.deliveries] == [one.id], value
    middle = str(clock.now() - 5000)
    assert await journal.count(Query((Term("since", middle),))) == 1
    assert await journal.count(Query((Term("until", middle),))) == 3


async def test_page_filters_by_time_of_the_last_answered_request(journal, entry, claim, attempt, clock):
    sent = {}
    for name, status in (("first", 200), ("refused", 400), ("unanswered", 0), ("second", 200)):
        clock.advance(60)
        (added,) = await journal.add([entry()])
        taken = await claim()
        state = {200: State.DELIVERED, 400: State.FAILED}.get(status)
        one = replace(attempt(status), latency_ms=38.7)
        await journal.settle(taken, [Settlement(ids=(added.id,), state=state, attempt=one, due_at=clock.now() + 10**9)])
        sent[name] = (added.id, clock.now() + 38)
    await journal.add([entry()])
    everything = (await journal.ids(Query())).ids

    async def found(*terms: tuple) -> set[str]:
        query = Query(tuple(Term(field, str(value), *rest) for field, value, *rest in terms))
        matching = set((await journal.ids(query)).ids)
        rows = await journal.get_many(everything)
        assert {row.id for row in rows if query.matches(row)} == matching, "the same by the records as by the store"
        return {name for name, (number, _) in sent.items() if number in matching}

    at = {name: time for name, (_, time) in sent.items()}
    assert await found(("sent-since", at["refused"])) == {"refused", "second"}
    assert await found(("sent-since", at["refused"] + 1)) == {"second"}
    assert await found(("sent-until", at["second"])) == {"first", "refused"}
    assert await found(("sent-since", at["first"]), ("sent-until", at["first"] + 1)) == {"first"}
    assert await found(("sent-since", 0, True)) == {"unanswered"}, "and the one that was never sent"


async def test_filtered_pages_return_every_match_once(journal, entry):
    added = await journal.add([entry(reason="anonymous" if number % 3 else "") for number in range(30)])
    query = Query((Term("status", "queued"),))
    first = await journal.page(query, limit=4)
    second = await journal.page(query, limit=100, cursor=first.deliveries[0].id)
    assert [one.id for one in (*second.deliveries, *first.deliveries)] == [one.id for one in added[::3]]
    assert await journal.count(query, cap=5) == 5


@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_search_with_a_budget_can_be_resumed(journal, entry, search, direction):
    added = await journal.add([entry(answer="rare" if number % 40 == 7 else "4") for number in range(200)])
    found, _ = await search(journal, Query((Term("text", "rare"),)), direction)
    assert found == [one.id for one in added[7::40]]


async def test_hostile_filter_values_are_only_values(journal, entry):
    await journal.add([entry()])
    for value in ("' OR 1=1 --", "%", "_x_", "\\", '"', "\x00", "🙂", "a" * 10_000):
        for field in ("survey", "user", "id", "text", "env", "reason"):
            assert await journal.count(Query((Term(field, value),))) == 0, (field, value)


async def test_changes_return_new_and_changed_deliveries(journal, entry, claim, attempt):
    start = await journal.changes()
    assert start.deliveries == ()
    assert (await journal.changes(start.cursor)).deliveries == ()
    first, second = await journal.add([entry(), entry()])
    one = await journal.changes(start.cursor)
    assert [(d.id, d.state) for d in one.deliveries] == [(first.id, State.QUEUED), (second.id, State.QUEUED)]
    taken = await claim(events=1)
    await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
    two = await journal.changes(one.cursor)
    assert [(d.id, d.state) for d in two.deliveries] == [(first.id, State.DELIVERED)]
    assert (await journal.changes(two.cursor)).deliveries == ()
    whole = await journal.changes(start.cursor)
    assert [d.id for d in whole.deliveries] == [first.id, second.id]


async def test_changes_report_an_overflow(journal, entry):
    start = await journal.changes()
    await journal.add([entry() for _ in range(30)])
    told = await journal.changes(start.cursor, limit=10)
    assert told.overflow
    assert len(told.deliveries) <= 10
    assert not (await journal.changes(told.cursor)).overflow


async def test_page_of_an_empty_journal(journal):
    assert await journal.get(1) is None
    assert (await journal.page(Query())).deliveries == ()
    assert await journal.replays() == []
    assert await journal.lanes() == {}
    assert await journal.count_by_state(1, 10) == {}
    assert await journal.count_queued(1, 10) == 0


async def test_changes_over_the_limit_report_an_overflow(journal, entry, deliver):
    await journal.add([entry() for _ in range(3)])
    start = await journal.changes()
    await deliver()
    await journal.add([entry() for _ in range(3)])
    assert (await journal.changes(start.cursor, limit=4)).overflow
    assert not (await journal.changes(start.cursor, limit=6)).overflow
