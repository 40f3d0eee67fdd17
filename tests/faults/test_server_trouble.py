"""PostgreSQL killed, stopped, cut off, under load: nothing that was acknowledged is lost, and everybody goes on."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import asyncpg
import pytest
from support import reconcile, sprig_samples
from support.postgres_server import PostgresServer
from support.programs import Programs
from support.webhook_senders import Senders, anonymous

from sprig_tui.errors import ExitCode
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink

MISBEHAVIOUR = ("503:4%", "reset+accept:4%", "close:3%", "hang@every:41", "slow=0.05:10%")


async def killed(server: PostgresServer) -> None:
    """As by the system when memory runs out, then started again by whoever watches over it."""
    server.kill()
    await asyncio.to_thread(server.start)


async def stopped(server: PostgresServer) -> None:
    """An upgrade of the server: clients are thrown out in good order."""
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


async def cut_off(server: PostgresServer) -> None:
    """Every connection to the journal ends, wherever its transaction is; a few times."""
    connection = await asyncpg.connect(server.url())
    try:
        for _ in range(10):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'sprig-tui' AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(random.uniform(0, 0.1))
    finally:
        await connection.close()


async def crowded(server: PostgresServer) -> None:
    """Others have taken every connection that there is."""
    taken: list[asyncpg.Connection] = []
    try:
        while True:
            taken.append(await asyncpg.connect(server.url()))
            await taken[0].execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sprig-tui'"
            )
    except asyncpg.TooManyConnectionsError:
        await asyncio.sleep(random.uniform(0, 1))
    finally:
        for connection in taken:
            await connection.close()


@pytest.mark.parametrize("trouble", [killed, stopped, cut_off, crowded])
async def test_under_load(tmp_path, own_server, own_place, rounds, trouble):
    rng = random.Random(rounds)
    async with (
        Sink(faults=MISBEHAVIOUR, seed=rounds, keep=1_000_000) as sink,
        Programs(tmp_path / "home") as programs,
    ):
        programs.configure(own_place, sink.url)
        receiver, port = await programs.listen(0, "--no-engine", "--status-every", "0")
        workers = [await programs.run("--status-every", "0") for _ in range(2)]
        senders = Senders([port])
        enough = asyncio.Event()
        load = asyncio.create_task(senders.insist(enough))
        await senders.reaches(50)
        for _ in range(rounds // 3 + 1):
            await asyncio.sleep(rng.uniform(0.0, 0.5))  # a random moment is what is tried here
            await trouble(own_server)
            async with asyncio.timeout(60):
                await senders.reaches(len(senders.acknowledged) + 50)
            assert receiver.running
            assert all(worker.running for worker in workers)
        enough.set()
        await load
        await senders.finish()
        async with asyncio.timeout(100):
            await reconcile.until_nothing_queued(own_place)
            for program in (receiver, *workers):
                assert await program.stop() == 0
        stored = await reconcile.by_answer(own_place)
        made = range(1, senders.derived + 1)
        assert senders.acknowledged == set(made)
        assert stored == {f"answer {n}": State.WITHHELD if anonymous(n) else State.DELIVERED for n in made}
        received = Counter(event["userId"] for event in sink.events)
    assert received == {f"acct_{n}": 1 for n in made if not anonymous(n)}, "under one message id each"


async def test_a_frozen_server_keeps_nobody_from_stopping(tmp_path, own_server, own_place):
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(own_place, sink.url)
        receiver, port = await programs.listen()
        worker = await programs.run()
        senders = Senders([port], clients=2)
        enough = asyncio.Event()
        load = asyncio.create_task(senders.insist(enough))
        await senders.reaches(20)
        own_server.freeze()
        try:
            await senders.hears(503, 1)
            looks = (("status",), ("status", "--json"), ("log",), ("journal", "info"))
            for told in await asyncio.gather(*(programs.command(*argv) for argv in looks)):
                assert (told.code, told.out) == (ExitCode.UNREACHABLE, "")
                assert "did not answer within 5 s" in told.err
            told = await programs.command("doctor", "--offline")
            assert told.code == ExitCode.REJECTED
            assert "did not answer within 5 s" in " ".join(told.out.split())
            # what waits for the server by itself waits for a minute
            async with asyncio.timeout(25):
                assert await asyncio.gather(receiver.stop(), worker.stop()) == [0, 0]
        finally:
            enough.set()
            own_server.thaw()
            await load
        assert senders.acknowledged <= {int(one.split()[1]) for one in await reconcile.by_answer(own_place)}


async def test_a_frozen_server_keeps_no_reader_of_answers_from_stopping(
    tmp_path, own_server, own_place, answers, sprig_api, sprig_api_key
):
    source, _ = answers(3000)
    sprig_api.hold([sprig_samples.response(n, sprig_samples.START + n) for n in range(100)])
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    async with Sink() as sink, Programs(tmp_path / "home") as programs:
        programs.configure(own_place, sink.url)
        config = programs.home / "config.toml"
        production, delivery, rest = config.read_text().partition("[delivery]")
        api = f'sprig_api_key = "{sprig_api_key}"\n[sprig]\napi_url = "{sprig_api.url}"\n'
        config.write_text(production + api + delivery + rest)
        watcher = await programs.start("send", "--watch", str(inbox), "-e", "production", "--yes", ready="watching")
        puller = await programs.start("pull", "--every", "10s", "-e", "production", "--yes", ready="100")
        asked = ("send", str(source), "-e", "production", "--yes")
        once = await programs.begin(*asked)
        await sink.wait_until(lambda stats: stats.accepted >= 150, 60)  # more than what was pulled
        (inbox / "more.jsonl").write_bytes(source.read_bytes())
        own_server.freeze()
        try:
            # what waits for the server by itself waits for a minute
            async with asyncio.timeout(25):
                codes = await asyncio.gather(watcher.stop(), puller.stop(), once.stop())
        finally:
            own_server.thaw()
        assert codes[:2] == [0, 0]
        assert codes[2] == ExitCode.INTERRUPTED
