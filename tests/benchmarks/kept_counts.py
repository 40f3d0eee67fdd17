"""Statistics: what keeping counts costs, and how long a million deliveries take to be shown.

    python tests/benchmarks/kept_counts.py [cost] [open] [--store sqlite] [--store postgres] [--rounds 20]

`cost`: rounds of 4,000 answers are added and delivered in two journals in turn, one of which keeps no counts; printed
are the medians of the ratios of CPU (with the server's) and of wall time, the counting of changed blocks included.
`open`: a journal of 1,000,000 deliveries of 40 surveys over 30 days; counts are made as after an upgrade, then read.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncpg
import psutil
from full_journal import entry, full_journal
from support.postgres_databases import create_database
from support.postgres_server import PostgresServer

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.postgres import PostgresJournal, migrate
from sprig_tui.journal.postgres.copy_from_sqlite import copy_journal
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.statistics import StatisticsRequest

ROUND_ROWS, CHUNK_ROWS = 4_000, 500
ROWS, SURVEYS, DAYS = 1_000_000, 40, 30
COUNTLESS_CLOSE_BOOKS = "INSERT INTO stale_counts(block, mark)"
MARKING_MODULES = ("add", "lanes", "settle", "tables")


@contextlib.contextmanager
def without_marks() -> Iterator[None]:
    """Writes to a file mark nothing."""
    with contextlib.ExitStack() as stack:
        for module in MARKING_MODULES:
            stack.enter_context(mock.patch(f"sprig_tui.journal.sqlite.{module}.mark_stale", return_value=None))
        yield


async def remove_marks(url: str) -> None:
    """Give a database functions that mark nothing."""
    connection = await asyncpg.connect(url)
    source = await connection.fetchval(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'close_books' AND pronargs = 5"
    )
    begin = source.index(COUNTLESS_CLOSE_BOOKS)
    await connection.execute(source[:begin] + source[source.index("INSERT INTO counts", begin) :])
    await connection.close()


async def deliver_round(journal: Journal, first: int) -> None:
    """Add and deliver answers, in requests of what fits one."""
    for start in range(first, first + ROUND_ROWS, CHUNK_ROWS):
        await journal.add([entry(number) for number in range(start, start + CHUNK_ROWS)])
        for environment in ("production", "development"):
            request = ClaimRequest(environment, events=500, payload_bytes=475_000, lease_ms=60_000)
            while (claim := await journal.claim(request)).lease:
                attempt = Attempt(started_at=journal.clock.now(), status=200, latency_ms=38, events=len(claim.ids))
                await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])


async def compare(name: str, journals: Mapping[str, Journal], rounds: int, server_cpu: Callable[[], float]) -> None:
    """Print the ratios of delivering with counts to delivering without."""
    base = random.SystemRandom().randrange(1 << 40)
    cpu: list[float] = []
    wall: list[float] = []
    for number in range(rounds):
        spent: dict[str, tuple[float, float]] = {}
        for kind in sorted(journals, reverse=bool(number % 2)):
            gc.collect()
            before = time.process_time() + server_cpu(), time.perf_counter()
            if kind == "with":
                await deliver_round(journals[kind], base + number * ROUND_ROWS)
                await journals[kind].keep_counts()
            else:
                with without_marks():
                    await deliver_round(journals[kind], base + number * ROUND_ROWS)
            spent[kind] = time.process_time() + server_cpu() - before[0], time.perf_counter() - before[1]
        cpu.append(spent["with"][0] / spent["without"][0])
        wall.append(spent["with"][1] / spent["without"][1])
    print(
        f"{name}: median of {rounds} pairs: CPU x{statistics.median(cpu):.3f}, wall x{statistics.median(wall):.3f}"
        f" ({spent['without'][0] / ROUND_ROWS * 1e6:.0f} us of CPU a delivery)"
    )


async def measure_cost(store: str, rounds: int) -> None:
    """Two journals of one kind."""
    if store == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            async with (
                SQLiteJournal(Path(folder) / "with.db") as one,
                SQLiteJournal(Path(folder) / "without.db") as other,
            ):
                await compare(store, {"with": one, "without": other}, rounds, lambda: 0.0)
        return
    with PostgresServer(durable=True) as server:
        urls = {kind: create_database(server.url()) for kind in ("with", "without")}
        for url in urls.values():
            await migrate(url)
        await remove_marks(urls["without"])

        def server_cpu() -> float:
            total = 0.0
            for process in [parent := psutil.Process(server.pid), *parent.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    total += times.user + times.system
            return total

        async with PostgresJournal(urls["with"]) as one, PostgresJournal(urls["without"]) as other:
            await compare(store, {"with": one, "without": other}, rounds, server_cpu)


def spread_journal(folder: Path) -> Path:
    """A copy of the full journal whose deliveries arrived over 30 days."""
    path = folder / "spread.db"
    shutil.copyfile(full_journal(ROWS), path)
    step, begin = DAYS * 86_400_000 // ROWS, time.time_ns() // 1_000_000 - DAYS * 86_400_000
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "UPDATE deliveries SET added_at = ? + id * ?, survey_id = 'survey ' || (id % ?)", (begin, step, SURVEYS)
        )
        # requests are in the order of the deliveries that they carried
        connection.execute(
            "UPDATE attempts SET started_at = ? + 1000 + ? * (? * id / (SELECT max(id) FROM attempts)),"
            " latency_ms = 20 + id * 37 % 900",
            (begin, step, ROWS),
        )
    return path


async def show_open(name: str, journal: Journal) -> None:
    """Print how long counting takes once, and reading each time."""
    begun, left, longest = time.perf_counter(), 1, 0.0
    while left:
        step = time.perf_counter()
        left = await journal.keep_counts(1)
        longest = max(longest, time.perf_counter() - step)
    print(f"{name}: all counts made in {time.perf_counter() - begun:.1f} s, the longest step {longest * 1000:.0f} ms")
    for unit, buckets in (("hour", 24), ("day", 30), ("hour", 720)):
        walls, cpus = [], []
        for _ in range(9):
            begun, cpu = time.perf_counter(), time.process_time()
            found = await journal.statistics(StatisticsRequest(unit=unit, buckets=buckets))
            walls.append(time.perf_counter() - begun)
            cpus.append(time.process_time() - cpu)
        print(
            f"{name}: {buckets} {unit}s: median {statistics.median(walls) * 1000:.0f} ms, at most"
            f" {max(walls) * 1000:.0f} ms, {statistics.median(cpus) * 1000:.0f} ms of this process's CPU"
            f" ({sum(found.totals.values()):,} deliveries, {found.recounted:,} of them counted now,"
            f" {len(found.surveys)} surveys)"
        )


async def measure_open(stores: list[str]) -> None:
    """One journal in a file, and a copy of it on a server."""
    with tempfile.TemporaryDirectory() as folder:
        path = spread_journal(Path(folder))
        begun = time.perf_counter()
        async with SQLiteJournal(path) as journal:
            print(f"sqlite: opened (and upgraded, if it was older) in {time.perf_counter() - begun:.2f} s")
            if "sqlite" in stores:
                await show_open("sqlite", journal)
        if "postgres" in stores:
            with PostgresServer(settings={"shared_buffers": "512MB", "max_wal_size": "8GB"}) as server:
                url = create_database(server.url())
                await migrate(url)
                await copy_journal(str(path), url, on_progress=lambda _: None)
                async with PostgresJournal(url) as journal:
                    await show_open("postgres", journal)


def main() -> None:
    """Measure the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["cost", "open"])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--store", action="append", choices=["sqlite", "postgres"])
    options = parser.parse_args()
    stores = options.store or ["sqlite", "postgres"]
    if "cost" in options.parts:
        for store in stores:
            asyncio.run(measure_cost(store, options.rounds))
    if "open" in options.parts:
        asyncio.run(measure_open(stores))


if __name__ == "__main__":
    main()
