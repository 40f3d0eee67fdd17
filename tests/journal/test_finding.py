"""The contract of ids and rows."""

from __future__ import annotations

import pytest

from sprig_tui.journal.query import EVERYTHING, Query, Term
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


@pytest.mark.parametrize("direction", ["older", "newer"])
@pytest.mark.parametrize(
    "query", [EVERYTHING, FAILED, Query((Term("env", "production"),)), Query((Term("text", "q"),))]
)
async def test_ids_are_those_of_pages(journal, stored, query, direction):
    cursor, found = 0, []
    while True:
        part = await journal.ids(query, cursor=cursor, limit=7, direction=direction)
        found += part.ids
        if not part.more:
            break
        assert part.reached == part.ids[-1]
        cursor = part.reached
    page = await journal.page(query, limit=1000)
    expected = [one.id for one in page.deliveries]
    assert found == (expected[::-1] if direction == "older" else expected)


async def test_a_search_that_ran_to_the_end_says_how_far_it_came(journal, stored):
    assert (await journal.ids(FAILED)).reached == 1
    newer = await journal.ids(FAILED, cursor=stored[-1], direction="newer")
    assert (newer.ids, newer.more, newer.reached) == ((), False, stored[-1])


async def test_an_empty_journal_has_no_ids(journal):
    assert (await journal.ids(EVERYTHING)).ids == ()
    assert (await journal.ids(EVERYTHING, direction="newer")).more is False


async def test_rows_that_are_there_and_match(journal, stored):
    wanted = [stored[4], stored[1], 999_999, stored[0]]
    assert [row.id for row in await journal.rows(wanted)] == [stored[0], stored[1], stored[4]]
    assert [row.id for row in await journal.rows(wanted, FAILED)] == [stored[0], stored[4]]
    assert await journal.rows([]) == ()
