"""Benchmark of the journal on PostgreSQL, compared with SQLite and with procrastinate: same jobs, same machine.

    python tests/benchmarks/postgres.py [--jobs 20000] [--rounds 3] [--history 1000000]

PostgreSQL and SQLite sync to disk. Prints deliveries/s for 1, 2 and 4 worker processes to a sink of its own process,
CPU of workers and server, WAL per delivery, latencies of claim and settle, and what a long history does to them.
procrastinate is measured where it is installed: pip install procrastinate 'psycopg[binary]'.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncpg
import psutil
import shared_jobs
from latencies import Latencies, measure_latencies, write_history
from shared_jobs import Delivered
from support.postgres_databases import create_database, database_name, drop_database
from support.postgres_server import PostgresServer
from throughput import sink_process

from sprig_tui.journal.postgres import migrate
from sprig_tui.journal.records import NewDelivery

WORKERS = (1, 2, 4)


class Bench:
    """A server, a sink, and what is measured with them."""

    def __init__(self, server: PostgresServer, url: str, folder: Path, entries: Sequence[NewDelivery]) -> None:
        self.server = server
        self.url = url
        self.folder = folder
        self.entries = entries
        self._files = 0

    async def fresh(self, kind: str) -> str:
        """An empty place for jobs."""
        if kind == "sqlite":
            self._files += 1
            return str(self.folder / f"journal-{self._files}.db")
        place = create_database(self.server.url())
        if kind == "postgres":
            await migrate(place)
        return place

    def server_cpu(self) -> float:
        """Seconds of CPU that the server took, its ended processes included."""
        while True:
            try:
                main = psutil.Process(self.server.pid)
                each = [child.cpu_times() for child in main.children()]
            except psutil.NoSuchProcess:
                continue  # one ended between two looks; what it took is the main process's account now
            own = main.cpu_times()
            ended = own.children_user + own.children_system
            return float(ended + sum(times.user + times.system for times in (own, *each)))

    async def wal(self, *, checkpoint: bool = False) -> int:
        """Where the write-ahead log is, in bytes."""
        connection = await asyncpg.connect(self.server.url())
        try:
            if checkpoint:
                await connection.execute("CHECKPOINT")
            return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
        finally:
            await connection.close()

    async def run(self, kind: str, workers: int) -> dict[str, float]:
        """Fill, deliver, and look that the sink got each event exactly once."""
        place = await self.fresh(kind)
        shared_jobs.forget(self.url)
        before, again = shared_jobs.taken(self.url), shared_jobs.repeats(self.url)
        start = await self.wal(checkpoint=True)
        if kind == "procrastinate":
            import procrastinate_rival

            filling = await procrastinate_rival.fill(place, self.entries)
        else:
            filling = await shared_jobs.fill(place, self.entries)
        filled, cpu = await self.wal(), self.server_cpu()
        if kind == "procrastinate":
            done = await asyncio.to_thread(procrastinate_rival.deliver, place, self.url, workers)
        else:
            done = await shared_jobs.deliver(place, self.url, workers)
        cpu = self.server_cpu() - cpu
        delivered = shared_jobs.taken(self.url) - before
        if delivered != len(self.entries) or shared_jobs.repeats(self.url) != again:
            raise SystemExit(f"{kind}, {workers} workers: {delivered} of {len(self.entries)} came, or some came twice")
        ended = await self.wal()
        if kind != "sqlite":
            drop_database(self.server.url(), place)
        return self._figures(done, filling, cpu, filled - start, ended - filled)

    def _figures(self, done: Delivered, filling: float, cpu: float, wal_in: int, wal_out: int) -> dict[str, float]:
        number = len(self.entries)
        return {
            "add": number / filling,
            "rate": number / done.seconds,
            "worker_us": done.cpu / number * 1e6,
            "server_us": cpu / number * 1e6,
            "wal_in": wal_in / number,
            "wal_out": wal_out / number,
        }


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Figure by figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


async def throughput(bench: Bench, rounds: int, rival_jobs: int) -> None:
    """Deliveries per second, by store and number of workers; one round after the other, each with every store."""
    kinds = ["sqlite", "postgres"]
    if importlib.util.find_spec("procrastinate") and rival_jobs:
        kinds.append("procrastinate")
    else:
        print("procrastinate is not installed, and so not measured: pip install procrastinate 'psycopg[binary]'")
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    whole = bench.entries
    for turn in range(rounds):
        for workers in WORKERS:
            for kind in kinds:
                if kind == "procrastinate" and turn:
                    continue
                bench.entries = whole[:rival_jobs] if kind == "procrastinate" else whole
                runs.setdefault((kind, workers), []).append(await bench.run(kind, workers))
    bench.entries = whole
    found = {key: medians(each) for key, each in runs.items()}
    print(f"{'':24}{'deliveries/s':>13}  {'of 1 worker':>11}  {'us CPU worker':>13}  {'server':>7}  spread")
    for kind in kinds:
        for workers in WORKERS:
            one, each = found[kind, workers], runs[kind, workers]
            print(
                f"{kind + f', {workers} worker' + 's' * (workers > 1):24}{one['rate']:>11,.0f}/s"
                f"  {one['rate'] / found[kind, 1]['rate']:>10.2f}x  {one['worker_us']:>13.0f}"
                f"  {one['server_us'] if kind != 'sqlite' else 0:>7.0f}  "
                + "/".join(f"{run['rate']:,.0f}" for run in each)
            )
    for kind in kinds:
        one = found[kind, 1]
        print(f"{kind}: {one['add']:,.0f} added/s", end="")
        print(
            f"; WAL right after a checkpoint: {one['wal_in']:,.0f} B to add, {one['wal_out']:,.0f} B to deliver"
            if kind != "sqlite"
            else ""
        )
    for workers in WORKERS:
        ours = found["postgres", workers]["rate"]
        print(f"{workers} workers: PostgreSQL / SQLite {ours / found['sqlite', workers]['rate']:.2f}", end="")
        print(
            f", PostgreSQL / procrastinate {ours / found['procrastinate', workers]['rate']:.0f}"
            if "procrastinate" in kinds
            else ""
        )


def show(name: str, found: Latencies) -> None:
    """One line of latencies."""
    print(
        f"{name:34} claim p50 {found.claim_p50:6.2f} p99 {found.claim_p99:6.2f} ms"
        f"   settle p50 {found.settle_p50:6.2f} p99 {found.settle_p99:6.2f} ms   {found.rate:8,.0f} deliveries/s"
    )


async def latencies(bench: Bench, rounds: int) -> None:
    """Claim and settle by themselves, without a sink."""
    for batch in (500, 20):
        for kind in ("sqlite", "postgres"):
            found = []
            for _ in range(rounds):
                place = await bench.fresh(kind)
                found.append(await measure_latencies(place, bench.entries, batch))
                if kind == "postgres":
                    drop_database(bench.server.url(), place)
            show(f"{kind}, {batch} at a time", Latencies.of_all(found))


async def history(bench: Bench, rows: int, rounds: int) -> None:
    """The same with this many rows delivered before; the two alternate, so that both meet the same load."""
    long = await bench.fresh("postgres")
    seconds = await write_history(long, rows)
    connection = await asyncpg.connect(long)
    try:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
        size = await connection.fetchval("SELECT pg_database_size($1)", database_name(long))
    finally:
        await connection.close()
    print(f"history: {rows:,} delivered in {seconds:.0f} s, {size / rows:,.0f} B each on disk; then vacuumed")
    pairs = []
    for turn in range(rounds):
        short = await bench.fresh("postgres")
        entries = [entry_again(entry, turn) for entry in bench.entries]
        pairs.append([await measure_latencies(place, entries, 500, cpu=bench.server_cpu) for place in (short, long)])
        drop_database(bench.server.url(), short)
    without, beside = (Latencies.of_all([pair[side] for pair in pairs]) for side in (0, 1))
    show("postgres, no history", without)
    show(f"postgres, {rows:,} of history", beside)
    for name in ("claim_p50", "settle_p50", "server_us", "add_us"):
        ratios = [getattr(pair[1], name) / getattr(pair[0], name) for pair in pairs]
        print(
            f"  {name}: {statistics.median(ratios):.2f} of what it is without"
            f" (turn by turn {', '.join(f'{one:.2f}' for one in ratios)})"
        )


def entry_again(entry: NewDelivery, turn: int) -> NewDelivery:
    """The same answer of somebody else."""
    from msgspec.structs import replace

    from sprig_tui.segment.track import message_id

    return replace(entry, message_id=message_id("production", f"{entry.message_id}-{turn}", "again", "OPEN"))


async def measure(arguments: argparse.Namespace, server: PostgresServer, url: str, folder: Path) -> None:
    """All of it."""
    bench = Bench(server, url, folder, shared_jobs.make_entries(arguments.jobs))
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, PostgreSQL with fsync; {arguments.jobs:,} jobs")
    if "throughput" in arguments.parts:
        await throughput(bench, arguments.rounds, arguments.rival_jobs)
    if "latencies" in arguments.parts:
        await latencies(bench, arguments.rounds)
    if "history" in arguments.parts:
        await history(bench, arguments.history, arguments.rounds)


def main() -> None:
    """Start the server and the sink, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rival-jobs", type=int, default=20_000, help="Fewer, to wait less for procrastinate.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("parts", nargs="*", default=["throughput", "latencies", "history"])
    arguments = parser.parse_args()
    here, there = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(target=sink_process, args=(there,), daemon=True)
    sink.start()
    try:
        with tempfile.TemporaryDirectory() as folder, PostgresServer(durable=True) as server:
            asyncio.run(measure(arguments, server, here.recv(), Path(folder)))
    finally:
        sink.terminate()


if __name__ == "__main__":
    main()
