"""Benchmark of filters: the first page of the console's log, and the whole search, on both stores.

    python tests/benchmarks/filters.py [DELIVERIES] [--postgres DELIVERIES] [--folder /tmp/sprig-tui-benchmarks]

A first page is what the console asks for after a key: up to 200 ids within its budget, and the rows of a screen. A full
screen is reached once 40 matches are found, or once it is certain that there are no more. The whole search is the sum
of its parts. Counts are kept first, as a worker keeps them: a search leaves out the blocks that they exclude.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from full_journal import full_journal
from support.postgres_databases import create_database
from support.postgres_server import PostgresServer

from sprig_tui.console.deliveries.search import DeliverySearch
from sprig_tui.errors import FilterError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.postgres import PostgresJournal, migrate
from sprig_tui.journal.postgres.copy_from_sqlite import copy_journal
from sprig_tui.journal.sqlite import SQLiteJournal

FILTERS = (
    "status:failed",
    "status:failed,withheld",
    "status:4xx",
    "status:429",
    "reason:withdrawn",
    "-status:delivered",
    "reason:anonymous",
    "env:production",
    'survey:"Pricing page"',
    "user:acct_5000",
    "user:acct_nobody",
    "user:acct_99*",
    "id:5000",
    "slow",
    "nothere",
    "since:1h status:failed",
    "env:development Blue -user:acct_1*",
    "status:failed OR reason:anonymous",
    "user:acct_5000 OR user:acct_7000",
    "env:production (status:4xx OR nothere)",
    "-(env:production OR reason:anonymous)",
    "is:retrying OR is:in-flight OR attempts:>2",
    "latency:>40ms OR size:>1kb",
    "(status:failed env:production) OR (is:replayed -env:production) OR to:eu",
)
RUNS = 5
SCREEN_ROWS = 40


async def measure(journal: Journal, name: str) -> None:
    """Print milliseconds of the first page (median, best, and CPU of this process), and seconds of the whole search."""
    print(name)
    for text in FILTERS:
        try:
            query = parse_filter(text, now_ms=time.time_ns() // 1_000_000)
        except FilterError:
            print(f"   {text:<75} is no filter here")
            continue
        pages: list[float] = []
        cpus: list[float] = []
        for _ in range(RUNS):
            search = DeliverySearch(journal, query)
            begun, cpu = time.perf_counter(), time.process_time()
            await search.start()
            await search.read(search.matches.slice(len(search.matches) - SCREEN_ROWS, len(search.matches)))
            pages.append(time.perf_counter() - begun)
            cpus.append(time.process_time() - cpu)
        found = len(search.matches)
        begun, longest, cpu = time.perf_counter(), 0.0, time.process_time()
        while not search.matches.complete and len(search.matches) < SCREEN_ROWS:
            await search.search_more()
        screen, screen_cpu = time.perf_counter() - begun + pages[-1], time.process_time() - cpu + cpus[-1]
        while not search.matches.complete:
            since = time.perf_counter()
            await search.search_more()
            longest = max(longest, time.perf_counter() - since)
        whole = time.perf_counter() - begun + pages[-1]
        print(
            f"   {text:<75} first {statistics.median(pages) * 1000:6.1f} ms (best {min(pages) * 1000:4.0f}, own CPU"
            f" {min(cpus) * 1000:4.0f}; {found:>3} rows), full screen {screen * 1000:6.0f} ms"
            f" (CPU {screen_cpu * 1000:5.0f}),"
            f" all {len(search.matches):>9,} in {whole:5.2f} s, longest part {longest * 1000:4.0f} ms",
            flush=True,
        )


async def keep_all_counts(journal: Journal) -> None:
    """Count what has changed, as the workers do."""
    while await journal.keep_counts():
        pass


async def main(count: int, on_postgres: int, folder: Path) -> None:
    """Measure SQLite with `count` deliveries, PostgreSQL with `on_postgres`."""
    if count:
        async with SQLiteJournal(full_journal(count, folder)) as journal:
            await keep_all_counts(journal)
            await measure(journal, f"SQLite, {count:,} deliveries")
    if on_postgres:
        with PostgresServer() as server:
            url = create_database(server.url())
            await migrate(url)
            await copy_journal(str(full_journal(on_postgres, folder)), url, on_progress=lambda _: None)
            async with PostgresJournal(url) as journal:
                await keep_all_counts(journal)
                await measure(journal, f"PostgreSQL, {on_postgres:,} deliveries")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--postgres", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sprig-tui-benchmarks"))
    options = parser.parse_args()
    asyncio.run(main(options.count, options.postgres, options.folder))
