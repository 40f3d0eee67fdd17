"""Processes that share a server: its clock, notifications, the order in which ids and changes become visible."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from msgspec.structs import replace

from sprig_tui.clock import SystemClock
from sprig_tui.errors import JournalError, JournalUnreachableError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.postgres import PostgresJournal, connection, maintenance
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import LaneChange, Settlement, State


@pytest.fixture
async def both(postgres_journal_url):
    """Two processes' views of one journal."""
    async with PostgresJournal(postgres_journal_url) as one, PostgresJournal(postgres_journal_url) as other:
        yield one, other


async def test_times_are_those_of_the_server(both, monkeypatch):
    one, _ = both
    monkeypatch.setattr(SystemClock, "now", lambda _: 1_000_000)
    one._server.clock._synced_at = float("-inf")
    await one.counts()
    connection = await asyncpg.connect(one.url)
    there = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    await connection.close()
    assert abs(one.clock.now() - there) < 5_000


async def test_adds_and_lane_changes_are_notified(both, entry, attempt):
    one, other = both
    heard: asyncio.Queue = asyncio.Queue()
    end = other.subscribe(heard.put_nowait)
    async with asyncio.timeout(20):
        assert (await heard.get()).environment == "", "whoever begins to listen looks once"
        await one.add([entry(), entry()])
        assert (await heard.get()).environment == ""
        taken = await one.claim(ClaimRequest("production", events=1, payload_bytes=10_000, lease_ms=10_000))
        await one.settle(
            taken,
            [Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(429))],
            LaneChange(
                epoch=taken.lane.epoch,
                state="waiting",
                until=one.clock.now() + 60_000,
                reason=PauseReason.HTTP_ERROR,
                detail=PauseDetail(status=429),
            ),
        )
        notice = await heard.get()
        assert (notice.environment, notice.lane_closed) == ("production", True)
        assert notice.lane_epoch == taken.lane.epoch + 1
        await one.set_lane("production", "open")
        assert not (await heard.get()).lane_closed
    end()
    await one.set_lane("production", "paused")
    assert heard.empty()


async def test_listening_resumes_after_the_connection_is_lost(both, entry, monkeypatch):
    one, other = both
    heard: asyncio.Queue = asyncio.Queue()
    other.subscribe(heard.put_nowait)
    async with asyncio.timeout(30):
        await heard.get()
        connection = await asyncpg.connect(one.url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'LISTEN%'"
        )
        await connection.close()
        await heard.get()
        await one.add([entry()])
        await heard.get()


async def test_ids_become_visible_in_order(both, entry):
    """Ids are given out in one order and transactions end in another, unless somebody sees to it."""
    seen: list[int] = []
    done = asyncio.Event()

    async def follow():
        cursor = (await both[0].changes()).cursor
        while True:
            ended = done.is_set()
            told = await both[0].changes(cursor, limit=10_000)
            cursor = told.cursor
            seen.extend(one.id for one in told.deliveries)
            if ended:
                return

    async def write(journal):
        for _ in range(40):
            await journal.add([entry() for _ in range(3)])

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(journal) for journal in both for _ in range(3)))
    done.set()
    await following
    assert sorted(set(seen)) == [one.id for one in (await both[1].page(Query(), limit=10_000)).deliveries]


async def test_changes_are_complete_while_many_workers_settle(both, entry):
    one, other = both
    added = await one.add([entry() for _ in range(200)])
    cursor = (await one.changes()).cursor

    async def work(journal):
        while (
            taken := await journal.claim(ClaimRequest("production", events=2, payload_bytes=10_000, lease_ms=10_000))
        ).lease:
            await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)])

    working = asyncio.gather(*(work(journal) for journal in both for _ in range(3)))
    delivered: set[int] = set()
    while True:
        ended = working.done()
        told = await other.changes(cursor, limit=10_000)
        cursor = told.cursor
        delivered |= {row.id for row in told.deliveries if row.state is State.DELIVERED}
        if ended:
            break
    assert delivered == {item.id for item in added}


