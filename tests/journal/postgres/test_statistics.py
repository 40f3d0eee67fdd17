"""Statistics in a database: after an upgrade, beside programs of the version before, and while others change it."""

from __future__ import annotations

import asyncpg
import pytest
from support.records import make_entry

from sprig_tui.journal.postgres import PostgresJournal, migrate, schema
from sprig_tui.journal.postgres import statistics as counting
from sprig_tui.journal.records import State
from sprig_tui.journal.statistics import StatisticsRequest

WEEK = StatisticsRequest(unit="day", buckets=7)


@pytest.fixture
async def connection(postgres_journal_url):
    opened = await asyncpg.connect(postgres_journal_url)
    await opened.execute("SET search_path = sprig_tui")
    yield opened
    await opened.close()


async def test_a_migrated_journal_is_counted_from_its_rows(postgres_url, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(schema, "SCHEMA_VERSION", 8)
        before.setattr(schema, "_FUNCTION_SCRIPTS", ())
        await migrate(postgres_url)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "SET search_path = sprig_tui; INSERT INTO environments(name) VALUES ('production');"
        " INSERT INTO deliveries(id, environment, state, priority, added_at, size, message_id, digest, reason, detail,"
        "  survey_id, survey_name, user_id, question_type, question_id, answer, answered_at, updated_at, source, line,"
        "  edited) SELECT n, 1, 1, 0, 1790000000000, 1, n::text, '', '', '', '7', 'Exit', 'u', '', '', '', 0, 0, '', 0,"
        "  false FROM generate_series(4000, 4200) AS s(n)"
    )
    assert (await migrate(postgres_url)).before == 8
    assert await connection.fetchval("SELECT array_agg(block ORDER BY block) FROM stale_counts") == [0, 1]
    await connection.close()
    async with PostgresJournal(postgres_url) as journal:
        request = StatisticsRequest(unit="day", buckets=2, until=1_790_000_000_000)
        found = await journal.statistics(request)
        assert (found.totals, found.recounted) == ({State.DELIVERED: 201}, 201)
        assert await journal.keep_counts(spared=0) == 0
        kept = await journal.statistics(request)
        assert (kept.buckets, kept.surveys, kept.recounted) == (found.buckets, found.surveys, 0)


async def test_what_a_program_of_the_version_before_removes_is_counted_again(postgres_journal_url, connection, clock):
    async with PostgresJournal(postgres_journal_url, clock=clock) as journal:
        await journal.add([make_entry(number) for number in range(5)])
        await journal.keep_counts(spared=0)
        assert (await journal.statistics(WEEK)).recounted == 0
        # as version 8 prunes: it names no deliveries
        async with connection.transaction():
            await connection.execute("DELETE FROM deliveries WHERE id = 1")
            await connection.execute("SELECT close_books('{1}'::integer[], '{0}'::smallint[], '{-1}'::bigint[], '{}')")
        found = await journal.statistics(WEEK)
        assert (found.totals, found.recounted) == ({State.QUEUED: 4}, 4)


async def test_a_change_while_a_block_is_counted_is_not_lost(postgres_journal_url, connection, clock):
    async with PostgresJournal(postgres_journal_url, clock=clock) as journal:
        await journal.add([make_entry(number) for number in range(5)])
        found = await counting.count_stale(connection, 0)
        assert found is not None
        await journal.withdraw([2])
        async with connection.transaction():
            assert not await counting.store_counts(connection, 0, found)
        assert (await journal.statistics(WEEK)).totals == {State.QUEUED: 4, State.WITHHELD: 1}


async def test_damaged_counts_are_found_and_made_new(postgres_journal_url, connection, clock):
    async with PostgresJournal(postgres_journal_url, clock=clock) as journal:
        await journal.add([make_entry(number) for number in range(5)])
        await journal.keep_counts(spared=0)
        assert (await journal.verify()).problems == ()
        await connection.execute("UPDATE deliveries SET user_id = '' WHERE id = 2")
        assert any("stats --recount" in one for one in (await journal.verify()).problems)
        await journal.recount()
        await journal.keep_counts(spared=0)
        assert (await journal.verify()).problems == ()
        assert (await journal.statistics(WEEK)).surveys[0].anonymous == 1
