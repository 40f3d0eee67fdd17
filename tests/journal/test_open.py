"""Pending journals: `async with` returns after the first failed attempt to open, and the opening goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sprig_tui.errors import JournalFullError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.open import PendingJournal


@asynccontextmanager
async def full() -> AsyncIterator[Journal]:
    raise JournalFullError("no room left")
    yield


async def test_pending_journal_enters_after_the_first_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprig_tui.journal.open.FIRST_OPEN_TIMEOUT_S", 1_000.0)
    messages: list[str] = []
    async with asyncio.timeout(30), PendingJournal(full, lambda error: messages.append(error.message)) as journal:
        assert not journal.is_open
        with pytest.raises(JournalFullError):
            await journal.journal.counts()
    assert messages == ["no room left"]
