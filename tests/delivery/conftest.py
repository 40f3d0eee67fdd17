"""Fixtures of the engine's tests."""

import pytest
from support.engine_bench import Bench, Watched, bench

from sprig_tui.journal.sqlite import SQLiteJournal

__all__ = ["bench"]


@pytest.fixture
def other_bench(bench: Bench) -> Bench:
    """Another process's view of the same journal; open its journal to use it."""
    other = Bench(bench.path)
    other.time = bench.time
    other.journal = Watched(SQLiteJournal(bench.path, clock=bench.time), bench.time)
    return other
