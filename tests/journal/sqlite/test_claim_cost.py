"""Cost of a claim in steps of SQLite's virtual machine: independent of the length of the queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sprig_tui.journal.records import NewDelivery
from sprig_tui.journal.sqlite import claim as claims
from sprig_tui.journal.sqlite import schema
from sprig_tui.journal.sqlite.add import AddOperation

NOW = 1_790_000_000_000
WANTED = claims.ClaimRequest("production", 300, 475_000, 60_000, 0.0, "a worker")


def claim(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many deliveries were claimed, and at how many hundred steps of the machine."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection.set_progress_handler(step, 100)
    claimed = claims.claim_due(connection, WANTED, NOW)
    connection.set_progress_handler(None, 0)
    return len(claimed.ids), taken


@pytest.mark.parametrize("failed", ["none", "just now", "long ago"])
def test_claim_reads_as_many_rows_of_a_long_queue(
    tmp_path: Path, entry: Callable[..., NewDelivery], failed: str
) -> None:
    costs = []
    for number in (1_000, 20_000):
        connection = sqlite3.connect(tmp_path / f"{number}.db", isolation_level=None)
        schema.create_or_upgrade(connection, "journal.db")
        AddOperation(connection, NOW).add([entry() for _ in range(number)])
        if failed != "none":
            due = NOW - 10_000 if failed == "just now" else NOW - 600_000
            connection.execute("UPDATE deliveries SET due_at = ?", (due,))
        claimed, cost = claim(connection)
        connection.close()
        assert claimed == 300
        costs.append(cost)
    assert costs[1] <= 1.2 * costs[0]
