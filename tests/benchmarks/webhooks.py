"""Throughput of webhooks, acknowledged and durable, compared with a bare starlette route that stores nothing.

    python tests/benchmarks/webhooks.py                      # 20,000 requests over 64 connections, three rounds in turn
    python tests/benchmarks/webhooks.py --close              # a connection per request, as Sprig's axios makes them
    python tests/benchmarks/webhooks.py --deliver            # with the engine inside, delivering to the fake Segment
    python tests/benchmarks/webhooks.py --against PYTHON     # compared with the sprig-tui of another Python

Server, clients and fake Segment are separate processes. The clients write ready-made requests over plain sockets and
read the responses to their end; a latency is from the first byte written to the last byte read. Each answer is another
one, and afterwards the journal is asked for each of them: every acknowledged one must be there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

BENCHMARK_TOKEN = "benchmark-token-0123456789"
KEY = "Zq8TbenchmarkKey0000000000000e1R"[:32]


def body(number: int, rng: random.Random) -> bytes:
    """One Answer Submitted; about 700 bytes."""
    answer = {
        "id": number,
        "environmentId": "QmK7x2dTfa",
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": f"2026-10-{1 + number % 28:02}T16:21:{number % 60:02}.{number % 1000:03}Z",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupUid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "question": "What slowed you down?",
        "questionType": "OPEN",
        "response": "the shipping form asked for my address again " * rng.randint(1, 4),
        "visitorId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "userId": f"acct_{number}",
        "email": f"mira{number}@example.com",
        "attributes": {"plan": "team", "company": "Northwind Traders", "seats": rng.randint(1, 900)},
        "triggeringEvent": "Checkout Completed",
    }
    return json.dumps(answer, separators=(",", ":")).encode()


def requests(number: int, seed: int, *, close: bool) -> list[bytes]:
    """Ready-made requests, with the headers that Sprig's have (facts/sprig.md 1)."""
    rng = random.Random(seed)
    made = []
    for index in range(number):
        raw = body(index, rng)
        head = (
            "POST /webhooks/production HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/plain, */*\r\n"
            f"content-type: application/json\r\nauthorization: Bearer {BENCHMARK_TOKEN}\r\n"
            f"user-agent: axios/0.21.2\r\ncontent-length: {len(raw)}\r\n"
            f"connection: {'close' if close else 'keep-alive'}\r\n\r\n"
        )
        made.append(head.encode() + raw)
    return made


# -- the clients -------------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """What the clients saw."""

    seconds: float
    latencies: list[float]
    statuses: dict[bytes, int]


async def drive(port: int, made: list[bytes], connections: int, *, close: bool) -> Run:
    """All requests over this many connections at once."""
    waiting = iter(made)
    latencies: list[float] = []
    statuses: dict[bytes, int] = {}

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        latencies.append(time.perf_counter() - begun)
        status = head[9:12]
        statuses[status] = statuses.get(status, 0) + 1

    async def client() -> None:
        reader, writer = None, None
        for request in waiting:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert reader is not None
            await exchange(reader, writer, request)
            if close:
                writer.close()
                writer = None

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return Run(time.perf_counter() - started, latencies, statuses)


def clients(port: int, number: int, seed: int, connections: int, close: bool, results: Any) -> None:
    """A process of clients."""
    made = requests(number, seed, close=close)
    asyncio.run(drive(port, made[:200], min(8, connections), close=close))  # warm; the journal knows these afterwards
    run = asyncio.run(drive(port, made[200:], connections, close=close))
    results.put(run)


# -- the servers -------------------------------------------------------------------------------------------------------


