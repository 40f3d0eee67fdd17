"""The journal that is waited for: whoever serves meanwhile begins once a first try has failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sprig_tui.config.journal import PendingJournal
from sprig_tui.errors import JournalFullError
from sprig_tui.journal.base import Journal


@asynccontextmanager
async def full() -> AsyncIterator[Journal]:
    raise JournalFullError("no room left")
    yield


async def test_a_first_try_that_fails_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprig_tui.config.journal.FIRST_OPEN_TIMEOUT_S", 1_000.0)
    told: list[str] = []
    async with asyncio.timeout(30), PendingJournal(full, lambda error: told.append(error.message)) as journal:
        assert not journal.is_open
        with pytest.raises(JournalFullError):
            await journal.journal.counts()
    assert told == ["no room left"]
