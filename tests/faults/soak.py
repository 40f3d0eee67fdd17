"""By hand: a whole fleet on one journal, killed at random for minutes; in the end the account must come out even.

    python tests/faults/soak.py [--journal postgres|sqlite] [--minutes 10] [--every 4] [--seed 1]
                                   [--kill-server] [--freeze-server] [--no-consoles]

Three workers (`run`), two receivers (`listen`, which deliver too) and two consoles in pseudo-terminals (one delivers,
one only looks on), each with settings of its own as on a machine of its own. Webhooks come in all the time, some of
them twice, and files by `send`; the fake Segment misbehaves. Every few seconds one of the seven is killed with
SIGKILL and started again; with --kill-server the server is, too, every minute or so, and with --freeze-server it stands
still for a while. Then: accepted = delivered + failed + withheld, no answer is missing, none was delivered under two
ids, and what the journal calls delivered is what the fake Segment took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import reconcile
from support.fleet import Fleet, is_set
from support.postgres_databases import create_database, run_apart
from support.postgres_server import PostgresServer
from support.programs import Programs
from support.webhook_senders import Senders, anonymous, body, poison

from sprig_tui.errors import ExitCode
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.postgres import migrate
from sprig_tui.journal.records import State

MISBEHAVIOUR = (
    "400~poison",
    "503:4%",
    "429+retry-after=1:1%",
    "reset+accept:3%",
    "reset:2%",
    "close:2%",
    "truncate+accept:2%",
    "hang@every:97",
    "slow=0.05:10%",
    "html=502:2%",
)
MOST_EVENTS = 5_000_000
CLIENTS = 12
PAUSE_S = 0.04
"""Between two webhooks of a client: some 200 to 300 a second leave the two cores air for all the processes."""
FIRST_SENT = 10_000_000
"""Number of the first answer that comes by `send`."""
SENT_AT_ONCE = 200
SEND_EVERY_S = 5.0


async def disturb_server(server: PostgresServer, until: asyncio.Event, rng: random.Random, ways: list[str]) -> int:
    """Kill or freeze PostgreSQL now and then, and let it go on; returns how often."""
    times = 0
    while not await is_set(until, rng.uniform(30, 90)):
        if rng.choice(ways) == "kill":
            server.kill()
            await is_set(until, rng.uniform(0, 10))
            await asyncio.to_thread(server.start)
        else:
            server.freeze()
            await is_set(until, rng.uniform(1, 15))
            server.thaw()
        times += 1
    return times


def get(url: str) -> Any:
    """JSON from the fake Segment."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
        return json.load(answer)


def events(url: str) -> list[dict[str, Any]]:
    """All events that the fake Segment took, repeats dropped as Segment drops them."""
    found: list[dict[str, Any]] = []
    while True:
        page = get(f"{url}/events?limit=10000&offset={len(found)}")
        found += [one["event"] for one in page["events"]]
        if not page["events"]:
            return found


async def drained(place: str, told: Callable[[str], None], patience: float = 300.0) -> None:
    """Wait until nothing is queued any more."""
    deadline = time.monotonic() + patience
    async with open_journal(place) as journal:
        while True:
            counts = (await journal.counts()).by_environment.get("production", {})
            queued = counts.get(State.QUEUED, 0)
            if not queued:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{queued:,} are still queued after {patience:.0f} s: {await journal.lanes()}")
            told(f"{queued:,} still queued")
            await asyncio.sleep(1)


def settle_accounts(found: dict[str, Any], numbers: Iterable[int], taken: list[dict[str, Any]]) -> list[str]:
    """What does not come out even; nothing when all does."""
    wrong: list[str] = []
    states = {one.answer: one.state for one in found.values()}
    if len(states) != len(found):
        wrong.append(f"{len(found) - len(states)} answers stand in the journal under two ids")
    expected = {}
    for number in numbers:
        if poison(number):
            expected[f"poison {number}"] = State.FAILED
        else:
            expected[f"answer {number}"] = State.WITHHELD if anonymous(number) else State.DELIVERED
    if missing := expected.keys() - states.keys():
        wrong.append(f"{len(missing)} answers are missing: {sorted(missing)[:5]}")
    if more := states.keys() - expected.keys():
        wrong.append(f"{len(more)} answers are nobody's: {sorted(more)[:5]}")
    if other := [
        f"{name} is {states[name]}, not {state}" for name, state in expected.items() if states.get(name) != state
    ]:
        wrong.append(f"{len(other)} answers ended otherwise: {other[:5]}")
    delivered = {identity for identity, one in found.items() if one.state is State.DELIVERED}
    received = Counter(event["messageId"] for event in taken)
    people = Counter(event["userId"] for event in taken)
    if unknown := received.keys() - delivered:
        wrong.append(f"{len(unknown)} were taken but are not called delivered: {sorted(unknown)[:5]}")
    if lost := delivered - received.keys():
        wrong.append(f"{len(lost)} are called delivered but were not taken: {sorted(lost)[:5]}")
    if twice := [one for one, number in people.items() if number > 1]:
        wrong.append(f"{len(twice)} answers were delivered under two ids: {sorted(twice)[:5]}")
    return wrong


