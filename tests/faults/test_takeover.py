"""Workers killed while they hold claims or a probe: others take over half a minute later, before their leases end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import asyncpg
import pytest
from support.programs import Programs

from sprig_tui.journal.open import open_journal
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink


@pytest.mark.parametrize("faults", [["hang@1"], ["503@1", "hang@2"]], ids=["claims", "probe"])
async def test_killed_while_its_request_hangs(tmp_path, journal_place, entry_of, faults):
    """The worker's last report is made old in the journal, so that nobody here waits for half a minute."""
    async with Sink(faults=faults, keep=1000) as sink, Programs(tmp_path / "home") as programs:
        programs.configure(journal_place, sink.url, timeout="60s")
        async with open_journal(journal_place) as journal:
            await journal.add([entry_of(number) for number in range(1, 11)])
            doomed = await programs.run("--status-every", "0")
            async with asyncio.timeout(60):
                while not (await journal.counts()).leased or sink.stats.requests < len(faults):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await doomed.kill()
            before = [one.id for one in await journal.workers()]
            assert before
            # as it is half a minute later: its report is gone, and its leases are as old
            for owner in before:
                await journal.unregister_worker(owner)
            await age_leases(journal_place, 31_000)
            await programs.run("--status-every", "0")
            async with asyncio.timeout(30):
                while (await journal.counts()).by_environment["production"].get(State.DELIVERED, 0) < 10:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert sink.stats.accepted == 10


async def age_leases(place: str, by_ms: int) -> None:
    """Make leases, and the waits of lanes, as old as they are after so long."""
    tables = (("leases", ""), ("lanes", " WHERE state = 'waiting'"))
    statements = [f"UPDATE {table} SET until = until - {by_ms}{which}" for table, which in tables]  # noqa: S608
    if "://" in place:
        connection = await asyncpg.connect(place, server_settings={"search_path": "sprig_tui"})
        for statement in statements:
            await connection.execute(statement)
        await connection.close()
    else:
        with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
