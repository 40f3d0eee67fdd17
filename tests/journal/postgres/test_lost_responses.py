"""Connections lost just before the server's response: the write is stored, but the client does not know it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from support.cutting_proxy import CuttingProxy

from sprig_tui.errors import JournalUnreachableError
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.postgres import PostgresJournal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import LaneChange, NewDelivery, Settlement, State


@pytest.fixture
async def proxy(emptied_postgres_journal_url: str) -> AsyncIterator[CuttingProxy]:
    async with CuttingProxy(emptied_postgres_journal_url) as started:
        yield started


@pytest.fixture
async def journal(proxy, clock) -> AsyncIterator[PostgresJournal]:
    """A journal by way of the proxy, whose clock stands still: no lease runs out."""
    async with PostgresJournal(proxy.url, clock=clock) as opened:
        yield opened


@pytest.fixture
def look(emptied_postgres_journal_url: str):
    """Ask the server directly."""

    async def ask(question: str) -> object:
        connection = await asyncpg.connect(emptied_postgres_journal_url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return ask


async def test_claim_with_a_lost_connection_is_released(journal, proxy, entry, claim, look):
    await claim()
    added = await journal.add([entry() for _ in range(3)])
    proxy.cut_at_answer()
    with pytest.raises(JournalUnreachableError):
        await claim()
    assert proxy.cuts == 1
    assert await look("SELECT sum(n) FROM sprig_tui.leases") == 3, "the server made it"
    taken = await claim()
    assert taken.ids == tuple(one.id for one in added)
    assert await look("SELECT count(*) FROM sprig_tui.leases") == 1


async def test_probe_with_a_lost_response_does_not_block_the_lane(journal, proxy, entry, claim, attempt, look):
    await journal.add([entry(), entry()])
    taken = await claim(events=1)
    back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503))
    await journal.settle(
        taken,
        [back],
        LaneChange(
            epoch=taken.lane.epoch, state="waiting", reason=PauseReason.HTTP_ERROR, detail=PauseDetail(status=503)
        ),
    )
    proxy.cut_at_answer()
    with pytest.raises(JournalUnreachableError):
        await claim()
    assert await look("SELECT state FROM sprig_tui.lanes") == "probing"
    again = await claim()
    assert again.probe
    assert again.ids


async def test_lost_release_is_repeated(journal, proxy, entry, claim):
    added = await journal.add([entry() for _ in range(2)])
    taken = await claim(events=1)
    proxy.refuse()
    with pytest.raises(JournalUnreachableError):
        await journal.release(taken)
    proxy.accept()
    assert (await claim()).ids == tuple(one.id for one in added)


async def every_answer(proxy: CuttingProxy, work: Callable[[], Awaitable[object]]) -> AsyncIterator[int]:
    """Do the work again and again, each time with one answer later lost, until no answer is lost any more."""
    for number in itertools.count(1):
        cuts = proxy.cuts
        proxy.cut_at_answer(number)
        with contextlib.suppress(JournalUnreachableError):
            await work()
        proxy.cut_at_answer(0)
        if proxy.cuts == cuts:
            return
        yield number


async def test_add_repeated_after_a_lost_response_is_known(journal, proxy, entry):
    await journal.add([entry()])
    given: list[NewDelivery] = []

    async def add_more() -> None:
        given.extend(entry() for _ in range(3))
        await journal.add(given[-3:])

    async for _ in every_answer(proxy, add_more):
        again = await journal.add(given[-3:])
        assert len({one.id for one in again}) == 3
        assert await journal.count(Query()) == 1 + len(given)
    assert proxy.cuts >= 2, "at least one question and one change"
    assert await journal.count(Query()) == 1 + len(given)


async def test_settle_repeated_after_a_lost_response_is_recorded_once(journal, proxy, entry, claim, attempt):
    taken = []

    async def settle() -> None:
        await journal.settle(taken[-1], [Settlement(ids=taken[-1].ids, state=State.DELIVERED, attempt=attempt())])

    async def claim_one() -> None:
        await journal.add([entry()])
        taken.append(await claim(events=1))
        assert len(taken[-1].ids) == 1

    await claim_one()
    async for _ in every_answer(proxy, settle):
        await settle()
        counts = await journal.counts()
        assert counts.by_environment["production"][State.DELIVERED] == len(taken)
        assert counts.leased == {}
        assert len((await journal.get(taken[-1].ids[0])).history) == 1
        await claim_one()
    assert proxy.cuts >= 1


async def test_claim_with_a_lost_response_leaves_nothing_leased(journal, proxy, entry, claim, look):
    added = [one.id for one in await journal.add([entry() for _ in range(40)])]
    held: list[int] = []

    async def claim_one() -> None:
        held.extend((await claim(events=1)).ids)

    async for _ in every_answer(proxy, claim_one):
        pass
    assert proxy.cuts >= 2, "the claim, and the payload"
    held.extend((await claim()).ids)
    assert sorted(held) == added


async def test_claim_committed_after_its_release_is_released_again(
    journal, proxy, entry, claim, emptied_postgres_journal_url
):
    """The connection went while the statement was still on its way through the server."""
    first, second = await journal.add([entry(), entry()])
    proxy.cut_at_answer()
    with pytest.raises(JournalUnreachableError):
        await claim()
    (lease,) = journal.delivery.orphaned_leases
    assert (await claim(events=1)).ids == (first.id,)
    connection = await asyncpg.connect(emptied_postgres_journal_url)
    await connection.execute(
        "INSERT INTO sprig_tui.leases(id, environment, owner, until, length, probe, ids, n)"
        " SELECT $1, environment, owner, until, length, false, ARRAY[$2::bigint], 1 FROM sprig_tui.leases",
        lease,
        second.id,
    )
    await connection.execute("UPDATE sprig_tui.deliveries SET lease = $1 WHERE id = $2", lease, second.id)
    await connection.close()
    assert (await claim()).ids == (second.id,)


async def test_settle_takes_one_round_trip(journal, proxy, entry, claim, attempt):
    """It begins and ends there: no lock of it waits for us."""
    await journal.add([entry(), entry()])
    for cut in (0, 2):
        taken = await claim(events=1)
        proxy.cut_at_answer(cut)
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
        assert proxy.cuts == 0
    proxy.cut_at_answer(0)
    assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 0, State.DELIVERED: 2}
