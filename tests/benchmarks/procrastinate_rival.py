"""Jobs of procrastinate that do the same work (pip install procrastinate 'psycopg[binary]'), one request each.

As a process: `python procrastinate_rival.py DATABASE URL` is one worker; it says `ready`, begins at a line on its
input, and ends when there is nothing to do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

import httpx
import procrastinate
from shared_jobs import CHUNK_ENTRIES, Delivered, cpu_of, signal_workers, start_workers
from throughput import KEY

from sprig_tui.journal.records import NewDelivery

CONCURRENCY = 20
"""Jobs at a time in each worker: with one at a time it is three times slower."""


def make_app(database: str, url: str) -> tuple[procrastinate.App, Any]:
    """The app and its task, which sends one track call."""
    logging.getLogger("procrastinate").setLevel(logging.ERROR)  # it warns of scripts such as this
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))
    client = httpx.AsyncClient(auth=(KEY, ""), timeout=15)

    @app.task(name="deliver", queue="production")
    async def deliver(body: str) -> None:
        answer = await client.post(f"{url}/v1/track", content=body, headers={"Content-Type": "application/json"})
        answer.raise_for_status()

    return app, deliver


async def fill(database: str, entries: Sequence[NewDelivery]) -> float:
    """Make its schema, and defer a job for each entry; returns the seconds that deferring took."""
    app, deliver = make_app(database, "")
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        bodies = [{"body": entry.body.decode()} for entry in entries if not entry.reason]
        began = time.perf_counter()
        for start in range(0, len(bodies), CHUNK_ENTRIES):
            await deliver.batch_defer_async(*bodies[start : start + CHUNK_ENTRIES])
        return time.perf_counter() - began


def deliver(database: str, url: str, workers: int) -> Delivered:
    """Run all jobs with this many workers."""
    started = start_workers(__file__, database, url, workers)
    began = time.perf_counter()
    signal_workers(started)
    cpu = cpu_of(started)
    seconds = time.perf_counter() - began
    for one in started:
        one.communicate()
    return Delivered(seconds, cpu)


async def work(database: str, url: str) -> None:
    """One worker."""
    app, _ = make_app(database, url)
    async with app.open_async():
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        cpu = time.process_time()
        await app.run_worker_async(concurrency=CONCURRENCY, wait=False, install_signal_handlers=False)
        print(json.dumps({"cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
