"""Damaged payloads, and those of another delivery: never sent, settled as failed, and others continue."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State


@pytest.fixture
def tamper(journal_place) -> Callable[..., Awaitable[None]]:
    """Change a stored value behind the journal's back; `?` stands for the parameters, in order."""

    async def change(statement: str, *values: object) -> None:
        if "://" not in journal_place:
            with contextlib.closing(sqlite3.connect(journal_place, isolation_level=None)) as connection:
                connection.execute(statement, values)
            return
        connection = await asyncpg.connect(journal_place)
        await connection.execute("SET search_path = sprig_tui")
        for number in range(1, len(values) + 1):
            statement = statement.replace("?", f"${number}", 1)
        await connection.execute(statement, *values)
        await connection.close()

    return change


@pytest.fixture
def stored_bodies(journal_place) -> Callable[[], Awaitable[bytes]]:
    """The only pack's bodies."""

    async def read() -> bytes:
        if "://" not in journal_place:
            with contextlib.closing(sqlite3.connect(journal_place)) as connection:
                return bytes(connection.execute("SELECT bodies FROM packs").fetchone()[0])
        connection = await asyncpg.connect(journal_place)
        found = await connection.fetchval("SELECT bodies FROM sprig_tui.packs")
        await connection.close()
        return bytes(found)

    return read


async def sent(journal, claim, environment="production") -> list[bytes]:
    """Payloads of all claims that can be had, until there is nothing more."""
    payloads = []
    for _ in range(20):
        taken = await claim(environment)
        if taken.lease:
            payloads.append(taken.payload)
    return payloads


async def test_payload_with_flipped_bits_is_not_sent(journal, entry, claim, tamper, stored_bodies):
    given = [entry() for _ in range(5)]
    await journal.add(given)
    whole = await stored_bodies()
    rng = random.Random(5)
    for _ in range(20):
        bad = bytearray(whole)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        await tamper("UPDATE packs SET bodies = ?", bytes(bad))
        taken = await claim()
        if taken.lease:
            assert taken.payload == b",".join(one.body for one in given), "a bit that zstd does not use"
            await journal.release(taken)
            continue
        rows = (await journal.page(Query())).deliveries
        assert {(one.state, one.error) for one in rows} == {
            (State.FAILED, "damaged: its stored payload is not what was stored")
        }
        with pytest.raises(JournalCorruptError, match="is damaged, and is not sent"):
            await journal.get(rows[0].id)
        await journal.requeue([one.id for one in rows])
    await tamper("UPDATE packs SET bodies = ?", whole)
    assert await sent(journal, claim) == [b",".join(one.body for one in given)]


async def test_payload_of_another_environment_is_not_sent(journal, entry, claim, tamper):
    first, second = entry(), entry()
    added = await journal.add([first, second, entry("development")])
    await tamper(
        "UPDATE deliveries SET environment = (SELECT id FROM environments WHERE name = 'development') WHERE id = ?",
        added[1].id,
    )
    assert await sent(journal, claim) == [first.body]
    payloads = await sent(journal, claim, "development")
    assert len(payloads) == 1
    assert second.body not in payloads[0]
    (moved,) = await journal.get_many([added[1].id])
    assert (moved.state, moved.error[:7]) == (State.FAILED, "damaged")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deliveries SET message_id = 'sprig-other' WHERE id = ?",
        "UPDATE packs SET first = first + 1 WHERE first < ?",
    ],
)
async def test_payload_of_another_delivery_is_not_sent(journal, entry, claim, tamper, statement):
    given = [entry(body=entry().body) for _ in range(3)]
    added = await journal.add(given)
    await tamper(statement, added[1].id)
    payloads = await sent(journal, claim)
    assert given[1].body not in b",".join(payloads)
    (moved,) = await journal.get_many([added[1].id])
    assert moved.state is State.FAILED


async def test_bodies_leave_out_what_is_gone_or_damaged(journal, entry, tamper):
    given = [entry() for _ in range(3)]
    ids = [(await journal.add([one]))[0].id for one in given]
    assert await journal.bodies([*ids, 999]) == dict(zip(ids, (one.body for one in given), strict=True))
    assert await journal.bodies([]) == {}
    await tamper("DELETE FROM packs WHERE first = ?", ids[1])
    assert await journal.bodies(ids) == {ids[0]: given[0].body, ids[2]: given[2].body}


async def test_missing_payload_is_not_sent(journal, entry, claim, tamper):
    (added,) = await journal.add([entry()])
    other = entry()
    await journal.add([other])
    await tamper("DELETE FROM packs WHERE first = ?", added.id)
    assert await sent(journal, claim) == [other.body]
    (lost,) = await journal.get_many([added.id])
    assert (lost.state, lost.error[:7]) == (State.FAILED, "damaged")


async def test_damaged_pack_fails_its_deliveries_and_verify_names_it(journal, entry, claim, tamper):
    groups = [[entry() for _ in range(3)] for _ in range(3)]
    added = [await journal.add(group) for group in groups]
    assert (await journal.verify()).problems == ()
    bad = [one.id for one in added[1]]
    await tamper("UPDATE packs SET bodies = ? WHERE first = ?", b"\x5b rotten", bad[0])
    found = await journal.verify()
    assert found.problems == (f"the stored call of deliveries {bad[0]} to {bad[-1]} is damaged",)
    assert (found.deliveries, found.packs) == (9, 3)
    sent_together = b",".join(await sent(journal, claim))
    assert all((one.body in sent_together) == (one not in groups[1]) for group in groups for one in group)
    rows = (await journal.page(Query())).deliveries
    assert [one.id for one in rows if one.state is State.FAILED] == bad
    (told,) = (await journal.verify(1.0)).problems
    assert told == "3 deliveries failed because their stored payload is damaged"


async def test_verify_reports_damaged_records_and_wrong_counts(journal, entry, tamper):
    (added,) = await journal.add([entry()])
    await tamper("UPDATE packs SET raws = ? WHERE first = ?", b"\xa6rotten", added.id)
    await tamper("UPDATE counts SET n = n + 1")
    assert (await journal.verify()).problems == (
        f"the stored record of delivery {added.id} is damaged",
        "the kept counts are not what the deliveries come to",
    )
