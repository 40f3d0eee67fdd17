"""The server is away for a while, as in a failover: everybody says so, waits, and goes on."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from support import reconcile
from support.programs import Programs
from support.pty_console import PtyConsole
from support.webhook_senders import Senders

from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink

FAILOVER_S = 10.0
"""How long a failover takes; in CI only until everybody has noticed."""


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def answers(url: str, wanted: int) -> None:
    """Ask as a monitor does, again and again, until the answer has this status: one holds for a second."""
    while True:
        if await asyncio.to_thread(status, url) == wanted:
            return
        await asyncio.sleep(0.1)


async def test_everybody_says_so_and_goes_on(tmp_path, own_server, own_place, rounds):
    password = urlsplit(own_place).password
    assert password
    async with (
        Sink(keep=1_000_000) as sink,
        Programs(tmp_path / "home") as programs,
        PtyConsole() as console,
    ):
        programs.configure(own_place, sink.url)
        receiver, port = await programs.listen(0, "--no-engine", "--status-every", "0")
        worker = await programs.run("--status-every", "1s")
        await console.start(programs.environ, "--no-engine", "--read-only")
        await console.shows("Environments")
        senders = Senders([port])
        enough = asyncio.Event()
        load = asyncio.create_task(senders.insist(enough))
        await senders.reaches(50)
        await console.shows("delivered")
        await answers(f"http://127.0.0.1:{port}/readyz", 200)

        await asyncio.to_thread(own_server.stop)
        async with asyncio.timeout(60):
            await senders.hears(503, 5)
            await answers(f"http://127.0.0.1:{port}/readyz", 503)
            await answers(f"http://127.0.0.1:{port}/healthz", 200)
            told = await programs.command("log")
            assert told.code == 3
            assert "does not answer" in told.err
            await worker.says("queued unknown (the journal")
            await console.shows("does not answer")
        if rounds >= 20:
            await asyncio.sleep(FAILOVER_S)  # by hand: as long as it takes

        console.forget()
        before = len(worker.lines)
        await asyncio.to_thread(own_server.start)
        async with asyncio.timeout(60):
            await senders.reaches(len(senders.acknowledged) + 50)
            await answers(f"http://127.0.0.1:{port}/readyz", 200)
            await worker.says("queued ", after=before + 1)
        enough.set()
        await load
        await senders.finish()
        async with asyncio.timeout(100):
            await reconcile.until_nothing_queued(own_place)
            await console.shows(f"acct_{max(number for number in senders.acknowledged if number % 7)}")
            assert await worker.stop() == 0
            assert await receiver.stop() == 0
        said = [*worker.lines, *receiver.lines, told.err, told.out, console.written()]
        assert console.running
        assert not [line for line in said if password in line or "Traceback" in line]
        states = await reconcile.by_answer(own_place)
    assert len(states) == senders.derived == len(senders.acknowledged)
    assert set(states.values()) == {State.DELIVERED, State.WITHHELD}
