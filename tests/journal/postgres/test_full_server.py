"""Full disk of the server: writes are stored completely or not at all, and succeed once there is room."""

from __future__ import annotations

import asyncpg
import pytest

from sprig_tui.errors import JournalFullError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.postgres import PostgresJournal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State

# The server's own error, raised where it would be: at the first block that finds no room.
_FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION no_room();
"""


async def run(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": "sprig_tui"})
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


@pytest.mark.parametrize("table", ["deliveries", "ids", "packs", "counts"])
async def test_add_on_a_full_server_is_stored_completely_or_not_at_all(postgres_journal_url, entry, table):
    async with PostgresJournal(postgres_journal_url) as journal:
        await journal.add([entry()])
        await run(postgres_journal_url, _FULL.format(table=table))
        given = [entry(), entry()]
        with pytest.raises(JournalFullError, match="no room left"):
            await journal.add(given)
        assert await journal.count(Query()) == 1
        assert sum((await journal.counts()).by_environment["production"].values()) == 1
        await run(postgres_journal_url, f"DROP TRIGGER full_disk ON {table}")
        assert [one.outcome for one in await journal.add(given)] == ["new", "new"]


@pytest.mark.parametrize("table", ["deliveries", "attempts", "counts"])
async def test_settlement_is_written_once_the_server_has_room(postgres_journal_url, entry, attempt, table):
    async with PostgresJournal(postgres_journal_url) as journal:
        await journal.add([entry()])
        taken = await journal.claim(ClaimRequest("production", events=10, payload_bytes=475_000, lease_ms=60_000))
        await run(postgres_journal_url, _FULL.format(table=table))
        done = [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())]
        with pytest.raises(JournalFullError):
            await journal.settle(taken, done)
        assert (await journal.get(taken.ids[0])).history == ()
        await run(postgres_journal_url, f"DROP TRIGGER full_disk ON {table}")
        assert await journal.settle(taken, done) == 1
        assert (await journal.counts()).by_environment["production"] == {State.QUEUED: 0, State.DELIVERED: 1}