def serve_bare(port: int) -> None:
    """A starlette route on uvicorn, as anybody would write it, that reads the JSON and forgets it."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def webhook(request: Request) -> Response:
        await request.json()
        return JSONResponse({"queued": 1})

    app = Starlette(routes=[Route("/webhooks/{environment}", webhook, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False, http="h11", loop="asyncio")


def start_bare(port: int, _: Path, __: str) -> subprocess.Popen[bytes]:
    code = f"import runpy; runpy.run_path({__file__!r})['serve_bare']({port})"
    return subprocess.Popen([sys.executable, "-c", code])


def start_ours(port: int, home: Path, sink: str, python: str = sys.executable) -> subprocess.Popen[bytes]:
    """`sprig-tui listen`, the program itself, of this Python's installation or of another's."""
    home.mkdir(exist_ok=True)
    config = home / "config.toml"
    config.write_text(
        f'[environments.production]\nwrite_key = "{KEY}"\nwebhook_token = "{BENCHMARK_TOKEN}"\n'
        f'requests_per_second = 1000\nsprig_environment_id = "QmK7x2dTfa"\nendpoint = "{sink or "us"}"\n'
    )
    config.chmod(0o600)
    argv = [python, "-m", "sprig_tui", "listen", "--port", str(port), "--status-every", "0"]
    return subprocess.Popen(
        [*argv, *([] if sink else ["--no-engine"])],
        cwd=home,
        env={**os.environ, "SPRIG_TUI_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nothing listens on {port}")


# -- the measurement ---------------------------------------------------------------------------------------------------


def measured(start: Any, options: argparse.Namespace, seed: int, home: Path, sink: str) -> tuple[Run, float, float]:
    """One round: the clients' view, the server's CPU seconds, and its peak memory in MB."""
    port = free_port()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = start(port, home, sink)
    try:
        wait_for(port)
        results: Any = multiprocessing.Queue()
        arguments = (port, options.requests, seed, options.connections, options.close, results)
        process = multiprocessing.Process(target=clients, args=arguments)
        process.start()
        run: Run = results.get(timeout=600)
        process.join()
        between = resource.getrusage(resource.RUSAGE_CHILDREN)
    finally:
        peak = peak_mb(server.pid)
        server.terminate()
        server.wait(60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    clients_cpu = between.ru_utime + between.ru_stime - before.ru_utime - before.ru_stime
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - clients_cpu
    return run, cpu, peak


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def report(name: str, run: Run, cpu: float, peak: float) -> float:
    rate = len(run.latencies) / run.seconds
    ordered = sorted(run.latencies)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    statuses = ", ".join(f"{status.decode()} x {number:,}" for status, number in sorted(run.statuses.items()))
    print(
        f"{name:<14}{rate:>9,.0f}/s   p50 {1000 * p50:6.1f} ms   p99 {1000 * p99:6.1f} ms   max"
        f" {1000 * ordered[-1]:6.1f} ms   cpu {1e6 * cpu / len(ordered):5.0f} us each   peak {peak:4.0f} MB"
        f"   {statuses}",
        flush=True,
    )
    return rate


async def journaled(home: Path) -> int:
    from sprig_tui.journal.query import Query
    from sprig_tui.journal.sqlite import SQLiteJournal

    async with SQLiteJournal(home / "journal.db") as journal:
        return await journal.count(Query())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--close", action="store_true", help="a connection per request")
    parser.add_argument("--deliver", action="store_true", help="with the engine, to the fake Segment")
    parser.add_argument("--against", metavar="PYTHON", help="the rival is `listen` of this Python's installation")
    options = parser.parse_args()
    rival, start_rival = "bare route", start_bare
    if options.against:
        rival, start_rival = "its listen", partial(start_ours, python=options.against)
    ratios, cpu_ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        sink_process, sink = None, ""
        if options.deliver:
            port = free_port()
            sink_process = subprocess.Popen(
                [sys.executable, "-m", "sprig_tui", "sink", "--port", str(port), "--keep", "0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_for(port)
            sink = f"http://127.0.0.1:{port}"
        try:
            for turn in range(options.rounds):
                home = Path(folder) / str(turn)
                rivals = measured(start_rival, options, turn, Path(folder) / f"rival-{turn}", sink)
                ours = measured(start_ours, options, turn, home, sink)
                ratios.append(report("listen", *ours) / report(rival, *rivals))
                cpu_ratios.append(ours[1] / rivals[1])
                stored = asyncio.run(journaled(home))
                assert stored == options.requests, f"{stored} of {options.requests} are in the journal"
        finally:
            if sink_process is not None:
                sink_process.terminate()
                sink_process.wait(30)
    print(
        f"medians of {options.rounds}: {statistics.median(ratios):.2f} times the rate of {rival},"
        f" {statistics.median(cpu_ratios):.2f} of its CPU"
    )


if __name__ == "__main__":
    main()
