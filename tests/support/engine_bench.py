"""Test bench of the engine: a real journal, the real client, the fake Segment on a socket; only time is fake."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Self

import pytest

from sprig_tui.config.environment import DeliverySettings, Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import DeliveryDetail, Lane, NewDelivery, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.track import message_id

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
START = 1_790_000_000_000
LONG = "long " * 240
"""Text of an answer of which 300 fill a request, in place of 1,100."""
SILENT_TURNS = 10
"""Turns of the loop without a call or a request in progress, after which fake time may advance."""


class FakeTime:
    """Wall and monotonic clock that tests advance."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.jump = 0
        """Milliseconds by which the wall clock is ahead of the monotonic one."""
        self.busy = 0
        """Calls of a journal in progress."""
        self._sleepers: dict[asyncio.Future[None], float] = {}

    def now(self) -> int:
        return START + int(self.seconds * 1000) + self.jump

    def monotonic(self) -> float:
        return self.seconds

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        assert seconds <= 300, "nothing waits longer than five minutes"
        over = asyncio.get_running_loop().create_future()
        self._sleepers[over] = self.seconds + max(seconds, 0.0)
        event_set = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((over, event_set), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sleepers.pop(over, None)
            event_set.cancel()
            over.cancel()
        return event.is_set()

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        for sleeper, due in list(self._sleepers.items()):
            if due <= self.seconds and not sleeper.done():
                sleeper.set_result(None)

    def step(self) -> None:
        """Advance to the time at which the next sleeper wakes."""
        waiting = [due for sleeper, due in self._sleepers.items() if not sleeper.done()]
        if waiting:
            self.advance(max(0.0, min(waiting) - self.seconds))


class Watched:
    """Journal that counts its calls in progress, so that fake time does not advance meanwhile."""

    def __init__(self, journal: SQLiteJournal, time: FakeTime) -> None:
        self._journal = journal
        self._time = time

    async def __aenter__(self) -> Self:
        await self._journal.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._journal.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name in ("clock", "subscribe"):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._time.busy += 1
            try:
                return await method(*args, **kwargs)
            finally:
                self._time.busy -= 1

        return call


def entry(number: int, environment: str = "production", text: str = "") -> NewDelivery:
    identity = message_id(environment, f"group-{number}", "How easy was it?", "LIKERT")
    call = {
        "messageId": identity,
        "userId": f"acct_{number}",
        "event": "SDK - Submitted - Survey Response",
        "type": "track",
        "properties": {"response": text or number},
        "context": {"integration": {"name": "sprig", "version": "1.0.0"}},
        "timestamp": "2026-10-01T10:00:00.000Z",
    }
    body = json.dumps(call, separators=(",", ":")).encode()
    return NewDelivery(
        environment=environment, message_id=identity, digest=str(number).encode(), raw=body, body=body, source="test"
    )


class Bench:
    """Journal with a fake clock, and what tests do with them."""

    def __init__(self, path: Path) -> None:
        self.time = FakeTime()
        self.path = path
        self.journal = Watched(SQLiteJournal(path, clock=self.time), self.time)

    # -- making ---------------------------------------------------------------------------------------------------

    async def queue(
        self, numbers: Iterable[int], environment: str = "production", poison: Collection[int] = (), padding: str = ""
    ) -> list[int]:
        """Queue one delivery per number and return their ids; those in `poison` contain the word POISON.

        With `padding` (such as LONG) fewer make a request full: the same requests of fewer deliveries.
        """
        return [one.id for one in await self.journal.add(self.entries(numbers, environment, poison, padding))]

    def entries(
        self, numbers: Iterable[int], environment: str = "production", poison: Collection[int] = (), padding: str = ""
    ) -> list[NewDelivery]:
        """One entry per number; those in `poison` contain the word POISON."""
        return [entry(number, environment, ("POISON" if number in poison else "") + padding) for number in numbers]

    def environment(self, url: str, name: str = "production", key: str | None = KEY, rate: float = 0.0) -> Environment:
        return Environment(name=name, write_key=WriteKey(key) if key else None, endpoint=url, requests_per_second=rate)

    def engine(self, *environments: Environment, journal: Journal | None = None, **settings: float | bool) -> Engine:
        return Engine(
            journal or self.journal,
            {one.name: one for one in environments},
            DeliverySettings(**settings),  # type: ignore[arg-type] # spelled out by each test
            clock=self.time,
            timing=self.time,
        )

    # -- waiting --------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], bool], engine: Engine | None = None) -> None:
        """Wait until a condition holds; with an engine, fake time advances while wire and journal are idle."""
        async with asyncio.timeout(20):
            while not holds():
                await self.tick(engine)

    async def settled(self, engine: Engine) -> None:
        """Wait until nothing is queued; fake time advances while wire and journal are idle."""
        engine.wake()
        async with asyncio.timeout(30):
            while await self.queued():
                await self.tick(engine)

    async def tick(self, engine: Engine | None = None) -> None:
        await asyncio.sleep(0.002)
        if engine is None:
            return
        # a result takes a few turns of the loop to reach its caller: only several idle turns count
        for _ in range(SILENT_TURNS):
            if engine.snapshot().in_flight or self.time.busy:
                return
            await asyncio.sleep(0)
        self.time.step()

    # -- looking --------------------------------------------------------------------------------------------------

    async def queued(self) -> int:
        return sum(each.get(State.QUEUED, 0) for each in (await self.journal.counts()).by_environment.values())

    async def details(self, ids: Iterable[int]) -> list[DeliveryDetail]:
        found = [await self.journal.get(number) for number in ids]
        return [detail for detail in found if detail is not None]

    async def states(self, ids: Iterable[int]) -> list[State]:
        return [detail.delivery.state for detail in await self.details(ids)]

    async def lane(self, name: str = "production") -> Lane:
        return (await self.journal.lanes())[name]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose journal is open."""
    made = Bench(tmp_path / "journal.sqlite")
    async with made.journal:
        yield made
