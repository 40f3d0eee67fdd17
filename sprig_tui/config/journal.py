"""Opening a journal by the place where it is: a file, or the address of a shared one."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from sprig_tui.errors import ConfigError
from sprig_tui.journal.address import is_server_url

if TYPE_CHECKING:
    from sprig_tui.clock import Clock
    from sprig_tui.journal.contract import Journal


def open_journal(place: str | os.PathLike[str], *, clock: Clock | None = None) -> AbstractAsyncContextManager[Journal]:
    """A journal by its path or its address, to be entered: `async with` opens it, and makes a file that is missing.

    Raises ConfigError for an address that this version does not know, JournalError when it cannot be opened.
    """
    text = os.fspath(place)
    scheme, separator, rest = text.partition("://")
    if is_server_url(text):
        return _postgres_journal(text, clock)
    if separator and scheme not in ("file", "sqlite"):
        # The rest of an address may hold a password.
        raise ConfigError(
            f"there are no {scheme[:20]}:// journals: a journal is an SQLite file or a PostgreSQL database",
            hint="set journal.path, or journal.url = 'postgresql://...', or leave the [journal] table out",
        )
    if separator:
        text = rest
    if not text:
        raise ConfigError("the journal's place is empty", hint="set journal.path, or leave the [journal] table out")
    from sprig_tui.journal.sqlite import SQLiteJournal

    return SQLiteJournal(text, clock=clock)


def _postgres_journal(url: str, clock: Clock | None) -> AbstractAsyncContextManager[Journal]:
    try:
        from sprig_tui.journal.postgres import PostgresJournal
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigError(
            "journals on PostgreSQL need the package asyncpg", hint="pip install 'sprig-tui[postgres]'"
        ) from error
    return PostgresJournal(url, clock=clock)
