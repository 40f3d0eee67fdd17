"""Journal whose `add` waits until the test releases it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sprig_tui.journal.records import AddResult, NewDelivery
from sprig_tui.journal.sqlite import SQLiteJournal


class BlockedJournal(SQLiteJournal):
    """A real journal; `asked` is set by the first `add`, and `go` releases all of them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def add(self, entries: Sequence[NewDelivery], *, deadline: float | None = None) -> list[AddResult]:  # noqa: ARG002
        self.asked.set()
        await self.go.wait()
        return await super().add(entries)
