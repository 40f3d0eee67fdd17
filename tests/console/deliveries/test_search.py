"""Delivery search over a real journal: matches, polls and cached rows."""

import pytest

from sprig_tui.console.deliveries import search as module
from sprig_tui.console.deliveries.search import DeliverySearch
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import State

FAILED = parse_filter("status:failed", now_ms=0)


async def found(search):
    await search.start()
    while not search.matches.complete:
        await search.search_more()
    return search.matches.slice(0, len(search.matches))


@pytest.fixture
def small(monkeypatch):
    """Few at a time, so that a test sees every stretch."""
    for name, value in (("INITIAL_ROWS", 3), ("CHUNK_ROWS", 4), ("MAX_CHANGES", 5), ("MAX_CACHED_ROWS", 20)):
        monkeypatch.setattr(module, name, value)


async def test_search_finds_matches_newest_first(journal, entry, settle, small):
    await journal.add([entry() for _ in range(10)])
    await settle(State.FAILED, events=5)
    search = DeliverySearch(journal, FAILED)
    await search.start()
    assert len(search.matches) == 3
    assert 0 < search.searched < 1
    assert await found(search) == [1, 2, 3, 4, 5]
    assert search.searched == 1


async def test_dense_journal_needs_no_search(journal, entry, small):
    await journal.add([entry() for _ in range(50)])
    search = DeliverySearch(journal, MATCH_ALL)
    await search.start()
    assert search.matches.complete
    assert (len(search.matches), search.total) == (50, 50)


async def test_pruned_deliveries_are_not_matches(journal, entry, settle, clock, small):
    await journal.add([entry() for _ in range(4)])
    await settle(events=4)
    await journal.add([entry("development")])
    await journal.add([entry() for _ in range(3)])
    await settle(events=3)
    await journal.add([entry()])
    clock.advance(60)
    await journal.prune(clock.now())
    assert await found(DeliverySearch(journal, MATCH_ALL)) == [5, 9]


async def test_search_of_an_empty_journal(journal):
    search = DeliverySearch(journal, MATCH_ALL)
    assert await found(search) == []
    assert (await search.poll()).is_empty


async def test_poll_reports_new_and_changed_deliveries(journal, entry, settle, small):
    await journal.add([entry() for _ in range(2)])
    search = DeliverySearch(journal, MATCH_ALL)
    await found(search)
    assert (await search.poll()).is_empty
    await journal.add([entry()])
    step = await search.poll()
    assert (step.new_matches, step.changed, step.positions_changed) == (1, (3,), True)
    await settle(events=1)
    step = await search.poll()
    assert (step.new_matches, step.changed, step.positions_changed) == (0, (1,), False)
    assert search.row(1).state is State.DELIVERED
    assert (await search.poll()).is_empty


async def test_poll_adds_and_drops_matches_of_changed_deliveries(journal, entry, settle, small):
    await journal.add([entry() for _ in range(3)])
    await settle(State.FAILED, events=1)
    search = DeliverySearch(journal, FAILED)
    assert await found(search) == [1]
    await settle(State.FAILED, events=1)
    step = await search.poll()
    assert (step.new_matches, step.positions_changed) == (0, True)
    assert search.matches.slice(0, 9) == [1, 2]
    await journal.requeue([1])
    assert (await search.poll()).positions_changed
    assert search.matches.slice(0, 9) == [2]
    assert not search.needs_restart


async def test_poll_after_too_many_changes_asks_for_a_reread(journal, entry, settle, small):
    await journal.add([entry()])
    everything, failed = DeliverySearch(journal, MATCH_ALL), DeliverySearch(journal, FAILED)
    await found(everything)
    await found(failed)
    await journal.add([entry() for _ in range(11)])
    await settle(State.FAILED, events=8)
    arrived = 0
    for _ in range(3):
        step = await everything.poll()
        assert step.reread_visible
        arrived += step.new_matches
    assert arrived == 11
    assert len(everything.matches) == 12
    assert not everything.needs_restart
    while not (await failed.poll()).is_empty:
        pass
    assert failed.needs_restart, "the first one failed too, but nobody told which of the older ones changed"
    assert failed.matches.slice(0, 99) == [2, 3, 4, 5, 6, 7, 8]


async def test_changes_during_the_search_are_reported_by_the_first_poll(journal, entry, small):
    await journal.add([entry() for _ in range(9)])
    search = DeliverySearch(journal, parse_filter("user:acct_88213", now_ms=0))
    await search.start()
    await journal.add([entry()])
    assert (await search.poll()).new_matches == 1
    while not search.matches.complete:
        await search.search_more()
    assert search.matches.slice(0, 99) == list(range(1, 11))


async def test_row_cache_is_bounded(journal, entry, small):
    await journal.add([entry() for _ in range(40)])
    search = DeliverySearch(journal, MATCH_ALL)
    await search.start()
    assert await search.read(range(1, 31)) == list(range(1, 31))
    assert search.row(30) is not None
    assert search.row(1) is None
    assert await search.read([29, 30]) == []
    assert await search.read([99]) == [99]
    assert search.is_removed(99)


async def test_next_failed_in_both_directions(journal, entry, settle, small):
    await journal.add([entry() for _ in range(6)])
    await settle(State.FAILED, events=1)
    await settle(events=3)
    await settle(State.FAILED, events=1)
    search = DeliverySearch(journal, MATCH_ALL)
    await found(search)
    assert await search.next_failed(1, older=False) == 5
    assert await search.next_failed(5, older=False) == 0
    assert await search.next_failed(6, older=True) == 5
    delivered = DeliverySearch(journal, parse_filter("status:delivered", now_ms=0))
    await found(delivered)
    assert await delivered.next_failed(2, older=False) == 0
