"""Vacuum: pruning shrinks files that were created with incremental vacuum."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest

from sprig_tui.journal.records import State
from sprig_tui.journal.sqlite import SQLiteJournal, schema


@pytest.mark.parametrize("older", [False, True])
async def test_prune_shrinks_the_file(tmp_path, entry, clock, monkeypatch, older):
    if older:
        monkeypatch.setattr(schema, "enable_vacuum", lambda _: None)
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        for _ in range(20):
            await journal.add([entry(reason="anonymous", raw=os.urandom(100_000)) for _ in range(5)])
        (kept,) = await journal.add([entry(raw=b"kept")])
    before = path.stat().st_size
    async with SQLiteJournal(path, clock=clock) as journal:
        clock.advance(60)
        assert (await journal.prune(clock.now())).by_state == {State.WITHHELD: 100}
        assert (await journal.get(kept.id)).raw == b"kept"
    assert (path.stat().st_size < before / 10) is not older
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
