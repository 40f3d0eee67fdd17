"""`listen` and `run` start while their journal cannot be opened, say so, and go on when it can."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from support.plain_http import PLAIN
from support.postgres_server import PostgresServer
from support.programs import TOKEN, Program, Programs

from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.sink import Sink

ANSWER = {
    "environmentId": "QmK7x2dTfa",
    "eventType": "ANSWER_SUBMITTED",
    "createdAt": "2026-10-04T16:21:09.114Z",
    "surveyId": 5120,
    "responseGroupUid": "0f4c1c7e-5f0b-4f0e-9a35-000000000001",
    "question": "How easy?",
    "questionType": "LIKERT",
    "response": 4,
    "userId": "acct_1",
}


@contextmanager
def held(place: Path) -> Iterator[None]:
    """Another program has the whole file for itself, as a copy or a check by hand may."""
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    server.stop()
    yield
    server.start()


async def starts_waits_and_goes_on(programs: Programs, sink: Sink, away) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        with away:
            receiver: Program = await programs.start(
                "listen", "--port", "0", ready="answering 503 until the journal is there"
            )
            url = (await receiver.says("listening on ")).split("listening on ")[1].split(",")[0]
            assert await receiver.says("waiting for the journal: ")
            worker = await programs.start("run", "--workers", "1", "--metrics", "0", ready="monitors ask")
            monitor = (await worker.says("monitors ask ")).split("monitors ask ")[1].partition("/healthz")[0]
            for asked in (url, monitor):
                assert (await client.get(f"{asked}/healthz")).status_code == 200
                told = await client.get(f"{asked}/readyz")
                assert (told.status_code, told.json()["ready"]) == (503, False)
                assert told.json()["journal"]
            posted = await client.post(f"{url}/webhooks/production", json=ANSWER)
            assert posted.status_code == 503
            assert int(posted.headers["retry-after"]) > 0
            wrong = {"authorization": "Bearer wrong"}
            assert (await client.post(f"{url}/webhooks/production", json=ANSWER, headers=wrong)).status_code == 401
        await receiver.says("delivering for production")
        await worker.says("delivering for production")
        posted = await client.post(f"{url}/webhooks/production", json=ANSWER)
        assert (posted.status_code, posted.json()["queued"]) == (200, 1)
        ready = await client.get(f"{url}/readyz")
        assert ready.status_code == 200, ready.text
    await sink.wait_until(lambda stats: stats.accepted == 1, 30)
    assert await asyncio.gather(worker.stop(), receiver.stop()) == [0, 0]


async def test_a_file_that_another_program_holds(tmp_path):
    place = tmp_path / "journal.db"
    async with SQLiteJournal(place):
        pass
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(str(place), sink.url)
        await starts_waits_and_goes_on(programs, sink, held(place))


async def test_a_server_that_is_away(tmp_path, own_server, own_place):
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(own_place, sink.url)
        await starts_waits_and_goes_on(programs, sink, stopped(own_server))


async def test_it_stops_while_it_waits(tmp_path):
    place = tmp_path / "journal.db"
    async with SQLiteJournal(place):
        pass
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(str(place), sink.url)
        with held(place):
            receiver = await programs.start("listen", "--port", "0", ready="answering 503")
            worker = await programs.start("run", ready="waiting for the journal")
            assert await asyncio.gather(receiver.stop(), worker.stop()) == [0, 0]


async def test_what_does_not_pass_ends_it(tmp_path):
    place = tmp_path / "journal.db"
    place.write_bytes(b"no journal" * 1000)
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(str(place), sink.url)
        with pytest.raises(AssertionError, match="it ended"):
            await programs.start("run", ready="waiting for the journal")
        assert (await programs.command("listen", "--port", "0")).code == 2


async def test_a_command_that_ends_says_that_it_passes(tmp_path):
    place = tmp_path / "journal.db"
    async with SQLiteJournal(place):
        pass
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(str(place), sink.url)
        with held(place):
            assert (await programs.command("log", "-n", "1")).code == 3
