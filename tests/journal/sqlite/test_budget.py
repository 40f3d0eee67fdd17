"""A search that runs out of its budget stops between two windows, and says where."""

from __future__ import annotations

import pytest

from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.sqlite import SQLiteJournal


@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_it_stops_after_each_window_and_finds_all(tmp_path, entry, search, direction, monkeypatch):
    monkeypatch.setattr("sprig_tui.journal.sqlite.looking._WINDOW", 10)
    monkeypatch.setattr("sprig_tui.journal.sqlite.looking.monotonic", iter(range(10_000)).__next__)
    async with SQLiteJournal(tmp_path / "journal.db") as journal:
        added = await journal.add([entry(answer="rare" if number % 40 == 7 else "4") for number in range(200)])
        found, calls = await search(journal, Query((Term("text", "rare"),)), direction)
    assert found == [one.id for one in added[7::40]]
    assert calls > 3
