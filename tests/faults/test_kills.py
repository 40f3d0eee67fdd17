"""Killed at random moments while Segment misbehaves: nothing is lost, and repeats carry the same id."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

from support import reconcile

from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink

MISBEHAVIOUR = (
    "400~poison",
    "503:6%",
    "429+retry-after=0:3%",
    "reset+accept:4%",
    "reset:3%",
    "close:3%",
    "truncate+accept:3%",
    "hang@every:41",
    "slow=0.05:10%",
    "html=502:3%",
)


async def account(place: str) -> tuple[Counter[State], dict[str, State]]:
    """What the journal says in the end: counts, and the state of each message id."""
    states = {identity: one.state for identity, one in (await reconcile.read(place)).items()}
    return Counter(states.values()), states


async def test_killed_again_and_again(journal_place, answers, worker, rounds):
    # about as many for each round as are delivered in it
    source, fates = answers(1500 + 150 * rounds)
    rng = random.Random(rounds)
    acknowledged = 0
    async with Sink(faults=MISBEHAVIOUR, seed=rounds, keep=1_000_000) as sink:
        for _ in range(rounds):
            process = await worker(source, sink.url)
            acknowledged = max(acknowledged, await listen(process, rng.uniform(0.05, 2.2)))
            with suppress(ProcessLookupError):  # it may have settled everything
                process.kill()
            await process.wait()
            await look(journal_place, acknowledged)
        process = await worker(source, sink.url)
        async with asyncio.timeout(240 + 4 * rounds):
            output = (await process.communicate())[0].decode().split("\n")
        assert output[-2] == "settled", output[-3:]
        received = Counter(event["messageId"] for event in sink.events)
    counted, states = await account(journal_place)
    assert {state.value: number for state, number in counted.items()} == fates
    assert {identity for identity, state in states.items() if state is State.DELIVERED} == set(received)
    assert set(received.values()) == {1}, "the sink drops repeats by their id, so none came under another"
    assert sum(sink.stats.rejected.values()) == 0


async def listen(process, seconds: float) -> int:
    """Read what a worker says for some time; returns how many records it was told are stored."""
    accepted = 0
    try:
        async with asyncio.timeout(seconds):
            while text := await process.stdout.readline():
                if text.startswith(b"accepted"):
                    accepted = int(text.split()[1])
    except TimeoutError:
        pass
    return accepted


async def look(place: str, acknowledged: int) -> None:
    """Whatever moment it died in: the journal opens, and what was acknowledged is there."""
    async with open_journal(place) as journal:
        stored = await journal.count(Query())
    assert stored >= acknowledged


async def test_two_engines_never_send_one_delivery_twice(journal_place, answers, worker):
    source, fates = answers(3000)
    async with Sink(keep=1_000_000, faults=["400~poison", "slow=0.02:50%"]) as sink:
        pair = [await worker(source, sink.url, "patient") for _ in range(2)]
        async with asyncio.timeout(120):
            for process in pair:
                assert b"settled" in (await process.communicate())[0]
        assert sink.stats.duplicates == 0
        assert sink.stats.accepted == fates["delivered"]
    counted, _ = await account(journal_place)
    assert {state.value: number for state, number in counted.items()} == fates
