"""Conversion of the causes of a schema 5 journal, and older programs that share the server."""

from __future__ import annotations

import asyncpg
import pytest

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.postgres import PostgresJournal, migrate, schema

CAUSE = "write key Zq8T…e1Rk refused (401)"
REFUSED = PauseReason.KEY_REFUSED, PauseDetail(key="Zq8T…e1Rk", status=401)
SETTLE = (
    "SELECT settle_deliveries($1::bigint, $2::integer, $3::bigint, '[]'::jsonb, '[]'::jsonb, $4::bigint, $5::text,"
    " $6::bigint, $7::text)"
)
"""As programs of schema 5 call it."""


@pytest.fixture
async def older(postgres_url, monkeypatch):
    """A connection of such a program to a journal of its own version, whose lane is paused over a key."""
    with monkeypatch.context() as before:
        before.setattr(schema, "SCHEMA_VERSION", 5)
        assert (await migrate(postgres_url)).after == 5
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("SET search_path = sprig_tui")
    await connection.execute("INSERT INTO environments(name) VALUES ('production')")
    await connection.execute(
        "INSERT INTO lanes(environment, state, until, pauses, epoch, cause) VALUES (1, 'paused', 1, 1, 3, $1)", CAUSE
    )
    yield connection
    await connection.close()


async def lane_of(journal):
    return (await journal.lanes())["production"]


async def test_causes_of_an_older_journal_are_converted(older, postgres_url, entry):
    assert (await migrate(postgres_url)).before == 5
    async with PostgresJournal(postgres_url) as journal:
        lane = await lane_of(journal)
        assert (lane.reason, lane.detail) == REFUSED
        await journal.add([entry()])
        probe = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        assert (probe.probe, (probe.lane.reason, probe.lane.detail)) == (True, REFUSED)
        await journal.release(probe)
        lane = await lane_of(journal)
        assert (lane.state, (lane.reason, lane.detail)) == ("paused", REFUSED)
    assert await older.fetchval("SELECT cause FROM lanes") == CAUSE


async def test_older_program_beside_a_newer_one_shares_causes(older, postgres_url, entry):
    await migrate(postgres_url)
    async with PostgresJournal(postgres_url) as journal:
        opened = await journal.set_lane("production", "open")
        await older.execute(SETTLE, 0, 1, 5, opened.epoch, "waiting", 9, "429, Segment asked for 40 s")
        lane = await lane_of(journal)
        assert (lane.reason, lane.detail) == (PauseReason.RETRY_AFTER, PauseDetail(status=429, asked_ms=40_000))
        await older.execute("SELECT * FROM set_lane(1, 'paused', 'by hand', 5::bigint)")
        assert (await lane_of(journal)).reason is PauseReason.MANUAL
        await journal.set_lane("production", "open")
        await journal.set_lane("production", "paused")
        assert (await older.fetchrow("SELECT * FROM lanes"))["cause"] == "by hand"
        await older.execute(SETTLE, 0, 1, 5, (await lane_of(journal)).epoch, "paused", 9, CAUSE)
        lane = await lane_of(journal)
        assert (lane.reason, lane.detail) == REFUSED
