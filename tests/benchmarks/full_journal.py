"""Large journal for benchmarks: a million deliveries in every state, as traffic would have left them.

    python tests/benchmarks/full_journal.py [COUNT] [--accepted] [--repeats 100000]

`--accepted` also measures `Journal.accepted` and `accepted_ids` over all of it, in the file and in a copy of it on
PostgreSQL, before and after so many deliveries were replayed under their ids.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import resource
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.postgres_databases import create_database
from support.postgres_server import PostgresServer

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.postgres import PostgresJournal, migrate
from sprig_tui.journal.postgres.copy_from_sqlite import copy_journal
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal

CHUNK_ROWS = 2_000
SURVEYS = ("Checkout effort", "Onboarding", "Pricing page", "Search results", "NPS autumn")
TYPES = (("LIKERT", "4"), ("NPS", "9"), ("OPEN", "Slow on the last step, but it worked"), ("MULTIPLECHOICE", "Blue"))


def entry(number: int) -> NewDelivery:
    """An invented answer; one in fifty is anonymous."""
    kind, answer = TYPES[number % 4]
    # spread like the real ones, which are hashes: the journal counts on it
    message_id = f"sprig-{hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()}"
    body = b'{"messageId":"%b","userId":"acct_%d","event":"SDK - Submitted - Survey Response","properties":{}}'
    return NewDelivery(
        environment="production" if number % 3 else "development",
        message_id=message_id,
        digest=b"\0" * 8,
        reason="" if number % 50 else "anonymous",
        survey_id=str(number % 5),
        survey_name=SURVEYS[number % 5],
        user_id=f"acct_{number}" if number % 50 else "",
        question_type=kind,
        answer=answer,
        answered_at=1_760_000_000_000 + number,
        source="answers.jsonl",
        line=number,
        raw=b'{"response":4}',
        body=body % (message_id.encode(), number),
    )


async def _settle_all(journal: Journal, environment: str) -> None:
    turn = 0
    while True:
        claim = await journal.claim(ClaimRequest(environment, events=2_500, payload_bytes=475_000, lease_ms=60_000))
        if not claim.lease:
            return
        turn += 1
        at = time.time_ns() // 1_000_000
        settled = [
            Settlement(
                ids=claim.ids,
                state=State.DELIVERED,
                attempt=Attempt(started_at=at, status=200, latency_ms=38, events=len(claim.ids), outcome="delivered"),
            )
        ]
        if turn % 10 == 0:
            refused = Attempt(
                started_at=at,
                status=400,
                latency_ms=41,
                events=1,
                outcome="refused",
                error="http 400",
                excerpt='{"success":false}',
            )
            settled = [
                Settlement(ids=claim.ids[1:], state=State.DELIVERED, attempt=settled[0].attempt),
                Settlement(ids=claim.ids[:1], state=State.FAILED, attempt=refused, error="http 400"),
            ]
        await journal.settle(claim, settled)


async def fill_journal(journal: Journal, count: int) -> None:
    """Add the deliveries and settle them; takes about a minute and a half for a million on SQLite."""
    for start in range(1, count + 1, CHUNK_ROWS):
        await journal.add([entry(number) for number in range(start, min(count + 1, start + CHUNK_ROWS))])
    for environment in ("production", "development"):
        await _settle_all(journal, environment)


async def fill(path: Path, count: int) -> None:
    """Write the journal in a file."""
    async with SQLiteJournal(path) as journal:
        await fill_journal(journal, count)


def full_journal(count: int = 1_000_000, folder: Path = Path("/tmp/sprig-tui-benchmarks")) -> Path:
    """The path of a journal with `count` deliveries; made when it is not there yet."""
    path = folder / f"journal-{count}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        making = folder / f"making-{count}.db"
        for old in folder.glob(f"making-{count}.db*"):
            old.unlink()
        print(f"making {path} ...", file=sys.stderr)
        asyncio.run(fill(making, count))
        making.rename(path)
    return path


async def _measure_accepted(journal: Journal, name: str) -> None:
    """Print the best of three, over a window that holds everything."""
    until = time.time_ns() // 1_000_000 + 60_000
    since = until - 30 * 86_400_000
    walls, cpus, id_walls = [], [], []
    for _ in range(3):
        begun, cpu = time.perf_counter(), time.process_time()
        bins = await journal.accepted("production", since=since, until=until)
        walls.append(time.perf_counter() - begun)
        cpus.append(time.process_time() - cpu)
        begun = time.perf_counter()
        ids = await journal.accepted_ids("production", since, until)
        id_walls.append(time.perf_counter() - begun)
    print(
        f"{name}: accepted {min(walls):.2f} s ({min(cpus):.2f} s of this process's CPU,"
        f" {len(bins):,} bins, {sum(one.first for one in bins):,} ids, {sum(one.sends for one in bins):,} sends);"
        f" accepted_ids {min(id_walls):.2f} s ({len(ids):,} ids);"
        f" peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
    )


async def _replay(journal: Journal, count: int) -> None:
    """Deliver the first so many of production again."""
    until = time.time_ns() // 1_000_000
    ids = (await journal.accepted_ids("production", 0, until))[:count]
    for start in range(0, len(ids), CHUNK_ROWS):
        await journal.requeue(ids[start : start + CHUNK_ROWS])
    await _settle_all(journal, "production")


async def measure_accepted(path: Path, repeats: int) -> None:
    """Measure both stores; the file itself is left as it is."""
    copy = path.with_suffix(".copy.db")
    shutil.copyfile(path, copy)
    try:
        with PostgresServer() as server:
            url = create_database(server.url())
            await migrate(url)
            await copy_journal(str(copy), url, on_progress=lambda _: None)
            for name, journal in (("sqlite", SQLiteJournal(copy)), ("postgres", PostgresJournal(url))):
                async with journal:
                    await _measure_accepted(journal, name)
                    await _replay(journal, repeats)
                    await _measure_accepted(journal, f"{name}, {repeats:,} replayed")
    finally:
        for old in copy.parent.glob(f"{copy.name}*"):
            old.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--accepted", action="store_true")
    parser.add_argument("--repeats", type=int, default=100_000)
    options = parser.parse_args()
    made = full_journal(options.count)
    print(made)
    if options.accepted:
        asyncio.run(measure_accepted(made, options.repeats))
