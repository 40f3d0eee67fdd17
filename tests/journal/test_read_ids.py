"""Contract of `ids` and `get_many`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprig_tui.journal.query import MATCH_ALL, Query, Term
from sprig_tui.journal.records import State

FAILED = Query((Term("status", "failed"),))


@pytest.fixture
async def stored(journal, entry, deliver):
    """Forty deliveries, those at even places failed."""
    stored = []
    for place in range(40):
        stored.append((await journal.add([entry()]))[0].id)
        await deliver(State.DELIVERED if place % 2 else State.FAILED)
    return stored


async def test_ids_are_the_same_as_those_of_pages(journal, stored):
    for query in (MATCH_ALL, FAILED, Query((Term("env", "production"),)), Query((Term("text", "q"),))):
        page = await journal.page(query, limit=1000)
        expected = [one.id for one in page.deliveries]
        for direction in ("older", "newer"):
            cursor, found = 0, []
            while True:
                part = await journal.ids(query, cursor=cursor, limit=7, direction=direction)
                found += part.ids
                if not part.more:
                    break
                assert part.reached == part.ids[-1]
                cursor = part.reached
            assert found == (expected[::-1] if direction == "older" else expected), (query, direction)


async def test_complete_search_returns_the_last_id_searched(journal, stored):
    assert (await journal.ids(FAILED)).reached == 1
    newer = await journal.ids(FAILED, cursor=stored[-1], direction="newer")
    assert (newer.ids, newer.more, newer.reached) == ((), False, stored[-1])


async def test_an_empty_journal_has_no_ids(journal):
    assert (await journal.ids(MATCH_ALL)).ids == ()
    assert (await journal.ids(MATCH_ALL, direction="newer")).more is False


async def test_get_many_returns_existing_matching_deliveries(journal, stored):
    wanted = [stored[4], stored[1], 999_999, stored[0]]
    assert [row.id for row in await journal.get_many(wanted)] == [stored[0], stored[1], stored[4]]
    assert [row.id for row in await journal.get_many(wanted, FAILED)] == [stored[0], stored[4]]
    assert await journal.get_many([]) == ()


async def test_origin_filter_finds_the_copies_of_a_delivery(journal, entry, deliver):
    given = entry(digest=b"1" * 8)
    other, origin = await journal.add([entry(), given])
    await deliver()
    revision, duplicate = await journal.add(
        [replace(given, digest=b"2" * 8, updated_at=9), replace(given, digest=b"3" * 8)]
    )
    (again,) = await journal.requeue([origin.id], as_new=True)
    (of_again,) = await journal.requeue([other.id], as_new=True)

    async def found(*terms: Term) -> list[int]:
        query = Query(terms)
        ids = sorted((await journal.ids(query)).ids)
        assert [one.id for one in (await journal.page(query)).deliveries] == ids
        assert await journal.count(query) == len(ids)
        everything = (await journal.ids(MATCH_ALL)).ids
        assert [one.id for one in await journal.get_many(everything, query)] == ids
        return ids

    made = [revision.id, duplicate.id, again.id]
    assert await found(Term("origin", str(origin.id))) == made
    assert await found(Term("origin", str(origin.id)), Term("origin", str(other.id))) == [*made, of_again.id]
    assert await found(Term("origin", str(origin.id)), Term("status", "withheld")) == [revision.id, duplicate.id]
    assert await found(Term("origin", str(origin.id), negated=True)) == [other.id, origin.id, of_again.id]
    assert await found(Term("origin", "999999")) == []
