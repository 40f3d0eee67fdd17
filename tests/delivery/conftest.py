"""Fixtures of the engine's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.engine_bench import Bench, Watched

from sprig_tui.journal.sqlite import SQLiteJournal


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "journal.sqlite")
    async with made.journal:
        yield made


@pytest.fixture
def other_bench(bench: Bench) -> Bench:
    """Another process's view of the same journal; open its journal to use it."""
    other = Bench(bench.path)
    other.time = bench.time
    other.journal = Watched(SQLiteJournal(bench.path, clock=bench.time), bench.time)
    return other
