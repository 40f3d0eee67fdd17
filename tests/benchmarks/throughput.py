"""Throughput from file to acknowledged delivery, durable, compared with segment-analytics-python to the same sink.

    python tests/benchmarks/throughput.py                 # 20,000 responses, three rounds, ours and theirs in turn
    python tests/benchmarks/throughput.py --million       # 1,000,000 of ours, beside 20,000 before and after them

Each run is a process of its own, timed from after its imports (it sends one answer before) to the last acknowledgement:
the clock, and the CPU of all its threads and of the processes that it starts; peak memory is the sum of theirs. The
sink runs in another process, counting distinct message ids and keeping nothing. It is no bottleneck if a client that
sends ready-made bodies gets several times our rate out of it: that is measured first, in the same run. On a machine
that others use, trust the CPU and the pairs, not the rates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

SURVEYS = [(5120, "Checkout effort"), (5121, "Onboarding NPS"), (5140, "Feature feedback")]
QUESTIONS = [
    ("How easy was checkout?", "LIKERT", lambda r: r.randint(1, 5)),
    ("How likely are you to recommend us?", "NPS", lambda r: r.randint(0, 10)),
    ("What slowed you down?", "OPEN", lambda r: "the shipping form asked for my address again " * r.randint(1, 4)),
    ("Which of these did you use?", "MULTIPLESELECT", lambda r: r.sample(["Search", "Filters", "Wishlist"], 2)),
]
KEY = "Zq8TbenchmarkKey0000000000000e1R"[:32]


def webhook(number: int, rng: random.Random) -> dict[str, Any]:
    """One answer as Sprig's webhook would send it: about 900 bytes once mapped."""
    survey, name = rng.choice(SURVEYS)
    question, kind, answer = rng.choice(QUESTIONS)
    return {
        "id": number,
        "environmentId": "QmK7x2dTfa",
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": f"2026-10-{1 + number % 28:02}T16:21:{number % 60:02}.{number % 1000:03}Z",
        "surveyId": survey,
        "surveyName": name,
        "responseGroupUid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "question": question,
        "questionType": kind,
        "response": answer(rng),
        "visitorId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "userId": f"acct_{number}",
        "email": f"mira{number}@example.com",
        "attributes": {"plan": "team", "company": "Northwind Traders", "seats": rng.randint(1, 900), "role": "admin"},
        "triggeringEvent": "Checkout Completed",
    }


def write_input(path: Path, responses: int) -> None:
    """The input file, the same for every run of this size."""
    rng = random.Random(20261101)
    with path.open("w", encoding="utf-8") as file:
        for number in range(responses):
            file.write(json.dumps(webhook(number, rng), separators=(",", ":")) + "\n")


# -- the processes that are measured -----------------------------------------------------------------------------------


def run_ours(url: str, path: str, _: int) -> dict[str, float]:
    """Our pipe, by the public API: read, map, journal, deliver, wait."""
    from sprig_tui.config.environment import Environment, WriteKey
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.wait import wait_until_settled
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.ingest.ingest import ingest_records
    from sprig_tui.journal.records import State
    from sprig_tui.journal.sqlite import SQLiteJournal
    from sprig_tui.mapping.records import Rules
    from sprig_tui.sprig.reader import read_responses

    environment = Environment(
        name="production",
        write_key=WriteKey(KEY),
        endpoint=url,
        requests_per_second=1000,
        sprig_environment_id="QmK7x2dTfa",
    )
    environments = {"production": environment}

    async def pipe(folder: str) -> tuple[float, int]:
        started = time.perf_counter()
        async with SQLiteJournal(Path(folder) / "journal.db") as journal, Engine(journal, environments) as engine:
            result = await ingest_records(read_responses([path]), EntryBuilder(Rules(), environments), journal, engine)
            await wait_until_settled(journal, result.ids, result.environments, engine=engine)
            seconds = time.perf_counter() - started
            counts = await journal.counts()
        return seconds, counts.by_environment.get("production", {}).get(State.DELIVERED, 0)

    with tempfile.TemporaryDirectory() as folder:
        seconds, delivered = asyncio.run(pipe(folder))
    return {"seconds": seconds, "delivered": delivered}


