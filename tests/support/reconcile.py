"""Reads a whole journal, and holds it against what it says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.journal.base import Journal
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import Delivery, State


async def deliveries(journal: Journal) -> AsyncIterator[Delivery]:
    """Every delivery, oldest first."""
    cursor, more = 0, True
    while more:
        page = await journal.page(MATCH_ALL, cursor=cursor, limit=1000, direction="newer")
        for one in page.deliveries:
            yield one
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor


async def read(place: str) -> dict[str, Delivery]:
    """The deliveries by message id; each stands there once, and the kept counts agree with the rows."""
    found: dict[str, Delivery] = {}
    async with open_journal(place) as journal:
        async for one in deliveries(journal):
            assert one.message_id not in found, one
            found[one.message_id] = one
        counts = await journal.counts()
    kept: Counter[State] = Counter()
    for by_state in counts.by_environment.values():
        kept.update({state: number for state, number in by_state.items() if number})
    assert kept == Counter(one.state for one in found.values()), "the kept counts agree with the rows"
    return found


async def by_answer(place: str) -> dict[str, State]:
    """The state of each answer by its text; an answer stands there once."""
    found = await read(place)
    answers = {one.answer: one.state for one in found.values()}
    assert len(answers) == len(found), "an answer stands there twice, under two message ids"
    return answers


async def until_nothing_queued(place: str) -> None:
    """Wait until every delivery has an end state; raises AssertionError when they stand still."""
    async with open_journal(place) as journal:
        newest = (await journal.page(MATCH_ALL, limit=1)).deliveries[0].id
        waited = await wait_until_settled(journal, IdRanges(range(1, newest + 1)), ["production"])
    assert not waited.queued, waited.stalls
