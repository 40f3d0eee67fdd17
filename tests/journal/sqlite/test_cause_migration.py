"""Conversion of the causes of a schema 5 file, and an older program that shares the file."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from support.older_journals import make_older

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import LaneChange, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal, schema

CAUSE = "write key Zq8T…e1Rk refused (401)"
REFUSED = PauseReason.KEY_REFUSED, PauseDetail(key="Zq8T…e1Rk", status=401)


@pytest.fixture
async def path(tmp_path, entry):
    path = str(tmp_path / "j.db")
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
    return path


def run(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement, {"cause": CAUSE})
        connection.commit()


async def lane_of(journal):
    return (await journal.lanes())["production"]


async def test_causes_of_an_older_file_are_converted(path):
    make_older(path, 5)
    run(path, "UPDATE lanes SET state = 'paused', until = 1, pauses = 1, epoch = 3, cause = :cause")
    async with SQLiteJournal(path) as journal:
        lane = await lane_of(journal)
        assert (lane.reason, lane.detail) == REFUSED
        probe = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        assert (probe.probe, (probe.lane.reason, probe.lane.detail)) == (True, REFUSED)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert connection.execute("SELECT reason, cause FROM lanes").fetchone() == ("key_refused", CAUSE)


async def test_older_program_beside_a_newer_one_shares_causes(path, attempt):
    """Such a one had the file open when it was upgraded; these are the statements of schema 5."""
    async with SQLiteJournal(path) as journal:
        taken = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        back = Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503))
        change = LaneChange(
            epoch=taken.lane.epoch,
            state="waiting",
            until=1,
            reason=PauseReason.HTTP_ERROR,
            detail=PauseDetail(status=503),
        )
        await journal.settle(taken, [back], change)
        with contextlib.closing(sqlite3.connect(path)) as older:
            assert older.execute("SELECT cause FROM lanes").fetchone() == ("503",)
            older.execute("UPDATE lanes SET state = 'paused', until = 9, cause = ?, epoch = epoch + 1", (CAUSE,))
            older.commit()
            lane = await lane_of(journal)
            assert (lane.reason, lane.detail) == REFUSED
            older.execute("UPDATE lanes SET state = 'open', until = 0, cause = '', epoch = epoch + 1")
            older.commit()
        lane = await lane_of(journal)
        assert (lane.reason, lane.cause) == (PauseReason.NONE, "")