async def test_exhausted_pool_is_reported_and_recovers(both, monkeypatch):
    one, _ = both
    monkeypatch.setattr(connection, "POOL_TIMEOUT_S", 0.05)
    held = [await one._server._pool.acquire() for _ in range(connection.MAX_POOL_CONNECTIONS)]
    with pytest.raises(JournalUnreachableError, match="came free"):
        await one.counts()
    for taken in held:
        await one._server._pool.release(taken)
    await one.counts()


async def test_terminated_connections_are_replaced(both, entry):
    one, _ = both
    await one.add([entry()])
    connection = await asyncpg.connect(one.url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    for _ in range(3):
        try:
            assert await one.count(Query()) == 1
            break
        except JournalUnreachableError:
            continue
    else:
        pytest.fail("it did not come back")


async def test_closed_journal_is_named_in_the_error(postgres_journal_url):
    journal = PostgresJournal(postgres_journal_url)
    async with journal:
        pass
    with pytest.raises(JournalError, match="is closed"):
        await journal.counts()


async def test_read_only_server_is_reported(postgres_journal_url, entry):
    connection = await asyncpg.connect(postgres_journal_url)
    async with PostgresJournal(postgres_journal_url) as journal:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await journal._server._pool.expire_connections()
        with pytest.raises(JournalUnreachableError, match="takes no writes"):
            await journal.add([entry()])
        with pytest.raises(JournalUnreachableError, match="takes no writes"):
            await journal.check_writable()
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await journal.add([entry()])
    await connection.close()


async def test_environment_missing_after_a_reconnect_is_created_again(emptied_postgres_journal_url, clock, entry):
    """A restored backup, or a standby that lagged behind: answers must not be stored where nobody looks."""
    async with PostgresJournal(emptied_postgres_journal_url, clock=clock) as journal:
        await journal.add([entry()])
        connection = await asyncpg.connect(emptied_postgres_journal_url)
        await connection.execute(
            "TRUNCATE sprig_tui.environments, sprig_tui.lanes, sprig_tui.deliveries, sprig_tui.ids, sprig_tui.counts"
        )
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        while True:
            try:
                (added,) = await journal.add([entry()])
            except JournalUnreachableError:
                continue
            break
        assert [one.id for one in (await journal.page(Query())).deliveries] == [added.id]
        claim = await journal.claim(ClaimRequest("production", events=10, payload_bytes=10**6, lease_ms=1000))
        assert claim.ids == (added.id,)


async def test_prune_blocks_no_worker_and_deletes_only_old_deliveries(both, entry, attempt, monkeypatch):
    """While one process removes what ended long ago, another holds a row of it, and a third goes on delivering."""
    one, other = both
    monkeypatch.setattr(maintenance, "PRUNE_CHUNK_ROWS", 20)
    monkeypatch.setattr(maintenance, "PRUNE_SCAN_ROWS", 50)
    old = await one.add([entry() for _ in range(200)])
    claim = await one.claim(ClaimRequest("production", events=200, payload_bytes=10**6, lease_ms=10_000))
    ended = Settlement(ids=claim.ids, state=State.DELIVERED, attempt=replace(attempt(), started_at=1))
    await one.settle(claim, [ended])
    fresh = await one.add([entry() for _ in range(100)])
    connection = await asyncpg.connect(one.url)
    holding = connection.transaction()
    await holding.start()
    await connection.execute("SELECT 1 FROM sprig_tui.deliveries WHERE id = $1 FOR UPDATE", old[30].id)

    async def deliver():
        while (
            taken := await other.claim(ClaimRequest("production", events=5, payload_bytes=10_000, lease_ms=10_000))
        ).lease:
            await other.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])

    async with asyncio.timeout(15):
        pruned, _ = await asyncio.gather(one.prune(1_000_000), deliver())
    await holding.rollback()
    await connection.close()
    assert pruned.by_state == {State.DELIVERED: 199}, "what somebody holds is left for the next time"
    left = [row.id for row in (await one.page(Query(), limit=1000)).deliveries]
    assert left == [old[30].id, *(added.id for added in fresh)]
    assert (await one.counts()).by_environment["production"][State.DELIVERED] == 101
    assert (await one.prune(1_000_000)).by_state == {State.DELIVERED: 1}
