"""Opening a journal by the place where it is: a file, or the address of a shared one."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.clock import Clock
    from sprig_tui.journal.contract import Journal


def open_journal(place: str | os.PathLike[str], *, clock: Clock | None = None) -> AbstractAsyncContextManager[Journal]:
    """A journal by its path, to be entered: `async with` opens it, and makes it where it is missing.

    Raises ConfigError for an address that this version does not know, JournalError when it cannot be opened.
    """
    text = os.fspath(place)
    scheme, separator, rest = text.partition("://")
    if separator and scheme not in ("file", "sqlite"):
        # The rest of an address may hold a password.
        raise ConfigError(
            f"this version keeps journals in SQLite files; it knows no {scheme[:20]}:// journals",
            hint="set journal.path, or leave the [journal] table out",
        )
    if separator:
        text = rest
    if not text:
        raise ConfigError("the journal's place is empty", hint="set journal.path, or leave the [journal] table out")
    from sprig_tui.journal.sqlite import SQLiteJournal

    return SQLiteJournal(text, clock=clock)
