"""CPU cost of each stage of the pipeline, in microseconds per response (all threads).

    python tests/benchmarks/stages.py                     # 20,000 responses, seven rounds, the median of each stage

Each stage gets the output of the one before, in memory, and runs alone: the sums are the cost of the work without
switches between threads; `throughput.py` measures the whole pipeline. A large file of webhooks is read and mapped in
one step, and an engine claims what it adds in one step, instead of one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from throughput import KEY, write_input

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.mapping_job import MappedEnvironment, MappingJob, write_chunks
from sprig_tui.ingest.prefetch import MAX_CHUNK_ENTRIES
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.records import Attempt, Claim, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, TARGET_BATCH_BYTES
from sprig_tui.sprig.json_stream import DEFAULT_MAX_RECORD_BYTES
from sprig_tui.sprig.reader import read_responses

STAGES = ("reading", "mapping", "adding", "claiming", "settling")
COMBINED_STAGES = ("reading and mapping", "adding and claiming", "settling")


def environments() -> dict[str, Environment]:
    key = WriteKey(KEY)
    return {"production": Environment(name="production", write_key=key, sprig_environment_id="QmK7x2dTfa")}


def timed(took: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    """Run, and add the CPU time to the stage."""
    began = time.process_time()
    result = work()
    took[stage] = took.get(stage, 0.0) + time.process_time() - began
    return result


def read_and_map(path: Path) -> None:
    """What the mapping process does with a file."""
    environments = {"production": MappedEnvironment("QmK7x2dTfa")}
    job = MappingJob([os.fsencode(path)], DEFAULT_MAX_RECORD_BYTES, Rules(), environments, None)
    with Path(os.devnull).open("wb") as output:
        write_chunks(job, output)


async def measure_journal(took: dict[str, float], entries: EntryColumns, folder: str) -> None:
    """Add, claim and settle everything, each step measured alone."""
    async with SQLiteJournal(Path(folder) / "journal.db") as journal:
        began = time.process_time()
        for start in range(0, len(entries), MAX_CHUNK_ENTRIES):
            await journal.add(entries[start : start + MAX_CHUNK_ENTRIES])
        took["adding"] = time.process_time() - began
        took["claiming"] = took["settling"] = 0.0
        while True:
            began = time.process_time()
            claim = await journal.claim(
                ClaimRequest("production", events=MAX_BATCH_EVENTS, payload_bytes=TARGET_BATCH_BYTES, lease_ms=60_000)
            )
            claimed = time.process_time()
            took["claiming"] += claimed - began
            if not claim.lease:
                return
            await settle(journal, claim)
            took["settling"] += time.process_time() - claimed


async def settle(journal: SQLiteJournal, claim: Claim) -> None:
    attempt = Attempt(started_at=1, status=200, outcome="delivered", events=len(claim.ids))
    await journal.settle(claim, (Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt),))


async def measure_add_and_claim(took: dict[str, float], entries: EntryColumns, folder: str) -> None:
    """Add and claim everything in one step, measured alone."""
    wanted = ClaimRequest("production", MAX_BATCH_EVENTS, TARGET_BATCH_BYTES, 60_000, 0.0, "", len(entries))
    took["adding and claiming"] = 0.0
    async with SQLiteJournal(Path(folder) / "at-once.db") as journal:
        for start in range(0, len(entries), MAX_CHUNK_ENTRIES):
            began = time.process_time()
            _, claims = await journal.add_and_claim(entries[start : start + MAX_CHUNK_ENTRIES], (wanted,))
            took["adding and claiming"] += time.process_time() - began
            for claim in claims:
                await settle(journal, claim)


def run_round(path: Path) -> dict[str, float]:
    """CPU seconds by stage."""
    took: dict[str, float] = {}
    timed(took, "reading", lambda: deque(read_responses([path]), maxlen=0))
    records = list(read_responses([path]))
    builder = EntryBuilder(Rules(), environments())
    entries = timed(took, "mapping", lambda: list(builder.entries(records)))
    columns = EntryColumns.of(entries)  # as the mapping process hands them over
    timed(took, "reading and mapping", lambda: read_and_map(path))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_journal(took, columns, folder))
        asyncio.run(measure_add_and_claim(took, columns, folder))
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--responses", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "responses.jsonl"
        write_input(path, arguments.responses)
        rounds = [run_round(path) for _ in range(arguments.rounds)]
    medians = {}
    for stage in rounds[0]:
        found = [took[stage] / arguments.responses * 1e6 for took in rounds]
        medians[stage] = statistics.median(found)
        print(f"{stage:20} {medians[stage]:6.1f} us   ({min(found):.1f} to {max(found):.1f})")
    for way in (STAGES, COMBINED_STAGES):
        print(f"{sum(medians[stage] for stage in way):6.1f} us of CPU for each response: {', '.join(way)}")


if __name__ == "__main__":
    main()