def run_theirs(url: str, path: str, _: int) -> dict[str, float]:
    """The official client with its defaults, but a queue that holds all: a full one drops silently."""
    from segment.analytics.client import Client

    with Path(path).open(encoding="utf-8") as file:
        started = time.perf_counter()
        client = Client(KEY, host=url, max_queue_size=2_000_000)
        sent = 0
        for line in file:
            answer = json.loads(line)
            client.track(
                answer["userId"],
                "SDK - Submitted - Survey Response",
                {
                    "surveyName": answer["surveyName"],
                    "surveyId": answer["surveyId"],
                    "question": answer["question"],
                    "questionType": answer["questionType"],
                    "visitorId": answer["visitorId"],
                    "responseGroupId": answer["responseGroupUid"],
                    "response": answer["response"],
                    "email": answer["email"],
                    "attributes": answer["attributes"],
                    "triggeringEvent": answer["triggeringEvent"],
                },
                context={"integration": {"name": "sprig", "version": "1.0.0"}},
                message_id=f"sprig-{answer['responseGroupUid']}",
            )
            sent += 1
        client.flush()
        client.join()
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "delivered": sent}


def run_bare(url: str, path: str, responses: int) -> dict[str, float]:
    """Ready-made bodies over one raw socket: what the sink can take."""
    import socket

    body = (
        b'{"batch":['
        + b",".join(
            b'{"messageId":"bare-%032d","type":"track","event":"x","userId":"u","properties":{"filler":"%s"}}'
            % (n, b"x" * 780)
            for n in range(500)
        )
        + b"]}"
    )
    host, port = url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic WnE4VGJlbmNobWFya0tleTAwMDAwMDAwMDAwMDBlMVI6\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    requests = min(responses, 100_000) // 500
    with socket.create_connection((host, int(port))) as connection:
        started = time.perf_counter()
        for _ in range(requests):
            connection.sendall(head + body)
            answer = b""
            while b"}" not in answer:
                answer += connection.recv(65536)
            if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                raise SystemExit(f"the sink answered {answer[:200]!r}")
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "delivered": requests * 500}


RUNS = {"ours": run_ours, "theirs": run_theirs, "bare": run_bare}


def sink_process(ready: Any) -> None:
    """Sink in a process of its own: counts distinct ids, keeps nothing."""
    from sprig_tui.segment.sink import Sink, serve

    async def main() -> None:
        await serve(Sink(keep=0, count=True), stop=asyncio.Event(), on_ready=lambda sink: ready.send(sink.url))

    asyncio.run(main())


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(kind: str, url: str, path: Path, responses: int) -> dict[str, float]:
    """One run in a process of its own, with the system's account of it; the sink must have seen every id once."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/events", method="DELETE")).read()
    accepted = accepted_by(url)
    process = subprocess.Popen(
        [sys.executable, __file__, "--run", kind, "--url", url, "--input", str(path), "--responses", str(responses)],
        stdout=subprocess.PIPE,
    )
    peaks: dict[int, int] = {}
    while process.poll() is None:
        peaks |= peaks_kb(process.pid)
        time.sleep(0.02)
    if process.returncode or process.stdout is None:
        raise SystemExit(f"{kind}: ended with status {process.returncode}")
    figures = json.loads(process.stdout.read())
    figures["peak_mb"] = sum(peaks.values()) / 1024
    if kind != "bare":
        distinct = accepted_by(url) - accepted
        if not distinct == figures["delivered"] == responses:
            raise SystemExit(
                f"{kind}: {responses} responses, {figures['delivered']} sent, {distinct} distinct at the sink"
            )
    return figures


def peaks_kb(pid: int) -> dict[int, int]:
    """The most memory that a process and its children held so far, by process id; it only grows (Linux)."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return {}  # it has just ended
    peaks = {pid: int(found[1])} if found else {}
    for child in children:
        peaks |= peaks_kb(int(child))
    return peaks


