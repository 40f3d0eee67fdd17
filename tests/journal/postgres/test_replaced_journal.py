"""Another journal at the URL of an open one: nothing may be stored in it."""

from __future__ import annotations

import asyncpg
import pytest

from sprig_tui.errors import JournalError, JournalLostError
from sprig_tui.journal.postgres import PostgresJournal


async def until_it_says_so(journal: PostgresJournal, entry) -> None:
    """Connections that ended are met first."""
    for _ in range(10):
        try:
            await journal.add([entry()])
        except JournalLostError:
            raise
        except JournalError:
            pass


async def test_replaced_journal_at_the_same_url_is_noticed(postgres_journal_url, entry):
    connection = await asyncpg.connect(postgres_journal_url)
    async with PostgresJournal(postgres_journal_url) as journal:
        await journal.add([entry()])
        await connection.execute("UPDATE sprig_tui.identity SET uuid = 'another'")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sprig-tui'"
        )
        with pytest.raises(JournalLostError, match="another journal took the place"):
            await until_it_says_so(journal, entry)
    await connection.close()
