"""Messages of asyncpg that `errors` recognizes by their text: a new version may reword them."""

from __future__ import annotations

import asyncpg
import pytest

from sprig_tui.errors import JournalUnreachableError
from sprig_tui.journal.postgres.errors import is_lost_connection, journal_error


async def test_driver_message_for_a_closed_connection_is_recognized(postgres_url):
    connection = await asyncpg.connect(postgres_url)
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await connection.fetchval("SELECT $1::integer", 1, 2)
    assert not is_lost_connection(raised.value)
    await connection.close()
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await connection.execute("SELECT 1")
    assert is_lost_connection(raised.value)
    assert isinstance(journal_error(raised.value, postgres_url), JournalUnreachableError)