def accepted_by(url: str) -> int:
    """Events that the sink took so far, repeats not counted."""
    return int(json.loads(urllib.request.urlopen(f"{url}/stats").read())["accepted"])


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def line(name: str, runs: list[dict[str, float]], responses: int) -> float:
    """Print the medians of some runs; returns the rate."""
    rate = statistics.median(run["delivered"] / run["seconds"] for run in runs)
    cpu = statistics.median(run["cpu"] / run["delivered"] * 1e6 for run in runs)
    memory = statistics.median(run["peak_mb"] for run in runs)
    spread = "/".join(f"{run['delivered'] / run['seconds']:,.0f}" for run in runs)
    print(f"{name:32} {responses:>9,}  {rate:>9,.0f}/s  {cpu:6.1f} us CPU/event  {memory:4.0f} MB peak   ({spread})")
    return rate


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--responses", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="also 1,000,000 of ours")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--input", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        with tempfile.TemporaryDirectory() as folder:
            one = Path(folder) / "one.jsonl"
            with Path(arguments.input).open() as file:
                one.write_text(file.readline())
            RUNS[arguments.run](arguments.url, str(one), 0)  # brings its imports in
        cpu = cpu_seconds()
        figures = RUNS[arguments.run](arguments.url, arguments.input, arguments.responses)
        figures["cpu"] = cpu_seconds() - cpu
        print(json.dumps(figures))
        return
    here, there = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(target=sink_process, args=(there,), daemon=True)
    sink.start()
    url = here.recv()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "responses.jsonl"
        write_input(path, arguments.responses)
        print(
            f"{os.cpu_count()} cores, Python {sys.version.split()[0]},"
            f" {path.stat().st_size / arguments.responses:.0f} B a record"
        )
        bare = line(
            "sink alone, ready-made bodies", [measure("bare", url, path, arguments.responses)], arguments.responses
        )
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(measure("ours", url, path, arguments.responses))
            theirs.append(measure("theirs", url, path, arguments.responses))
        rate = line("sprig-tui, durable", ours, arguments.responses)
        their_rate = line("segment-analytics-python", theirs, arguments.responses)
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
        print(
            f"ratio {statistics.median(ratios):.1f} (pair by pair: {', '.join(f'{one:.1f}' for one in ratios)});",
            end=" ",
        )
        print(f"the sink takes {bare / rate:.1f} times our rate, {bare / their_rate:.0f} times theirs")
        cpu_ratios = [a["cpu"] / b["cpu"] for a, b in zip(ours, theirs, strict=True)]
        print(
            f"CPU {statistics.median(cpu_ratios):.2f} of theirs"
            f" (pair by pair: {', '.join(f'{one:.2f}' for one in cpu_ratios)})"
        )
        if arguments.million:
            large = Path(folder) / "million.jsonl"
            write_input(large, 1_000_000)
            million = measure("ours", url, large, 1_000_000)
            after = [measure("ours", url, path, arguments.responses) for _ in range(arguments.rounds)]
            large_rate = line("sprig-tui, durable", [million], 1_000_000)
            after_rate = line("and the small one after it", after, arguments.responses)
            cpu = statistics.median(run["cpu"] / run["delivered"] for run in ours + after)
            print(
                f"1,000,000 at {large_rate / rate:.0%} of the rate of {arguments.responses:,} before it,"
                f" {large_rate / after_rate:.0%} of that after it;"
                f" {million['cpu'] / million['delivered'] / cpu:.0%} of the CPU for each"
            )
    sink.terminate()


if __name__ == "__main__":
    main()
