"""Answers of every fate, and workers in processes of their own.

How the long tests scale. SPRIG_TUI_FAULT_ROUNDS, 4 by default, is the fixture `rounds`; the time that each may take
(`timeout`) grows with it by itself, see `pytest_collection_modifyitems`:

- test_kills, on each journal: so many kills, 150 answers each; 4 s for a round beside 240 s for the end.
- test_webhook_kills, on each journal, and test_pull_kills: so many kills.
- test_server_trouble: a third as many troubles of each kind, and one more.
- test_config_rewritten: a sixth as many rounds, at least one, of every way to rewrite a config.
- test_outage: from 20 on the outage is a long one as well.

SPRIG_TUI_FAULT_STRANGERS, 200 by default: the connections that test_strangers opens. Elsewhere, by the same rule:
SPRIG_TUI_TEST_ROUNDS (tests/terminal/test_bursts) and SPRIG_TUI_LINEAR_EXAMPLES (tests/sprig/test_linear).
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.forked import Begun, begin
from support.postgres_databases import create_database, run_apart
from support.postgres_server import PostgresServer
from support.records import make_entry

from sprig_tui.journal.records import NewDelivery

WORKER = Path(__file__).with_name("worker.py")


ROUNDS = int(os.environ.get("SPRIG_TUI_FAULT_ROUNDS", "4"))
LIMIT_S, ROUND_S = 300, 30
"""Seconds that a test which scales by rounds may take, and for each round beside: many times what it needs."""


@pytest.fixture
def rounds() -> int:
    """How often a worker is killed: few in CI, many by hand (SPRIG_TUI_FAULT_ROUNDS=200)."""
    return ROUNDS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what scales by rounds the time for them; a limit of the test's own goes before."""
    for item in items:
        scales = "rounds" in getattr(item, "fixturenames", ()) and Path(__file__).parent in item.path.parents
        if scales and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMIT_S + ROUND_S * ROUNDS))


@pytest.fixture
def answers(tmp_path) -> Callable[[int], tuple[Path, dict[str, int]]]:
    """Write answers; returns the file and how many should end in which state."""

    def write(number: int) -> tuple[Path, dict[str, int]]:
        fates = {"delivered": 0, "failed": 0, "withheld": 0}
        path = tmp_path / "answers.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for index in range(number):
                answer = {
                    "environmentId": "QmK7x2dTfa",
                    "eventType": "ANSWER_SUBMITTED",
                    "createdAt": "2026-10-04T16:21:09.114Z",
                    "surveyId": 5120,
                    "surveyName": "Checkout effort",
                    "responseGroupUid": str(uuid.UUID(int=index, version=4)),
                    "question": "What slowed you down?",
                    "questionType": "OPEN",
                    "response": f"answer {index} " + "é🙂" * (index % 50),
                    "userId": f"acct_{index}",
                    "visitorId": str(uuid.UUID(int=index, version=4)),
                }
                if index % 97 == 13:
                    answer["response"] = f"poison {index}"
                    fates["failed"] += 1
                elif index % 31 == 7:
                    answer["userId"] = None
                    fates["withheld"] += 1
                elif index % 53 == 11:
                    file.write('{"response": broken\n')
                    fates["withheld"] += 1  # the second of two equal lines is a record of its own
                    continue
                else:
                    fates["delivered"] += 1
                file.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return path, fates

    return write


@pytest.fixture
async def worker(journal_place):
    """Start a worker on the test's journal; none outlives the test."""
    started: list[Begun] = []

    async def start(source: Path, url: str, *temper: str) -> Begun:
        process = await begin(journal_place, source, url, *temper, stdout=asyncio.subprocess.PIPE, program=str(WORKER))
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """One that syncs to disk, and can be killed without disturbing other tests."""
    with PostgresServer(durable=True, settings={"max_connections": "50"}) as started:
        yield started


@pytest.fixture
def own_place(own_server: PostgresServer) -> str:
    """An empty journal on it."""
    from sprig_tui.journal.postgres import migrate

    url = create_database(own_server.url())
    run_apart(migrate(url))
    return url


@pytest.fixture
def entry_of() -> Callable[[int], NewDelivery]:
    """A delivery to store, by its number."""

    def make(number: int, **fields: Any) -> NewDelivery:
        own = {"answer": f"answer {number}", "digest": number.to_bytes(8), "raw": b'{"response":"raw %d"}' % number}
        return make_entry(number, **own | fields)

    return make
