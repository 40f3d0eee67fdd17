"""Cost of tombstones: their size, and adding to a journal with 10,000,000 of them beside one without.

    python tests/benchmarks/tombstones.py [--count 10000000] [--rounds 20] [--store sqlite] [--store postgres]

Tombstones are made as pruning leaves them: random keys in chunks. Rounds of 10,000 new answers go to both journals in
turn; printed are the medians of the ratios of CPU (with the server's) and of wall time. The first round on SQLite
includes what a process pays once: look-ups without the filter, then reading it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import random
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncpg
import psutil
from full_journal import entry
from support.postgres_databases import create_database
from support.postgres_server import PostgresServer

from sprig_tui.journal.base import Journal
from sprig_tui.journal.postgres import PostgresJournal, migrate
from sprig_tui.journal.postgres import tombstone_filter as postgres_filter
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite import tombstone_filter as sqlite_filter
from sprig_tui.journal.tombstone_filter import Bitmap
from sprig_tui.journal.tombstones import FINGERPRINT_BYTES

CHUNK_ROWS = 2_000
ADDED = 10_000
MINUTE = 29_000_000


def fill_file(path: str, count: int) -> int:
    """Store tombstones and their filter; returns the bytes that they take."""
    before = Path(path).stat().st_size
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -800000")
        connection.execute("BEGIN")
        for _ in range(count // CHUNK_ROWS):
            keys = sorted(secrets.randbits(63) for _ in range(CHUNK_ROWS))
            connection.executemany(
                f"INSERT OR IGNORE INTO tombstones VALUES(?, 1, {MINUTE}, ?)",
                [(key, secrets.token_bytes(FINGERPRINT_BYTES)) for key in keys],
            )
        sqlite_filter.build(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(path).stat().st_size - before


async def fill_server(url: str, count: int) -> int:
    """Store tombstones and their filter; returns the bytes that they take."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET search_path = sprig_tui; SET synchronous_commit = off")
        for _ in range(20):
            await connection.execute(
                "INSERT INTO tombstones SELECT (random() * 9223372036854774784)::bigint, 1, $2,"
                " decode(substr(md5(random()::text), 1, $3), 'hex') FROM generate_series(1, $1::integer)"
                " ON CONFLICT DO NOTHING",
                count // 20,
                MINUTE,
                2 * FINGERPRINT_BYTES,
            )
        await connection.execute("VACUUM ANALYZE tombstones")
        bitmap, number, last = Bitmap.for_keys(count), 1, -1
        while number:
            number, last = await postgres_filter.scan_keys(connection, bitmap, last)
        async with connection.transaction():
            await postgres_filter.install(connection, bitmap, count, 0)
        size: int = await connection.fetchval(
            "SELECT pg_total_relation_size('tombstones') + pg_total_relation_size('tombstone_filter')"
        )
        return size
    finally:
        await connection.close()


async def compare(name: str, journals: Mapping[str, Journal], rounds: int, server_cpu: Callable[[], float]) -> None:
    """Print the ratios of adding with tombstones to adding without."""
    base = random.SystemRandom().randrange(1 << 40)
    cpu: list[float] = []
    wall: list[float] = []
    for number in range(rounds):
        chunks = [
            [entry(base + (number * ADDED + start + each)) for each in range(CHUNK_ROWS)]
            for start in range(0, ADDED, CHUNK_ROWS)
        ]
        spent: dict[str, tuple[float, float]] = {}
        for kind in sorted(journals, reverse=bool(number % 2)):
            gc.collect()
            before = time.process_time() + server_cpu(), time.perf_counter()
            for chunk in chunks:
                await journals[kind].add(chunk)
            spent[kind] = time.process_time() + server_cpu() - before[0], time.perf_counter() - before[1]
        cpu.append(spent["with"][0] / spent["without"][0])
        wall.append(spent["with"][1] / spent["without"][1])
        if not number:
            print(f"{name}: first round: CPU x{cpu[0]:.2f}, wall x{wall[0]:.2f}")
    print(f"{name}: median of {rounds} rounds: CPU x{statistics.median(cpu):.3f}, wall x{statistics.median(wall):.3f}")


async def measure_sqlite(count: int, rounds: int) -> None:
    """Two files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: str(Path(folder) / f"{kind}.db") for kind in ("with", "without")}
        for path in paths.values():
            async with SQLiteJournal(path) as journal:
                await journal.add([entry(1)])
        size = fill_file(paths["with"], count)
        print(f"sqlite: {count:,} tombstones take {size / 1e6:,.0f} MB, {size / count:.1f} bytes each")
        async with SQLiteJournal(paths["with"]) as one, SQLiteJournal(paths["without"]) as other:
            await compare("sqlite", {"with": one, "without": other}, rounds, lambda: 0.0)


async def measure_postgres(count: int, rounds: int) -> None:
    """Two databases of one server that syncs to disk."""
    with PostgresServer(durable=True, settings={"shared_buffers": "512MB", "max_wal_size": "8GB"}) as server:
        urls = {kind: create_database(server.url()) for kind in ("with", "without")}
        for url in urls.values():
            await migrate(url)
        size = await fill_server(urls["with"], count)
        print(f"postgres: {count:,} tombstones take {size / 1e6:,.0f} MB, {size / count:.1f} bytes each")

        def server_cpu() -> float:
            total = 0.0
            for process in [parent := psutil.Process(server.pid), *parent.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    total += times.user + times.system
            return total

        async with PostgresJournal(urls["with"]) as one, PostgresJournal(urls["without"]) as other:
            await compare("postgres", {"with": one, "without": other}, rounds, server_cpu)


def main() -> None:
    """Measure the stores that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--store", action="append", choices=["sqlite", "postgres"])
    options = parser.parse_args()
    for name in options.store or ["sqlite", "postgres"]:
        measure = measure_sqlite if name == "sqlite" else measure_postgres
        asyncio.run(measure(options.count, options.rounds))


if __name__ == "__main__":
    main()
