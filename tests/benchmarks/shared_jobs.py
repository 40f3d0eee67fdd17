"""Jobs shared by all stores: fills a journal and delivers from it with worker processes.

As a process: `python shared_jobs.py PLACE URL` is one worker; it says `ready`, begins at a line on its input, and at
the next drains and says what CPU it took.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from throughput import KEY, write_input

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.records import NewDelivery, State
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import read_responses

CHUNK_ENTRIES = 500
POLL_INTERVAL_S = 0.02


def environments(url: str) -> dict[str, Environment]:
    """One environment with a rate that limits nothing."""
    return {
        "production": Environment(
            name="production",
            write_key=WriteKey(KEY),
            endpoint=url,
            requests_per_second=1000,
            sprig_environment_id="QmK7x2dTfa",
        )
    }


def make_entries(number: int) -> list[NewDelivery]:
    """Mapped answers of about 900 bytes each, always the same."""
    intake = EntryBuilder(Rules(), environments("http://127.0.0.1:9"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        write_input(path, number)
        return [intake.entry(record) for record in read_responses([str(path)])]


def chunks(entries: Sequence[NewDelivery]) -> Iterator[Sequence[NewDelivery]]:
    """As many at a time as a receiver under load stores at once."""
    return (entries[start : start + CHUNK_ENTRIES] for start in range(0, len(entries), CHUNK_ENTRIES))


async def fill(place: str, entries: Sequence[NewDelivery]) -> float:
    """Add the entries; returns the seconds that it took."""
    async with open_journal(place) as journal:
        began = time.perf_counter()
        for some in chunks(entries):
            await journal.add(some)
        return time.perf_counter() - began


class Delivered(Struct, frozen=True):
    """What a run of workers took."""

    seconds: float
    cpu: float
    """Seconds of the workers, together; starting up left out."""


def start_workers(script: str, place: str, url: str, workers: int) -> list[subprocess.Popen[str]]:
    """Start this many processes of a script, and wait until each is up."""
    commands = [sys.executable, script, place, url]
    started = [
        subprocess.Popen(commands, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    return started


def signal_workers(workers: Sequence[subprocess.Popen[str]]) -> None:
    """Let them go on."""
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go on\n")
        one.stdin.flush()


def cpu_of(workers: Sequence[subprocess.Popen[str]]) -> float:
    """Hear what CPU they took, in seconds together."""
    total = 0.0
    for one in workers:
        assert one.stdout is not None
        total += json.loads(one.stdout.readline())["cpu"]
    return total


async def deliver(place: str, url: str, workers: int) -> Delivered:
    """Deliver what is queued with this many workers; all of them are up before the clock starts."""
    started = await asyncio.to_thread(start_workers, __file__, place, url, workers)
    async with open_journal(place) as journal:
        began = time.perf_counter()
        signal_workers(started)
        while True:
            if not (await journal.counts()).by_environment["production"].get(State.QUEUED, 0):
                break
            await asyncio.sleep(POLL_INTERVAL_S)
        seconds = time.perf_counter() - began
    signal_workers(started)
    cpu = await asyncio.to_thread(cpu_of, started)
    for one in started:
        one.communicate()
    return Delivered(seconds, cpu)


def taken(url: str) -> int:
    """Different events that the sink took so far."""
    return int(_stats(url)["accepted"])


def repeats(url: str) -> int:
    """Events that came to the sink more than once."""
    return int(_stats(url)["duplicates"])


def forget(url: str) -> None:
    """Let the sink take the same events again."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/events", method="DELETE")).read()


def _stats(url: str) -> Any:
    return json.loads(urllib.request.urlopen(f"{url}/stats").read())


async def warm_up(url: str) -> None:
    """Bring in what an engine needs: a worker runs for months, and its start is not what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_journal(f"{folder}/none.db") as journal, Engine(journal, environments(url)) as engine:
            await engine.drain(1.0)


async def work(place: str, url: str) -> None:
    """One worker."""
    await warm_up(url)
    async with open_journal(place) as journal:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        cpu = time.process_time()
        async with Engine(journal, environments(url)) as engine:
            await asyncio.to_thread(sys.stdin.readline)
            await engine.drain(10.0)
        print(json.dumps({"cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
