"""Session settings of a connection to a journal's server, and poolers that keep no session.

What a client sends while it connects has to be known to every pooler on the way: PgBouncer refuses all but a few
settings there. So a connection is made with its name alone, and the rest is set by its first statement.
"""

from __future__ import annotations

import asyncpg

from sprig_tui.journal.postgres.faults import SHARED_SESSION_ERRORS, pooler_error
from sprig_tui.journal.postgres.schema import SCHEMA

STATEMENT_TIMEOUT_S = 60.0
"""Seconds that a statement may take."""

CONNECT_SETTINGS = {"application_name": "sprig-tui"}
_SESSION_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "jit": "off",
    # what is read after a lock was waited for must be what stands there then
    "default_transaction_isolation": "read committed",
    # whoever stops in the middle of a transaction must not hold up the others
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "20000",
    "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1000)),
}
_SET_SESSION = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', false)" for name, value in _SESSION_SETTINGS.items()
)
_SELECT_BACKEND_PID = "SELECT pg_backend_pid()"


async def begin_session(connection: asyncpg.Connection) -> None:
    """Set what holds for as long as the connection is open; raises what the driver raises."""
    await connection.execute(_SET_SESSION)


async def check_session_pooling(first: asyncpg.Connection, second: asyncpg.Connection, url: str) -> None:
    """Raise JournalError where two connections have one process of the server between them.

    That is a pooler in transaction or statement mode: settings, LISTEN and prepared statements belong to a session,
    and such a pooler gives each transaction whichever session is free. `one` and `other` are idle, and used by nobody
    else meanwhile.
    """
    try:
        before = await first.fetchval(_SELECT_BACKEND_PID)
        shared = await second.fetchval(_SELECT_BACKEND_PID) == before
        if not shared:
            # a pooler with several sessions gave it another one: hold that, and see whether the first stays the same
            async with second.transaction():
                shared = (
                    await second.fetchval(_SELECT_BACKEND_PID) == before
                    or await first.fetchval(_SELECT_BACKEND_PID) != before
                )
    except SHARED_SESSION_ERRORS as error:
        raise pooler_error(url) from error
    if shared:
        raise pooler_error(url)
