"""Benchmark of prune: nine tenths of a journal, while a worker adds and delivers.

    python tests/benchmarks/pruning.py [DELIVERIES] [--folder /tmp/sprig-tui-benchmarks] [--alone]

A copy of the full journal is pruned by a process of its own. Beside it this process adds 50 answers every 25 ms, claims
and settles them; with --alone nobody does. Printed are the seconds and the CPU of the prune, and how long an `add` took
in the seconds before it and during it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from full_journal import entry, full_journal

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal

ROUND_ROWS, ROUND_INTERVAL_S, SECONDS_BEFORE = 50, 0.025, 5.0
AGE_MS = 40 * 86_400_000
FIRST_NEW = 1 << 40
"""Number of the first answer that is added meanwhile."""


def aged_copy(path: Path, folder: Path, count: int) -> Path:
    """A copy in which the first nine tenths ended 40 days ago, with kept counts as workers leave them."""
    copy = folder / "pruned.db"
    shutil.copyfile(path, copy)
    last = count * 9 // 10
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("UPDATE deliveries SET added_at = added_at - ? WHERE id <= ?", (AGE_MS, last))
        connection.execute(
            "UPDATE attempts SET started_at = started_at - ?"
            " WHERE id IN (SELECT attempt FROM deliveries WHERE id <= ?)",
            (AGE_MS, last),
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return copy


async def prune(path: Path) -> None:
    """Prune what ended 30 days ago; prints what it took."""
    async with SQLiteJournal(path) as journal:
        begun = time.perf_counter()
        pruned = await journal.prune(journal.clock.now() - 30 * 86_400_000)
        wall = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    total, cpu = sum(pruned.by_state.values()), usage.ru_utime + usage.ru_stime
    print(f"pruned {total:,} in {wall:.1f} s, {cpu:.1f} s of CPU ({cpu / max(1, total) * 1e6:.1f} us each)", flush=True)


class Traffic:
    """A worker's adding and delivering."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._number = FIRST_NEW
        self.waits_ms: list[float] = []

    async def round(self) -> None:
        """Add and deliver some answers; then wait for the next time."""
        begun = time.perf_counter()
        journal, first = self._journal, self._number
        self._number += ROUND_ROWS
        await journal.add([entry(number) for number in range(first, first + ROUND_ROWS)])
        self.waits_ms.append((time.perf_counter() - begun) * 1000)
        for environment in ("production", "development"):
            claim = await journal.claim(ClaimRequest(environment, events=100, payload_bytes=475_000, lease_ms=60_000))
            if claim.lease:
                attempt = Attempt(started_at=journal.clock.now(), status=200, latency_ms=38, events=len(claim.ids))
                await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
        await asyncio.sleep(max(0.0, begun + ROUND_INTERVAL_S - time.perf_counter()))

    def show(self, name: str) -> None:
        """Print the waits since the last time."""
        waits = sorted(self.waits_ms) or [0.0]
        middle, high = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        print(
            f"add {name}: median {middle:.1f} ms, p99 {high:.1f} ms, at most {waits[-1]:.1f} ms ({len(waits):,} calls)"
        )
        self.waits_ms = []


async def measure(path: Path, *, alone: bool) -> None:
    """Prune in another process, with or without traffic in this one."""
    command = (sys.executable, __file__, "--prune", str(path))
    if alone:
        process = await asyncio.create_subprocess_exec(*command)
        await process.wait()
        return
    async with SQLiteJournal(path) as journal:
        traffic = Traffic(journal)
        until = time.perf_counter() + SECONDS_BEFORE
        while time.perf_counter() < until:
            await traffic.round()
        traffic.show("before")
        process = await asyncio.create_subprocess_exec(*command)
        while process.returncode is None:
            await traffic.round()
        traffic.show("during")


def main() -> None:
    """Measure, or be the process that prunes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sprig-tui-benchmarks"))
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--prune", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prune:
        asyncio.run(prune(options.prune))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = aged_copy(full_journal(options.count, options.folder), Path(folder), options.count)
        asyncio.run(measure(path, alone=options.alone))


if __name__ == "__main__":
    main()
