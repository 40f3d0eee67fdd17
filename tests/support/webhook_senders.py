"""Sends webhooks over several connections, and keeps account of what was acknowledged."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import Sequence

from support.programs import SPRIG_ENVIRONMENT, TOKEN

REFUSED_FOR_NOW = 0.05
"""Seconds a connection pauses after a 503: a sender that came back at once would only burn the processor."""


def anonymous(number: int) -> bool:
    """Whether the answer of this number has no user id."""
    return not number % 7


def poison(number: int) -> bool:
    """Whether a sink with the fault `400~poison` refuses the answer of this number for good."""
    return number % 97 == 13 and not anonymous(number)


def body(number: int, *, poisoned: bool = False) -> bytes:
    """One answer, as Sprig sends it."""
    return json.dumps(
        {
            "environmentId": SPRIG_ENVIRONMENT,
            "eventType": "ANSWER_SUBMITTED",
            "createdAt": "2026-10-04T16:21:09.114Z",
            "surveyId": 5120,
            "surveyName": "Checkout effort",
            "responseGroupUid": str(uuid.UUID(int=number, version=4)),
            "question": "What slowed you down?",
            "questionType": "OPEN",
            "response": f"poison {number}" if poisoned else f"answer {number}",
            "userId": None if anonymous(number) else f"acct_{number}",
        }
    ).encode()


def request(number: int, *, poisoned: bool = False) -> bytes:
    """One answer, as a whole HTTP request."""
    raw = body(number, poisoned=poisoned)
    path = "/webhooks" if number % 2 else "/webhooks/production"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


class Senders:
    """Send answers one after the other over several connections; what was not acknowledged is sent again.

    `pause` is seconds between two answers of a connection, `repeats` the share that is sent although it was before.
    """

    def __init__(
        self,
        ports: Sequence[int],
        *,
        clients: int = 16,
        pause: float = 0.0,
        poisonous: bool = False,
        repeats: float = 0.0,
    ) -> None:
        self.ports = list(ports)
        self.derived = 0
        self.acknowledged: set[int] = set()
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        """Connections that ended before their answer."""
        self.again: list[int] = []
        self._progress = asyncio.Event()
        self._clients = clients
        self._pause = pause
        self._poisonous = poisonous
        self._pages_overlap = repeats
        self._draw = random.Random(20261125)

    async def hammer(self) -> None:
        """Until the other side is gone."""
        await asyncio.gather(*(self._one(self.ports[turn % len(self.ports)]) for turn in range(self._clients)))

    async def insist(self, until: asyncio.Event) -> None:
        """Until told to stop; a side that is gone is tried again."""

        async def client(port: int) -> None:
            while not until.is_set():
                await self._one(port, until=until)
                await asyncio.sleep(REFUSED_FOR_NOW)

        await asyncio.gather(*(client(self.ports[turn % len(self.ports)]) for turn in range(self._clients)))

    async def reaches(self, number: int) -> None:
        """Wait until so many are acknowledged."""
        while len(self.acknowledged) < number:
            self._progress.clear()
            await self._progress.wait()

    async def hears(self, status: int, number: int) -> None:
        """Wait until so many answers had this status."""
        while self.statuses[status] < number:
            self._progress.clear()
            await self._progress.wait()

    async def finish(self) -> None:
        """Send again what is not acknowledged yet."""
        async with asyncio.timeout(60):
            while self.again:
                await self._one(self.ports[0], no_new=True)

    async def _one(self, port: int, *, no_new: bool = False, until: asyncio.Event | None = None) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        number = -1
        try:
            while self.again or not no_new:
                if until is not None and until.is_set():
                    return
                number = self._next()
                writer.write(request(number, poisoned=self._poisonous and poison(number)))
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.index(b"content-length:") + 15
                await reader.readexactly(int(head[at : head.index(b"\r", at)]))
                status = int(head[9:12])
                self.statuses[status] += 1
                assert status in (200, 503), head
                if status == 200:
                    self.acknowledged.add(number)
                else:
                    assert b"retry-after:" in head, head
                    self.again.append(number)
                number = -1
                self._progress.set()
                if pause := self._pause if status == 200 else REFUSED_FOR_NOW:
                    await asyncio.sleep(pause)
        except (OSError, asyncio.IncompleteReadError):
            self.broken += 1
        finally:
            if number >= 0:
                self.again.append(number)
            writer.close()

    def _next(self) -> int:
        if self.again:
            return self.again.pop()
        if self.acknowledged and self._draw.random() < self._pages_overlap:
            return self._draw.randint(1, self.derived)  # as Sprig may: the same body twice is one delivery
        self.derived += 1
        return self.derived
