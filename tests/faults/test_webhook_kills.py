"""`sprig-tui listen` killed at random moments under load: every webhook it acknowledged is in the journal."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest

from sprig_tui.journal.query import EVERYTHING
from sprig_tui.journal.records import State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.sink import Sink

TOKEN = "fault-run-token-0123456789"
MISBEHAVIOUR = ("503:6%", "reset+accept:4%", "reset:3%", "close:3%", "hang@every:41", "slow=0.05:10%")
CLIENTS = 16


def request(number: int) -> bytes:
    """One answer; every seventh is anonymous."""
    raw = json.dumps(
        {
            "environmentId": "QmK7x2dTfa",
            "eventType": "ANSWER_SUBMITTED",
            "createdAt": "2026-10-04T16:21:09.114Z",
            "surveyId": 5120,
            "surveyName": "Checkout effort",
            "responseGroupUid": str(uuid.UUID(int=number, version=4)),
            "question": "What slowed you down?",
            "questionType": "OPEN",
            "response": f"answer {number}",
            "userId": f"acct_{number}" if number % 7 else None,
        }
    ).encode()
    path = "/webhooks" if number % 2 else "/webhooks/production"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


class Senders:
    """Send answers one after the other over several connections; what was not acknowledged is sent again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.made = 0
        self.acknowledged: set[int] = set()
        self.again: list[int] = []

    async def hammer(self) -> None:
        """Until the other side is gone."""
        await asyncio.gather(*(self._one() for _ in range(CLIENTS)))

    async def finish(self) -> None:
        """Send again what is not acknowledged yet."""
        async with asyncio.timeout(60):
            while self.again:
                await self._one(no_new=True)

    async def _one(self, *, no_new: bool = False) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return
        number = -1
        try:
            while self.again or not no_new:
                number = self._next()
                writer.write(request(number))
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.index(b"content-length:") + 15
                await reader.readexactly(int(head[at : head.index(b"\r", at)]))
                assert head.startswith(b"HTTP/1.1 200 "), head
                self.acknowledged.add(number)
                number = -1
        except (OSError, asyncio.IncompleteReadError):
            if number >= 0:
                self.again.append(number)
        finally:
            writer.close()

    def _next(self) -> int:
        if self.again:
            return self.again.pop()
        self.made += 1
        return self.made


@pytest.fixture
async def start(tmp_path):
    """Start the program on a port that stays the same; none outlives the test."""
    started: list[asyncio.subprocess.Process] = []

    async def launch(port: int, url: str) -> tuple[asyncio.subprocess.Process, int]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        config = home / "config.toml"
        config.write_text(
            f'[environments.production]\nwrite_key = "{"F" * 32}"\nendpoint = "{url}"\nwebhook_token = "{TOKEN}"\n'
            'requests_per_second = 200\nsprig_environment_id = "QmK7x2dTfa"\n[delivery]\ntimeout = "400ms"\n'
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sprig_tui", "listen", "--port", str(port), "--status-every", "0"),
            env={**os.environ, "SPRIG_TUI_HOME": str(home)},
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        while line := await process.stderr.readline():
            if line.startswith(b"listening on http://127.0.0.1:"):
                return process, int(line.split(b",")[0].rpartition(b":")[2])
        raise AssertionError("it did not start")

    yield launch
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def states(path: Path) -> dict[str, State]:
    """Who answered, and the state of it; an answer stands there once."""
    found: Counter[str] = Counter()
    told: dict[str, State] = {}
    async with SQLiteJournal(path) as journal:
        cursor, more = 0, True
        while more:
            page = await journal.page(EVERYTHING, cursor=cursor, limit=1000, direction="newer")
            for one in page.deliveries:
                found[one.answer] += 1
                told[one.answer] = one.state
            more = page.more
            cursor = page.deliveries[-1].id if page.deliveries else cursor
    assert set(found.values()) <= {1}
    return told


async def test_killed_under_load(tmp_path, start, rounds):
    rng = random.Random(rounds)
    journal = tmp_path / "home" / "journal.db"
    async with Sink(faults=MISBEHAVIOUR, seed=rounds, keep=1_000_000) as sink:
        process, port = await start(0, sink.url)
        senders = Senders(port)
        for _ in range(rounds):
            hammering = asyncio.create_task(senders.hammer())
            await asyncio.wait((hammering,), timeout=rng.uniform(0.05, 0.9))
            process.kill()
            await process.wait()
            await hammering
            stored = await states(journal)
            assert {f"answer {number}" for number in senders.acknowledged} <= set(stored)
            process, port = await start(port, sink.url)
        await senders.finish()
        assert len(senders.acknowledged) == senders.made > rounds
        process.terminate()
        async with asyncio.timeout(60):
            await process.communicate()
        assert process.returncode == 0
        stored = await states(journal)
        assert set(stored) == {f"answer {number}" for number in range(1, senders.made + 1)}
        withheld = {f"answer {number}" for number in range(1, senders.made + 1) if not number % 7}
        assert {answer for answer, state in stored.items() if state is State.WITHHELD} == withheld
        received = Counter(event["messageId"] for event in sink.events)
    assert State.FAILED not in stored.values()
    assert set(received.values()) <= {1}, "the sink drops repeats by their id, so none came under another"
