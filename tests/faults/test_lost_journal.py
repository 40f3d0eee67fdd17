"""The journal's file is moved, replaced or overwritten under the running program: it says so, and takes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support import reconcile
from support.programs import TOKEN, Program, Programs
from support.webhook_senders import Senders

from sprig_tui.segment.sink import Sink


@pytest.fixture
async def programs(tmp_path) -> AsyncIterator[Programs]:
    async with Sink() as sink, Programs(tmp_path / "home") as started:
        started.configure(str(tmp_path / "journal.db"), sink.url)
        yield started


def moved(path: Path, to: Path) -> None:
    path.replace(to)


async def readiness(port: int) -> tuple[int, str]:
    """Status of `/readyz`, and what it says of the journal."""

    def ask() -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/readyz", headers={"authorization": f"Bearer {TOKEN}"}
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own
                return answer.status, str(json.load(answer)["journal"])
        except urllib.error.HTTPError as error:
            return error.code, str(json.load(error)["journal"])

    return await asyncio.to_thread(ask)


async def refused_while(senders: Senders, program: Program, said: str) -> None:
    """Webhooks get 503, and the reason stands on stderr."""
    before, seen = len(senders.acknowledged), senders.statuses[503]
    async with asyncio.timeout(30):
        await program.says(said)
        await senders.hears(503, seen + 5)
    after = len(senders.acknowledged)
    await senders.hears(503, senders.statuses[503] + 20)
    assert len(senders.acknowledged) == after, "none of those that came later"
    assert before <= after


async def test_moved_away_and_put_back_under_load(tmp_path, programs):
    path = Path(tmp_path / "journal.db")
    receiver, port = await programs.listen(0, "--no-engine", "--status-every", "0")
    worker = await programs.run("--status-every", "0")
    senders = Senders([port])
    enough = asyncio.Event()
    load = asyncio.create_task(senders.insist(enough))
    await senders.reaches(50)
    moved(path, tmp_path / "elsewhere")
    await refused_while(senders, receiver, "was moved or deleted while it was in use")
    async with asyncio.timeout(30):
        await worker.says("was moved or deleted while it was in use")
    status, said = await readiness(port)
    assert (status, "moved or deleted" in said) == (503, True)
    assert "journal.db" not in os.listdir(tmp_path), "nobody makes a new one"  # noqa: PTH208
    moved(tmp_path / "elsewhere", path)
    await senders.reaches(len(senders.acknowledged) + 50)
    enough.set()
    await load
    await senders.finish()
    async with asyncio.timeout(60):
        while (await readiness(port))[0] != 200:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.1)
    async with asyncio.timeout(60):  # a minute of its own: a busy machine delivers slowly
        await reconcile.until_nothing_queued(str(path))
    async with asyncio.timeout(30):
        assert (await receiver.stop(), await worker.stop()) == (0, 0)
    stored = await reconcile.by_answer(str(path))
    assert set(stored) == {f"answer {number}" for number in senders.acknowledged}


async def test_a_backup_moved_over_it(tmp_path, programs):
    path = Path(tmp_path / "journal.db")
    receiver, port = await programs.listen(0, "--status-every", "0")
    await receiver.stop()
    shutil.copyfile(path, tmp_path / "backup")
    receiver, port = await programs.listen(0, "--status-every", "0")
    senders = Senders([port])
    enough = asyncio.Event()
    load = asyncio.create_task(senders.insist(enough))
    await senders.reaches(50)
    moved(tmp_path / "backup", path)
    await refused_while(senders, receiver, "took the place of the journal")
    enough.set()
    await load
    async with asyncio.timeout(60):
        assert await receiver.stop() == 3
    assert "Stop every sprig-tui" in " ".join(receiver.lines)
    before = set(senders.acknowledged)
    receiver, port = await programs.listen(0, "--status-every", "0")
    senders.ports = [port]
    await senders.finish()
    assert len(senders.acknowledged) > len(before)
    await receiver.stop()
    stored = await reconcile.by_answer(str(path))
    assert set(stored) == {f"answer {number}" for number in senders.acknowledged - before}
