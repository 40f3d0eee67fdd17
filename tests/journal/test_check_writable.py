"""Contract of `check_writable` and `oldest_queued`."""

from __future__ import annotations

import pytest

from sprig_tui.errors import JournalError
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State


async def test_check_writable_has_no_visible_effect(journal, entry):
    await journal.check_writable()
    await journal.add([entry()])
    cursor = (await journal.changes()).cursor
    await journal.check_writable()
    assert (await journal.changes(cursor)).deliveries == ()
    assert await journal.count(Query()) == 1


async def test_closed_journal_rejects_writes(journal):
    await journal.close()
    with pytest.raises(JournalError):
        await journal.check_writable()


async def test_oldest_queued_is_reported_by_environment(journal, entry, clock):
    assert await journal.oldest_queued() == {}
    first = clock.now()
    await journal.add([entry(), entry("development", reason="anonymous")])
    clock.advance(60)
    await journal.add([entry(), entry("staging")])
    assert await journal.oldest_queued() == {"production": first, "staging": first + 60_000}


async def test_oldest_queued_includes_retries_but_no_settled_deliveries(journal, entry, clock, claim, attempt):
    first = clock.now()
    await journal.add([entry()])
    taken = await claim()
    assert await journal.oldest_queued() == {}, "on the wire"
    later = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503), due_at=clock.now() + 30_000)
    await journal.settle(taken, (later,))
    clock.advance(10)
    await journal.add([entry()])
    assert await journal.oldest_queued() == {"production": first}
    clock.advance(60)
    while (taken := await claim()).lease:
        await journal.settle(taken, (Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt()),))
    assert await journal.oldest_queued() == {}