async def send_files(place: str, url: str, folder: Path, until: asyncio.Event) -> int:
    """Store a file of answers now and then with `send`, the last one again until it succeeds; returns how many."""
    stored = 0
    async with Programs(folder / "sender") as programs:
        programs.configure(place, url, timeout="2s")
        file = folder / "answers.jsonl"
        while not await is_set(until, SEND_EVERY_S):
            numbers = range(FIRST_SENT + stored, FIRST_SENT + stored + SENT_AT_ONCE)
            file.write_bytes(b"".join(body(number, poisoned=poison(number)) + b"\n" for number in numbers))
            code = int(ExitCode.UNREACHABLE)
            while code == ExitCode.UNREACHABLE:
                code, _, said = await programs.command("send", str(file), "--no-wait", "--yes")
                if code not in (ExitCode.OK, ExitCode.REJECTED, ExitCode.UNREACHABLE):
                    raise SystemExit(f"send ended with {code}: {said}")
                await is_set(until, 1)
            stored += SENT_AT_ONCE
    return stored


async def run(arguments: argparse.Namespace, folder: Path, server: PostgresServer | None) -> int:
    """The whole of it; returns the exit code."""
    if server is not None:
        place = create_database(server.url())
        run_apart(migrate(place))
    else:
        place = str(folder / "journal.db")
    fleet = Fleet(folder, arguments.seed, consoles=not arguments.no_consoles)
    async with AsyncExitStack() as stack:
        sinks = await stack.enter_async_context(Programs(folder / "sink"))
        sink = await sinks.start(
            *("sink", "--port", "0", "--keep", str(MOST_EVENTS), "--seed", str(arguments.seed)),
            *(word for fault in MISBEHAVIOUR for word in ("--fault", fault)),
            ready="listening on",
        )
        url = (await sink.says("listening on")).split()[2].rstrip(";")
        for machine in fleet.machines:
            await stack.enter_async_context(machine.programs)
            stack.push_async_callback(machine.kill)
            machine.programs.configure(place, url, timeout="2s")
            await machine.start()
        senders = Senders(
            [one.port for one in fleet.receivers], clients=CLIENTS, pause=PAUSE_S, poisonous=True, repeats=0.02
        )
        over = asyncio.Event()
        began = time.monotonic()
        disturbers: list[Awaitable[Any]] = [fleet.harass(over, arguments.every), fleet.look_around(over)]
        sending = asyncio.ensure_future(send_files(place, url, folder, over))
        ways = [way for way in ("kill", "freeze") if getattr(arguments, f"{way}_server")]
        if server is not None and ways:
            disturbers.append(disturb_server(server, over, fleet.rng, ways))
        disturbers.append(sending)
        working = [asyncio.ensure_future(one) for one in (senders.insist(over), *disturbers)]
        while (left := began + arguments.minutes * 60 - time.monotonic()) > 0:
            done, _ = await asyncio.wait(working, timeout=min(10.0, left), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            print(
                f"{time.monotonic() - began:5.0f} s  acknowledged {len(senders.acknowledged):,}"
                f"  kills {sum(one.kills for one in fleet.machines)}",
                file=sys.stderr,
            )
        over.set()
        results = await asyncio.gather(*working)
        seconds = time.monotonic() - began
        await senders.finish()
        await drained(place, lambda text: print(text, file=sys.stderr))
        codes = {machine.name: await machine.end() for machine in fleet.machines}
        taken, stats = events(url), get(f"{url}/stats")
    found = await reconcile.read(place)
    disturbed = results[-2] if server is not None and ways else 0
    return report(arguments, fleet, senders, seconds, codes, found, taken, stats, disturbed, sending.result())


def report(  # noqa: PLR0917 - all that was seen
    arguments: argparse.Namespace,
    fleet: Fleet,
    senders: Senders,
    seconds: float,
    codes: dict[str, int],
    found: dict[str, Any],
    taken: list[dict[str, Any]],
    stats: dict[str, Any],
    disturbed: int,
    sent: int,
) -> int:
    """Print the account; returns the exit code."""
    counted = Counter(one.state for one in found.values())
    kills = ", ".join(f"{machine.name} {machine.kills}" for machine in fleet.machines)
    print(f"{seconds:.0f} s, seed {arguments.seed}; killed: {kills}", end="")
    print(f"; the server disturbed {disturbed} times" if disturbed else "")
    print(
        f"webhooks: {sum(senders.statuses.values()):,} answered ({dict(senders.statuses)}), {senders.broken:,}"
        f" connections broke; {senders.derived:,} different answers, {len(senders.acknowledged):,} acknowledged"
    )
    print(f"send: {sent:,} different answers stored")
    print(
        f"fake Segment: {stats['requests']:,} requests, {stats['accepted']:,} events taken, {stats['duplicates']:,}"
        f" repeats dropped; answers {stats['statuses']}"
    )
    print("journal: " + ", ".join(f"{state} {number:,}" for state, number in sorted(counted.items())), end="")
    print(f"; together {len(found):,}")
    wrong = settle_accounts(found, (*range(1, senders.derived + 1), *range(FIRST_SENT, FIRST_SENT + sent)), taken)
    wrong += [f"{name} ended with {code}" for name, code in codes.items() if code]
    wrong += [f"{machine.name}: {why}" for machine in fleet.machines for why in machine.died]
    if len(senders.acknowledged) != senders.derived:
        wrong.append(f"{senders.derived - len(senders.acknowledged)} answers were never acknowledged")
    for text in wrong:
        print(f"WRONG: {text}")
    print("the account comes out even" if not wrong else "the account does not come out even")
    return 1 if wrong else 0


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=4.0, help="Seconds between two kills, on average.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--kill-server", action="store_true", help="Kill PostgreSQL too, now and then.")
    parser.add_argument("--freeze-server", action="store_true", help="Freeze PostgreSQL for a while, now and then.")
    parser.add_argument("--no-consoles", action="store_true", help="Workers and receivers alone.")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(PostgresServer(durable=True)) if arguments.journal == "postgres" else None
        return asyncio.run(run(arguments, Path(folder), server))


if __name__ == "__main__":
    sys.exit(main())
