"""Searches that run out of their budget: they stop between two windows and can be resumed."""

from __future__ import annotations

import pytest

from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.sqlite import SQLiteJournal


@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_search_stops_after_each_window_and_finds_all(tmp_path, entry, search, direction, monkeypatch):
    monkeypatch.setattr("sprig_tui.journal.sqlite.read._PAGE_WINDOW_IDS", 10)
    monkeypatch.setattr("sprig_tui.journal.sqlite.read.monotonic", iter(range(10_000)).__next__)
    async with SQLiteJournal(tmp_path / "journal.db") as journal:
        added = await journal.add([entry(answer="rare" if number % 40 == 7 else "4") for number in range(200)])
        found, calls = await search(journal, Query((Term("text", "rare"),)), direction)
    assert found == [one.id for one in added[7::40]]
    assert calls > 3


@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_search_checks_the_clock_early_and_then_less_often(tmp_path, entry, direction, monkeypatch):
    monkeypatch.setattr("sprig_tui.journal.sqlite.read._MIN_WINDOW_IDS", 100)
    nothing = Query((Term("text", "nothing has this"),))
    async with SQLiteJournal(tmp_path / "journal.db") as journal:
        added = await journal.add([entry() for _ in range(2_000)])

        async def looked_through(*clock: float) -> int:
            monkeypatch.setattr("sprig_tui.journal.sqlite.read.monotonic", iter(clock).__next__)
            found = await journal.ids(nothing, direction=direction, budget_ms=40)
            assert found.more
            return added[-1].id - found.reached + 1 if direction == "older" else found.reached - added[0].id + 1

        assert await looked_through(0.0, 0.041) == 100
        assert await looked_through(0.0, 0.001, 0.002, 0.041) == 100 + 200 + 400
        assert await looked_through(0.0, 0.011, 0.022, 0.041) == 100 + 100 + 100
